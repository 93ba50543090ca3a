use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

#[derive(Upsertable)]
struct Product {
    #[on_conflict(set = id + 1)]
    id: i32,
    #[on_conflict(update)]
    name: String,
}

fn main() {}

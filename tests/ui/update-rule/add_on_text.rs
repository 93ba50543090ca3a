use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

#[derive(Upsertable)]
struct Product {
    id: i32,
    #[on_conflict(add)]
    name: String,
}

fn main() {}

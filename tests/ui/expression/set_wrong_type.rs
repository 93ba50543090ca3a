use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        visits -> Integer,
    }
}

#[derive(Upsertable)]
struct Product {
    id: i32,
    name: String,
    #[on_conflict(set = name)]
    visits: i32,
}

fn main() {}

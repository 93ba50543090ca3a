use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        deleted -> Bool,
    }
}

#[derive(Upsertable)]
#[upsert(update_all, set(deleted = 0))]
struct Product {
    id: i32,
    name: String,
}

fn main() {}

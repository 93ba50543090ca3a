use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

#[derive(Upsertable)]
#[upsert(update_all, newer_by = id)]
struct Product {
    id: i32,
    name: String,
}

fn main() {}

use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        version -> Json,
    }
}

#[derive(Upsertable)]
#[upsert(update_all, newer_by = version)]
struct Product {
    id: i32,
    version: String,
}

fn main() {}

use upsert_core::{Upsertable, upsert};

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        stock -> Nullable<Integer>,
    }
}

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    name: String,
}

fn ids(products: &[Product]) {
    let _ = upsert(products).returning("id");
}

fn main() {}

#![deny(unused_must_use)]

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

fn save(products: &[Product]) {
    upsert(products).returning(products::id);
    upsert(products).returning_old(products::id);
}

fn main() {}

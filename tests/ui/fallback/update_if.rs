use diesel::prelude::*;
use upsert_core::{Upsertable, excluded, upsert};

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        stock -> Integer,
    }
}

#[derive(Upsertable)]
#[upsert(update_al)]
struct Product {
    id: i32,
    name: String,
    stock: i32,
}

fn save(conn: &mut SqliteConnection, products: &[Product]) {
    let _ = upsert(products)
        .update_if(products::stock.lt(excluded(products::stock)))
        .execute(conn);
}

fn main() {}

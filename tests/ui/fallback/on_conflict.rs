use diesel::prelude::*;
use upsert_core::{Upsertable, upsert};

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
        .on_conflict((products::name, products::stock))
        .filter_target(products::stock.is_not_null())
        .execute(conn);
}

fn main() {}

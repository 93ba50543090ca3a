use diesel::SqliteConnection;
use diesel::prelude::*;
use upsert_core::{Upsertable, excluded, upsert};

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    name: String,
}

// `ILIKE` is PostgreSQL's.
fn save(conn: &mut SqliteConnection, products: &[Product]) {
    let _ = upsert(products)
        .update_if(products::name.ilike(excluded(products::name)))
        .execute(conn);
}

fn main() {}

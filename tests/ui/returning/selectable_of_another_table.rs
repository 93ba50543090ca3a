use diesel::prelude::*;
use upsert_core::{Upsertable, upsert};

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        stock -> Nullable<Integer>,
    }
}

diesel::table! {
    prices (id) {
        id -> Integer,
        amount -> Integer,
    }
}

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    name: String,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = prices)]
struct Price {
    id: i32,
    amount: i32,
}

fn prices(conn: &mut SqliteConnection, products: &[Product]) -> upsert_core::Result<Vec<Price>> {
    upsert(products)
        .returning(Price::as_returning())
        .get_results(conn)
}

fn main() {}

#![deny(warnings)]

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        stock -> Nullable<Integer>,
    }
}

diesel::table! {
    prices (product) {
        product -> Integer,
        stock -> Integer,
    }
}

diesel::allow_tables_to_appear_in_same_query!(products, prices);

/// In one module, for tables with columns of one name.
#[derive(Upsertable)]
#[diesel(table_name = products)]
struct Product {
    id: i32,
    // A query of another table.
    #[on_conflict(set = prices::table
        .filter(prices::product.eq(id))
        .select(prices::stock)
        .single_value())]
    stock: i32,
}

#[derive(Upsertable)]
#[diesel(table_name = prices)]
struct Price {
    product: i32,
    #[on_conflict(set = stock + excluded(stock))]
    stock: i32,
}

fn main() {
    /// A model in a function.
    #[derive(Upsertable)]
    #[diesel(table_name = prices)]
    #[upsert(update_if = stock.lt(10))]
    struct Local {
        product: i32,
        #[on_conflict(set = stock + LEVEL)]
        stock: i32,
    }
    const LEVEL: i32 = 5;

    let conn = &mut SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute(
        "CREATE TABLE products (id INTEGER PRIMARY KEY, stock INTEGER);
        CREATE TABLE prices (product INTEGER PRIMARY KEY, stock INTEGER NOT NULL);",
    )
    .unwrap();
    for stock in 1..=3 {
        let product = 1;
        Price { product, stock }.upsert(conn).unwrap();
        Product { id: product, stock }.upsert(conn).unwrap();
        Local { product, stock }.upsert(conn).unwrap();
    }
    let rows: Vec<(i32, Option<i32>)> = products::table.load(conn).unwrap();
    assert_eq!(rows, [(1, Some(16))]);
}

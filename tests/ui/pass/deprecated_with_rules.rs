#![deny(warnings)]

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        stock -> Integer,
        note -> Nullable<Text>,
        version -> Integer,
    }
}

mod models {
    use super::{Upsertable, products};

    #[derive(Upsertable)]
    #[diesel(table_name = products)]
    #[upsert(newer_by = version, targets(by_id = id, by_stock = stock))]
    pub struct Product {
        pub id: i32,
        #[deprecated]
        #[on_conflict(set = stock + excluded(stock))]
        pub stock: i32,
        #[deprecated]
        #[on_conflict(fill)]
        #[on_insert(default = "none")]
        pub note: Option<&'static str>,
        #[deprecated]
        #[on_conflict(max)]
        pub version: i32,
    }
}

fn main() {
    let conn = &mut SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute(
        "CREATE TABLE products (
            id INTEGER PRIMARY KEY, stock INTEGER NOT NULL, note TEXT, version INTEGER NOT NULL
        )",
    )
    .unwrap();
    #[allow(deprecated)]
    let product = |version| models::Product {
        id: 1,
        stock: 2,
        note: None,
        version,
    };
    product(1).upsert(conn).unwrap();
    product(2).upsert(conn).unwrap();
    let _ = (models::Product::by_id(), models::Product::by_stock());
    let rows: Vec<(i32, i32, Option<String>, i32)> = products::table.load(conn).unwrap();
    assert_eq!(rows, [(1, 4, Some("none".into()), 2)]);
}

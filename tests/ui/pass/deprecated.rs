#![deny(warnings)]

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

mod models {
    use super::{Upsertable, products};

    #[derive(Upsertable)]
    #[diesel(table_name = products)]
    #[upsert(update_all)]
    pub struct Product {
        pub id: i32,
        #[deprecated]
        pub name: String,
    }

    #[deprecated]
    #[derive(Upsertable)]
    #[diesel(table_name = products)]
    #[upsert(update_all)]
    pub struct Old<T> {
        pub id: i32,
        #[diesel(serialize_as = String)]
        #[deprecated]
        pub name: T,
    }
}

fn main() {
    let conn = &mut connection();
    #[allow(deprecated)]
    let product = models::Product {
        id: 1,
        name: "a".into(),
    };
    product.upsert(conn).unwrap();
    #[allow(deprecated)]
    models::Old { id: 2, name: "b" }.upsert(conn).unwrap();
    let count: i64 = products::table.count().get_result(conn).unwrap();
    assert_eq!(count, 2);
}

fn connection() -> SqliteConnection {
    let mut conn = SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute("CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        .unwrap();
    conn
}

#![deny(warnings)]

use diesel::prelude::*;
use upsert_core::{Upsertable, upsert};

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(embedded)]
struct Name {
    #[on_conflict(update)]
    name: String,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
struct Referenced<'a> {
    id: i32,
    #[diesel(embed)]
    name: &'a Name,
}

/// A parameter may stand for a reference.
#[derive(Upsertable)]
#[diesel(table_name = products)]
struct Generic<T> {
    #[conflict_key]
    id: i32,
    #[diesel(embed)]
    name: T,
}

fn main() {
    let conn = &mut SqliteConnection::establish(":memory:").unwrap();
    diesel::sql_query("CREATE TABLE products (id INTEGER PRIMARY KEY NOT NULL, name TEXT NOT NULL)")
        .execute(conn)
        .unwrap();
    let [a, b] = ["a", "b"].map(|name| Name { name: name.to_owned() });
    assert_eq!(Referenced { id: 1, name: &a }.upsert(conn).unwrap(), 1);
    let row = Generic { id: 1, name: &b };
    assert_eq!(upsert([&row]).execute(conn).unwrap(), 1);
    let name: String = products::table.select(products::name).first(conn).unwrap();
    assert_eq!(name, "b");
}

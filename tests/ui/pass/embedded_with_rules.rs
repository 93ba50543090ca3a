#![deny(warnings)]

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::{Upsertable, rule, upsert};

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        stock -> Integer,
        visits -> Integer,
        note -> Text,
        seen -> Integer,
    }
}

/// Its positions come after those of `first`, whose expressions come first.
#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(touch(seen = seen + 1), update_if = name.ne("none"), newer_by = visits)]
struct Product<'a> {
    #[diesel(embed)]
    first: First<'a>,
    #[on_conflict(set = visits + excluded(visits))]
    visits: i32,
    #[diesel(embed)]
    last: Last,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(embedded)]
struct First<'a> {
    #[conflict_key]
    id: i32,
    #[diesel(embed)]
    inner: Inner<'a>,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(embedded)]
struct Inner<'a> {
    #[on_conflict(set = name.concat(excluded(name)))]
    name: &'a str,
    #[on_conflict(add)]
    stock: i32,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(embedded)]
struct Last {
    #[on_conflict(touch = excluded(note).concat("!"))]
    #[on_insert(default = "new".to_owned())]
    note: Option<String>,
}

/// What is compared is in the embedded struct.
#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(skip_unchanged)]
struct OnlyTouched<'a> {
    #[diesel(embed)]
    inner: Inner<'a>,
    #[conflict_key]
    id: i32,
    #[on_conflict(touch)]
    visits: i32,
}

fn product(visits: i32, note: Option<&str>) -> Product<'static> {
    let (name, stock) = ("a", 1);
    Product {
        first: First {
            id: 1,
            inner: Inner { name, stock },
        },
        visits,
        last: Last {
            note: note.map(str::to_owned),
        },
    }
}

fn main() {
    let conn = &mut SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute(
        "CREATE TABLE products (
            id INTEGER PRIMARY KEY, name TEXT NOT NULL, stock INTEGER NOT NULL,
            visits INTEGER NOT NULL, note TEXT NOT NULL, seen INTEGER NOT NULL DEFAULT 0
        )",
    )
    .unwrap();
    assert_eq!(product(1, None).upsert(conn).unwrap(), 1);
    assert_eq!(product(2, Some("b")).upsert(conn).unwrap(), 1);
    assert_eq!(product(3, Some("c")).upsert(conn).unwrap(), 0);
    let unchanged = OnlyTouched {
        inner: Inner { name: "", stock: 0 },
        id: 1,
        visits: 9,
    };
    let call = || upsert([&unchanged]).rule(products::stock, rule::Keep);
    // The row is inserted before the conflict, so `note` has to be there.
    let statement = call().statement::<diesel::sqlite::Sqlite>();
    assert!(statement.is_ok());
    let rows: Vec<(i32, String, i32, i32, String, i32)> = products::table.load(conn).unwrap();
    assert_eq!(rows, [(1, "aa".into(), 2, 3, "b!".into(), 1)]);
}

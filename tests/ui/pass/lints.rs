#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    single_use_lifetimes,
    unreachable_pub,
    unused_lifetimes,
    unused_qualifications,
    unused_results,
    variant_size_differences
)]
#![forbid(unsafe_code, non_ascii_idents)]

//! Generated code is none of the user's lints' business.

use std::borrow::Cow;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::Upsertable;

#[allow(missing_docs, unused_qualifications, unreachable_pub, unused_results)]
mod schema {
    diesel::table! {
        products (id) {
            id -> Integer,
            name -> Text,
            note -> Nullable<Text>,
            level -> Integer,
        }
    }
}
use schema::products;

/// Some.
#[derive(Debug, Upsertable)]
#[diesel(table_name = products)]
pub struct Product<'a, 'b> {
    #[conflict_key]
    id: i32,
    #[on_conflict(update)]
    name: Cow<'a, str>,
    note: Option<Cow<'b, str>>,
    level: Option<i32>,
}

/// Generic.
#[derive(Debug, Upsertable)]
#[diesel(table_name = schema::products)]
#[upsert(update_all)]
pub struct Generic<T, const N: usize> {
    #[diesel(embed)]
    id: Id,
    name: T,
    #[diesel(serialize_as = i32)]
    level: Level,
    #[diesel(skip_insertion)]
    bytes: [u8; N],
}

/// Embedded.
#[derive(Debug, Upsertable)]
#[diesel(table_name = schema::products)]
#[upsert(embedded)]
pub struct Id {
    id: i32,
}

/// Converted.
#[derive(Debug, Clone, Copy)]
pub struct Level;

impl From<Level> for i32 {
    fn from(_: Level) -> Self {
        9
    }
}

fn main() {
    let conn = &mut SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute(
        "CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL, note TEXT, \
         level INTEGER NOT NULL)",
    )
    .unwrap();
    let product = Product {
        id: 1,
        name: "a".into(),
        note: None,
        level: Some(1),
    };
    assert_eq!(product.upsert(conn).unwrap(), 1);
    let generic = Generic {
        id: Id { id: 1 },
        name: "b",
        level: Level,
        bytes: [0; 2],
    };
    assert_eq!((generic.upsert(conn).unwrap(), generic.bytes), (1, [0; 2]));
}

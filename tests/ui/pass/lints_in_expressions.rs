#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    single_use_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    unreachable_pub,
    unused_lifetimes,
    unused_qualifications,
    unused_results,
    variant_size_differences
)]
#![forbid(unsafe_code, non_ascii_idents)]

//! Generated code is none of the user's lints' business.

use diesel::connection::SimpleConnection;
use diesel::dsl::now;
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
            visits -> Integer,
            deleted -> Bool,
            seen -> Timestamp,
        }
    }
}
use schema::products;

/// With paths that are longer than they have to be in the expressions alone,
/// and parentheses.
#[derive(Debug, Upsertable)]
#[diesel(table_name = products)]
#[upsert(
    set(deleted = (false)),
    touch(seen = now),
    update_if = (products::deleted.eq(false).or({ products::level.gt(excluded(products::level)) })),
    not_older_by = level,
    skip_unchanged,
    target = (products::id),
    target_where = (products::level.ge(-1)),
    targets(by_name = name, by_both = (id, name)),
)]
pub struct Product<'a> {
    id: i32,
    #[on_conflict(coalesce)]
    name: &'a str,
    #[on_conflict(fill)]
    note: Option<&'a str>,
    #[on_conflict(max)]
    level: i32,
    #[on_conflict(set = (products::visits + (excluded(products::visits))))]
    #[on_insert(default = (self.level + 1))]
    visits: Option<i32>,
}

/// Private, so that its functions are unused.
#[derive(Debug, Upsertable)]
#[diesel(table_name = schema::products)]
#[upsert(update_all, targets(by_id = id), constraint = "products_pkey")]
#[allow(dead_code)]
struct Private {
    id: i32,
    level: i32,
}

/// Generic.
#[derive(Debug, Upsertable)]
#[diesel(table_name = schema::products)]
#[upsert(newer_by = level)]
pub struct Generic<T, const N: usize> {
    id: i32,
    #[diesel(embed)]
    name: Name,
    #[on_conflict(update)]
    level: T,
    #[diesel(skip_insertion)]
    bytes: [u8; N],
}

/// Embedded.
#[derive(Debug, Upsertable)]
#[diesel(table_name = schema::products)]
#[upsert(embedded)]
pub struct Name {
    #[on_conflict(set = excluded(schema::products::name))]
    name: &'static str,
}

fn main() {
    let conn = &mut SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute(
        "CREATE TABLE products (
            id INTEGER NOT NULL UNIQUE, name TEXT NOT NULL, note TEXT, level INTEGER NOT NULL,
            visits INTEGER NOT NULL DEFAULT 0, deleted BOOLEAN NOT NULL DEFAULT FALSE,
            seen TIMESTAMP
        )",
    )
    .unwrap();
    conn.batch_execute("CREATE UNIQUE INDEX target ON products (id) WHERE level >= -1")
        .unwrap();
    let product = Product {
        id: 1,
        name: "a",
        note: None,
        level: 1,
        visits: Some(3),
    };
    assert_eq!(product.upsert(conn).unwrap(), 1);
    let generic = Generic {
        id: 1,
        name: Name { name: "b" },
        level: 2,
        bytes: [0; 2],
    };
    assert_eq!((generic.upsert(conn).unwrap(), generic.bytes), (1, [0; 2]));
    let _ = (Product::by_name(), Product::by_both());
}

#![deny(warnings)]

use diesel::connection::SimpleConnection;
use diesel::dsl::now;
use diesel::prelude::*;
use upsert_core::{Upsertable, excluded, literal, on_constraint, rule, upsert};

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        stock -> Integer,
        note -> Nullable<Text>,
        seen -> Timestamp,
    }
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(update_all, update_if = stock.lt(excluded(stock)), targets(by_name = name))]
struct Product<'a> {
    id: i32,
    name: &'a str,
    stock: i32,
    note: Option<&'a str>,
}

/// Values may be borrowed from the caller.
fn save<'a>(conn: &mut SqliteConnection, rows: &[Product<'a>], most: &i32, name: &'a str) -> usize {
    upsert(rows)
        .rule(products::stock, rule::Add)
        .rule(products::note, rule::Fill)
        .set(products::name, name)
        .touch(products::seen, now)
        .update_if(products::stock.lt(*most))
        .skip_unchanged(true)
        .chunk_size(1)
        .execute(conn)
        .unwrap()
}

fn main() {
    let conn = &mut SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute(
        "CREATE TABLE products (
            id INTEGER PRIMARY KEY, name TEXT NOT NULL, stock INTEGER NOT NULL, note TEXT,
            seen TIMESTAMP
        );
        CREATE UNIQUE INDEX by_name ON products (name) WHERE stock >= 0;",
    )
    .unwrap();
    let row = |id, name, stock, note| Product {
        id,
        name,
        stock,
        note,
    };
    let rows = [row(1, "a", 1, None), row(2, "b", 2, Some("n"))];
    assert_eq!(upsert(&rows).execute(conn).unwrap(), 2);
    assert_eq!(upsert(&rows).execute(conn).unwrap(), 0);
    assert_eq!(upsert(&rows).do_nothing().execute(conn).unwrap(), 0);
    let name = String::from("c");
    assert_eq!(save(conn, &rows[..1], &5, &name), 1);

    let moved = upsert([row(3, "c", 7, None)])
        .on_conflict(Product::by_name())
        .filter_target(products::stock.ge(literal(0)))
        .rule(products::id, rule::Update)
        .update_if(excluded(products::stock).gt(products::stock))
        .execute(conn)
        .unwrap();
    assert_eq!(moved, 1);

    // For PostgreSQL; here it cannot be sent.
    let _ = upsert(&rows).on_conflict(on_constraint("products_pkey"));

    let written = Product::upsert_from(products::table.select((
        products::id,
        products::name,
        products::stock + 1,
        products::note,
    )))
    .set(products::note, "selected")
    .execute(conn)
    .unwrap();
    assert_eq!(written, 2);

    let rows: Vec<(i32, String, i32, Option<String>)> = products::table
        .select((
            products::id,
            products::name,
            products::stock,
            products::note,
        ))
        .load(conn)
        .unwrap();
    let note = || Some(String::from("selected"));
    assert_eq!(
        rows,
        [(2, "b".into(), 3, note()), (3, "c".into(), 8, note())]
    );
}

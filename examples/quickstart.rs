//! The smallest use: derive, upsert, look at the table.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::Upsertable;

diesel::table! {
    products (sku) {
        sku -> Text,
        name -> Text,
        note -> Nullable<Text>,
        first_seen -> Text,
    }
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
struct Product<'a> {
    #[conflict_key]
    sku: &'a str,
    #[on_conflict(update)] // name = excluded.name
    name: &'a str,
    #[on_conflict(update)] // `None` writes NULL
    note: Option<&'a str>,
    first_seen: &'a str, // no attribute: inserted, never updated
}

type Row = (String, String, Option<String>, String);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let conn = &mut SqliteConnection::establish(":memory:")?;
    conn.batch_execute(
        "CREATE TABLE products (sku TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, note TEXT, \
         first_seen TEXT NOT NULL)",
    )?;

    for (first_seen, delivery) in [
        ("Monday", [("a-1", "Apple", None), ("b-2", "Bread", None)]),
        (
            "Tuesday",
            [("b-2", "Rye", Some("new")), ("c-3", "Cocoa", None)],
        ),
    ] {
        let rows = delivery.map(|(sku, name, note)| Product {
            sku,
            name,
            note,
            first_seen,
        });
        let written = Product::bulk_upsert(conn, &rows)?;
        println!("{first_seen}: {written} rows inserted or updated");
    }

    for row in products::table.load::<Row>(conn)? {
        println!("{row:?}");
    }
    Ok(())
}

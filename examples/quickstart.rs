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

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let conn = &mut SqliteConnection::establish(":memory:")?;
    conn.batch_execute(
        "CREATE TABLE products (sku TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, note TEXT, \
         first_seen TEXT NOT NULL)",
    )?;

    let monday = [
        Product { sku: "a-1", name: "Apple", note: Some("green"), first_seen: "Monday" },
        Product { sku: "b-2", name: "Bread", note: None, first_seen: "Monday" },
    ];
    let written = Product::bulk_upsert(conn, &monday)?;
    println!("Monday: {written} rows written");

    let tuesday = [
        Product { sku: "b-2", name: "Rye bread", note: Some("sliced"), first_seen: "Tuesday" },
        Product { sku: "c-3", name: "Cheese", note: None, first_seen: "Tuesday" },
    ];
    let written = Product::bulk_upsert(conn, &tuesday)?;
    println!("Tuesday: {written} rows written");

    for row in products::table
        .order(products::sku)
        .load::<(String, String, Option<String>, String)>(conn)?
    {
        println!("{row:?}");
    }
    Ok(())
}

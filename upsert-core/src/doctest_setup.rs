#[allow(unused_imports)]
use diesel::prelude::*;
#[allow(unused_imports)]
use upsert_core::Upsertable;

diesel::table! {
    products (sku) {
        sku -> Text,
        name -> Text,
    }
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[allow(dead_code)]
struct Product<'a> {
    #[conflict_key]
    sku: &'a str,
    #[on_conflict(update)]
    name: &'a str,
}

#[allow(dead_code)]
fn connection() -> SqliteConnection {
    use diesel::connection::SimpleConnection;

    let mut conn = SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute("CREATE TABLE products (sku TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL)")
        .unwrap();
    conn
}

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
struct Product<'a>(
    #[diesel(column_name = id)]
    #[conflict_key]
    i32,
    #[diesel(skip_insertion)]
    #[allow(dead_code)]
    (),
    #[diesel(column_name = "name")]
    #[on_conflict(update)]
    &'a str,
);

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(update_all)]
struct Nested(
    #[diesel(embed)] Id,
    #[diesel(column_name = name, serialize_as = String)] &'static str,
);

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(embedded)]
struct Id(
    #[diesel(column_name = id)]
    #[conflict_key]
    i32,
);

fn main() {
    let conn = &mut connection();
    Product(1, (), "a").upsert(conn).unwrap();
    Product(1, (), "b").upsert(conn).unwrap();
    Nested(Id(2), "c").upsert(conn).unwrap();
    let rows: Vec<(i32, String)> = products::table.load(conn).unwrap();
    assert_eq!(rows, [(1, "b".into()), (2, "c".into())]);
}

fn connection() -> SqliteConnection {
    let mut conn = SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute("CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        .unwrap();
    conn
}

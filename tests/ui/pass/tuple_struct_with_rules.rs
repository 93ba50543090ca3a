use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::{Upsertable, upsert};

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        version -> Integer,
        visits -> Integer,
    }
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(newer_by = 3, set(visits = visits + 1), targets(by_name = name, by_id = id))]
struct Product<'a>(
    #[diesel(column_name = id)]
    #[conflict_key]
    i32,
    #[diesel(skip_insertion)] &'a str,
    #[diesel(column_name = "name")]
    #[on_conflict(set = name.concat(excluded(name)))]
    #[on_insert(default = self.1)]
    Option<&'a str>,
    #[diesel(column_name = version)]
    #[on_conflict(max)]
    i32,
);

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(skip_unchanged)]
struct Nested(#[diesel(embed)] Id, #[diesel(embed)] Rest);

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(embedded)]
struct Id(
    #[diesel(column_name = id)]
    #[conflict_key]
    i32,
);

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(embedded)]
struct Rest(
    #[diesel(column_name = name)]
    #[on_conflict(update)]
    &'static str,
    #[diesel(column_name = version)]
    #[on_conflict(touch = version + 1)]
    i32,
);

fn main() {
    let conn = &mut SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute(
        "CREATE TABLE products (
            id INTEGER PRIMARY KEY, name TEXT NOT NULL, version INTEGER NOT NULL,
            visits INTEGER NOT NULL DEFAULT 0
        )",
    )
    .unwrap();
    assert_eq!(Product(1, "a", None, 1).upsert(conn).unwrap(), 1);
    assert_eq!(Product(1, "", Some("b"), 2).upsert(conn).unwrap(), 1);
    let same = [Product(1, "", Some("c"), 2)];
    let by_id = Product::by_id();
    assert_eq!(upsert(&same).on_conflict(by_id).execute(conn).unwrap(), 0);
    assert_eq!(Nested(Id(1), Rest("ab", 0)).upsert(conn).unwrap(), 0);
    assert_eq!(Nested(Id(1), Rest("d", 0)).upsert(conn).unwrap(), 1);
    let _: products::name = Product::by_name();
    let rows: Vec<(i32, String, i32, i32)> = products::table.load(conn).unwrap();
    assert_eq!(rows, [(1, "d".into(), 3, 1)]);
}

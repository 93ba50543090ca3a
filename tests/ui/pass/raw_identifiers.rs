use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::Upsertable;

diesel::table! {
    r#types (r#type) {
        r#type -> Integer,
        r#gen -> Text,
        #[sql_name = "match"]
        r#match -> Text,
    }
}

#[derive(Upsertable)]
#[upsert(update_all)]
#[allow(non_camel_case_types)]
struct r#Type<'r#fn> {
    r#type: i32,
    r#gen: &'r#fn str,
    r#match: &'r#fn str,
}

#[derive(Upsertable)]
#[diesel(table_name = r#types)]
#[upsert(update_all)]
struct Named<'a> {
    #[diesel(column_name = r#type)]
    number: i32,
    #[diesel(column_name = "gen")]
    text: &'a str,
    #[diesel(column_name = "r#match")]
    other: &'a str,
}

fn main() {
    let conn = &mut SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute(
        "CREATE TABLE types (type INTEGER PRIMARY KEY, gen TEXT NOT NULL, `match` TEXT NOT NULL)",
    )
    .unwrap();
    r#Type {
        r#type: 1,
        r#gen: "a",
        r#match: "b",
    }
    .upsert(conn)
    .unwrap();
    Named {
        number: 1,
        text: "c",
        other: "d",
    }
    .upsert(conn)
    .unwrap();
    let rows: Vec<(i32, String, String)> = r#types::table.load(conn).unwrap();
    assert_eq!(rows, [(1, "c".into(), "d".into())]);
}

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

/// In one module, also where one of them has no name of its own for the table.
#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    name: String,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(do_nothing)]
struct NewProduct<'a> {
    id: i32,
    name: &'a str,
}

#[derive(Upsertable)]
#[diesel(table_name = crate::products)]
struct ById {
    #[conflict_key]
    id: i32,
    #[on_conflict(update)]
    name: Option<String>,
}

fn main() {
    /// A model in a function.
    #[derive(Upsertable)]
    #[diesel(table_name = products)]
    #[upsert(update_all)]
    struct Local {
        id: i32,
        name: &'static str,
    }

    let conn = &mut connection();
    Product {
        id: 1,
        name: "a".into(),
    }
    .upsert(conn)
    .unwrap();
    NewProduct { id: 1, name: "b" }.upsert(conn).unwrap();
    ById {
        id: 2,
        name: Some("c".into()),
    }
    .upsert(conn)
    .unwrap();
    Local { id: 3, name: "d" }.upsert(conn).unwrap();
    let names: Vec<String> = products::table.select(products::name).load(conn).unwrap();
    assert_eq!(names, ["a", "c", "d"]);
}

fn connection() -> SqliteConnection {
    let mut conn = SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute("CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        .unwrap();
    conn
}

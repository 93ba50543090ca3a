use std::borrow::Cow;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Text,
        name -> Text,
        note -> Nullable<Text>,
        label -> Nullable<Text>,
    }
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(update_all)]
struct References<'a, 'b: 'a> {
    id: &'a str,
    name: &'b str,
    note: Option<&'a str>,
    label: Option<&'b str>,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(update_all)]
struct Cows<'a, 'b> {
    id: Cow<'a, str>,
    name: Cow<'b, str>,
    note: Option<Cow<'a, str>>,
    label: Option<Cow<'static, str>>,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(update_all)]
struct Nested<'a, 'b, T: ?Sized> {
    id: &'a &'b T,
    name: &'b Cow<'a, str>,
}

/// The rows do not outlive the call.
fn save(conn: &mut SqliteConnection) {
    let id = String::from("a");
    let note = String::from("n");
    References {
        id: &id,
        name: "A",
        note: Some(&note),
        label: None,
    }
    .upsert(conn)
    .unwrap();
    let name = Cow::Owned(String::from("B"));
    Cows {
        id: "b".into(),
        name,
        note: None,
        label: Some("l".into()),
    }
    .upsert(conn)
    .unwrap();
    let id: &str = "c";
    Nested::<str> {
        id: &id,
        name: &Cow::Borrowed("C"),
    }
    .upsert(conn)
    .unwrap();
}

fn main() {
    let conn = &mut SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute(
        "CREATE TABLE products (id TEXT PRIMARY KEY, name TEXT NOT NULL, note TEXT, label TEXT)",
    )
    .unwrap();
    save(conn);
    let names: Vec<String> = products::table.select(products::name).load(conn).unwrap();
    assert_eq!(names, ["A", "B", "C"]);
}

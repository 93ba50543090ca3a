use std::borrow::Cow;
use std::fmt::Debug;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::{Upsertable, upsert};

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        label -> Text,
        stock -> Integer,
        seen -> Integer,
    }
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(touch(seen = seen + 1), newer_by = stock, targets(by_id = id, by_name = name))]
struct Product<'a, 'b: 'a, I, T: Debug = &'static str, const N: usize = 2>
where
    I: Copy,
    T: Clone,
{
    #[conflict_key]
    id: I,
    #[on_conflict(set = excluded(name))]
    name: Cow<'a, str>,
    #[on_conflict(coalesce)]
    #[on_insert(default = format!("{:?}{N}", self.kind.clone()).into())]
    label: Option<Cow<'b, str>>,
    #[on_conflict(max)]
    stock: i32,
    #[diesel(skip_insertion)]
    kind: T,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
struct Wrapped<E> {
    id: i32,
    #[diesel(embed)]
    rest: E,
    #[on_conflict(touch)]
    seen: i32,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(embedded)]
struct Rest<'a, T> {
    name: T,
    #[on_conflict(set = label.concat(excluded(label)))]
    label: &'a str,
    #[on_conflict(add)]
    stock: i32,
}

/// What a function that knows nothing of `E` has to say.
fn save<E>(conn: &mut SqliteConnection, rows: &[Wrapped<E>]) -> upsert_core::Result<usize>
where
    Wrapped<E>: Upsertable + upsert_core::BindFields<diesel::sqlite::Sqlite>,
{
    Wrapped::bulk_upsert(conn, rows)
}

fn main() {
    let conn = &mut SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute(
        "CREATE TABLE products (
            id INTEGER PRIMARY KEY, name TEXT NOT NULL, label TEXT NOT NULL,
            stock INTEGER NOT NULL, seen INTEGER NOT NULL DEFAULT 0
        )",
    )
    .unwrap();
    let product = Product::<i32, &str, 3> {
        id: 1,
        name: "a".into(),
        label: None,
        stock: 1,
        kind: "k",
    };
    product.upsert(conn).unwrap();
    let by_id = Product::<i32>::by_id();
    assert_eq!(
        upsert([&product]).on_conflict(by_id).execute(conn).unwrap(),
        0
    );
    let rest = Rest {
        name: String::from("b"),
        label: "l",
        stock: 2,
    };
    let wrapped = Wrapped {
        id: 1,
        rest,
        seen: 7,
    };
    assert_eq!(save(conn, &[wrapped]).unwrap(), 1);
    let rows: Vec<(i32, String, String, i32, i32)> = products::table.load(conn).unwrap();
    assert_eq!(rows, [(1, "a".into(), "\"k\"3l".into(), 3, 7)]);
}

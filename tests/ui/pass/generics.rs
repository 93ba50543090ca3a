use std::fmt::Debug;

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
#[upsert(update_all)]
struct Product<T> {
    id: i32,
    name: T,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
struct Bounded<I, T: Debug = String>
where
    I: Copy,
{
    id: I,
    #[on_conflict(update)]
    name: T,
}

#[derive(Clone)]
struct Padded<const N: usize>(&'static str);

impl<const N: usize> From<Padded<N>> for String {
    fn from(padded: Padded<N>) -> Self {
        format!("{:>N$}", padded.0)
    }
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(update_all)]
struct Const<const N: usize> {
    id: i32,
    #[diesel(serialize_as = String)]
    name: Padded<N>,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(update_all)]
struct Converted<T>
where
    T: Clone + Into<String>,
{
    id: i32,
    #[diesel(serialize_as = String)]
    name: T,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
struct Wrapped<E> {
    id: i32,
    #[diesel(embed)]
    rest: E,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(update_all, embedded)]
struct Name<T>(#[diesel(column_name = name)] T);

/// What a function that knows nothing of `T` has to say.
fn save<T>(conn: &mut SqliteConnection, products: &[Product<T>]) -> upsert_core::Result<usize>
where
    Product<T>: upsert_core::BindFields<diesel::sqlite::Sqlite>,
{
    Product::bulk_upsert(conn, products)
}

fn main() {
    let conn = &mut connection();
    save(conn, &[Product { id: 1, name: "a" }]).unwrap();
    save(
        conn,
        &[Product {
            id: 1,
            name: String::from("b"),
        }],
    )
    .unwrap();
    Bounded { id: 2, name: "c" }.upsert(conn).unwrap();
    Const {
        id: 3,
        name: Padded::<3>("d"),
    }
    .upsert(conn)
    .unwrap();
    Converted { id: 4, name: "e" }.upsert(conn).unwrap();
    Wrapped {
        id: 5,
        rest: Name("f"),
    }
    .upsert(conn)
    .unwrap();
    let names: Vec<String> = products::table.select(products::name).load(conn).unwrap();
    assert_eq!(names, ["b", "c", "  d", "e", "f"]);
}

fn connection() -> SqliteConnection {
    let mut conn = SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute("CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        .unwrap();
    conn
}

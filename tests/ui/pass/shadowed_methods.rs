use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

/// Methods and fields that generated code could pick up by accident.
trait Everything {
    fn plain(&self) -> u8 {
        0
    }
    fn bind(&self) -> u8 {
        0
    }
    fn visit(&self) -> u8 {
        0
    }
    fn convert(&self) -> u8 {
        0
    }
    fn is_some(&self) -> bool {
        false
    }
    fn into(&self) -> u8 {
        0
    }
    fn clone(&self) -> u8 {
        0
    }
    fn insert(&self) -> u8 {
        0
    }
}

impl<T: ?Sized> Everything for T {}

mod text {
    impl<'a> From<super::Text<'a>> for String {
        fn from(text: super::Text<'a>) -> Self {
            text.0.into()
        }
    }
}

#[derive(Clone)]
struct Text<'a>(&'a str);

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(update_all)]
#[allow(non_snake_case)]
struct Named<'a> {
    #[diesel(column_name = id)]
    position: i32,
    #[diesel(column_name = name, serialize_as = String)]
    visitor: Text<'a>,
    #[diesel(skip_insertion)]
    #[allow(dead_code)]
    converted: (),
}

fn main() {
    let conn = &mut connection();
    Named {
        position: 1,
        visitor: Text("a"),
        converted: (),
    }
    .upsert(conn)
    .unwrap();
    let rows: Vec<(i32, String)> = products::table.load(conn).unwrap();
    assert_eq!(rows, [(1, "a".to_owned())]);
}

fn connection() -> SqliteConnection {
    let mut conn = SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute("CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        .unwrap();
    conn
}

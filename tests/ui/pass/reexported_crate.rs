/// A library that has `upsert-core` and Diesel for its users.
mod library {
    pub mod nested {
        pub use upsert_core as upsert;
    }
    pub use diesel;
}

use library::diesel::connection::SimpleConnection;
use library::diesel::prelude::*;
use library::nested::upsert::Upsertable;

library::diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(crate = library::nested::upsert, update_all)]
struct Product<'a, 'b> {
    id: i32,
    name: std::borrow::Cow<'a, str>,
    #[diesel(skip_insertion)]
    _other: std::borrow::Cow<'b, str>,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(crate = crate::library::nested::upsert)]
struct Whole {
    #[diesel(embed)]
    name: Name,
    id: i32,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(crate = self::library::nested::upsert, embedded, update_all)]
struct Name {
    #[diesel(serialize_as = String)]
    name: &'static str,
}

fn main() {
    let conn = &mut connection();
    let product = Product {
        id: 1,
        name: "a".into(),
        _other: "".into(),
    };
    product.upsert(conn).unwrap();
    Whole {
        id: 2,
        name: Name { name: "b" },
    }
    .upsert(conn)
    .unwrap();
    let names: Vec<String> = products::table.select(products::name).load(conn).unwrap();
    assert_eq!(names, ["a", "b"]);
}

fn connection() -> SqliteConnection {
    let mut conn = SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute("CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        .unwrap();
    conn
}

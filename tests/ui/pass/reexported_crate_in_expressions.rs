/// A library that has `upsert-core` and Diesel for its users.
mod library {
    pub mod nested {
        pub use upsert_core as upsert;
    }
    pub use diesel as orm;
}

/// The paths `diesel` and `upsert_core` mean these modules.
#[allow(dead_code)]
mod diesel {}
#[allow(dead_code)]
mod upsert_core {}

use library::nested::upsert::Upsertable;
use library::orm::connection::SimpleConnection;
use library::orm::prelude::*;

mod schema {
    ::diesel::table! {
        products (id) {
            id -> Integer,
            name -> Text,
            visits -> Integer,
            seen -> Integer,
        }
    }
}
use schema::products;

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(crate = library::nested::upsert)]
#[upsert(set(seen = seen + 1), update_if = name.ne("none").or(visits.eq(0)), newer_by = visits)]
#[upsert(target = id, target_where = seen.ge(0), targets(by_name = name))]
struct Product {
    id: i32,
    #[on_conflict(coalesce)]
    #[on_insert(default = "new")]
    name: Option<&'static str>,
    #[on_conflict(add)]
    visits: i32,
}

#[derive(Upsertable)]
#[diesel(table_name = crate::schema::products)]
#[upsert(crate = crate::library::nested::upsert)]
struct Whole {
    id: i32,
    #[diesel(embed)]
    visits: Visits,
}

#[derive(Upsertable)]
#[diesel(table_name = self::schema::products)]
#[upsert(crate = self::library::nested::upsert, embedded)]
struct Visits {
    #[on_conflict(set = products::visits + library::nested::upsert::excluded(visits))]
    visits: i32,
    #[on_conflict(touch = library::orm::dsl::sql::<library::orm::sql_types::Text>("'touched'"))]
    name: &'static str,
}

fn main() {
    let conn = &mut SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute(
        "CREATE TABLE products (
            id INTEGER, name TEXT NOT NULL, visits INTEGER NOT NULL, seen INTEGER DEFAULT 0
        );
        CREATE UNIQUE INDEX target ON products (id) WHERE seen >= 0;
        CREATE UNIQUE INDEX id ON products (id);",
    )
    .unwrap();
    let product = |visits| Product {
        id: 1,
        name: None,
        visits,
    };
    assert_eq!(product(1).upsert(conn).unwrap(), 1);
    assert_eq!(product(1).upsert(conn).unwrap(), 0);
    assert_eq!(product(2).upsert(conn).unwrap(), 1);
    let visits = Visits {
        visits: 3,
        name: "",
    };
    assert_eq!(Whole { id: 1, visits }.upsert(conn).unwrap(), 1);
    let _: products::name = Product::by_name();
    let rows: Vec<(i32, String, i32, i32)> = products::table.load(conn).unwrap();
    assert_eq!(rows, [(1, "touched".into(), 6, 1)]);
}

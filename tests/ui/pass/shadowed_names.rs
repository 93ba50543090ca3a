use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

/// Names that generated code could pick up by accident.
#[allow(dead_code, non_camel_case_types, unused_macros)]
mod model {
    use super::products;

    struct Vec;
    struct String;
    struct Result;
    struct Box;
    enum Option {
        Some,
        None,
    }
    #[allow(unused_imports)]
    use Option::{None, Some};
    struct Ok;
    struct Err;
    trait Into {}
    trait Clone {}
    trait Sized {}
    trait Fields {}
    trait BindFields {}
    trait Upsertable {}
    trait Dialect {}
    struct usize;
    struct str;
    struct bool;
    struct Self_;
    mod core {}
    mod std {}
    mod alloc {}
    mod upsert_core {}
    macro_rules! assert {
        ($($t:tt)*) => {
            compile_error!("shadowed")
        };
    }
    macro_rules! unreachable {
        ($($t:tt)*) => {
            compile_error!("shadowed")
        };
    }

    #[derive(::upsert_core::Upsertable)]
    #[diesel(table_name = products)]
    #[upsert(update_all)]
    pub(super) struct Product {
        pub(super) id: i32,
        pub(super) name: &'static ::core::primitive::str,
    }

    #[derive(::upsert_core::Upsertable)]
    #[diesel(table_name = products)]
    pub(super) struct Whole {
        #[diesel(embed)]
        pub(super) id: Id,
        #[diesel(serialize_as = ::std::string::String)]
        #[on_conflict(update)]
        pub(super) name: Text,
    }

    #[derive(::upsert_core::Upsertable)]
    #[diesel(table_name = products)]
    #[upsert(embedded)]
    pub(super) struct Id {
        #[conflict_key]
        pub(super) id: i32,
    }

    #[derive(::std::clone::Clone)]
    pub(super) struct Text;

    impl ::std::convert::From<Text> for ::std::string::String {
        fn from(_: Text) -> Self {
            "converted".to_owned()
        }
    }

    use ::std::borrow::ToOwned as _;
}

fn main() {
    let conn = &mut connection();
    model::Product { id: 1, name: "a" }.upsert(conn).unwrap();
    model::Product { id: 1, name: "b" }.upsert(conn).unwrap();
    model::Whole {
        id: model::Id { id: 2 },
        name: model::Text,
    }
    .upsert(conn)
    .unwrap();
    let rows: Vec<(i32, String)> = products::table.load(conn).unwrap();
    assert_eq!(rows, [(1, "b".into()), (2, "converted".into())]);
}

fn connection() -> SqliteConnection {
    let mut conn = SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute("CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        .unwrap();
    conn
}

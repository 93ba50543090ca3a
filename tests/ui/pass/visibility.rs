#![deny(warnings, unreachable_pub, private_interfaces, private_bounds)]

use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::Text;
use diesel::sqlite::Sqlite;
use upsert_core::Upsertable;

mod models {
    use super::*;

    diesel::table! {
        products (id) {
            id -> Integer,
            name -> Text,
        }
    }

    /// A type that only this module can name, in a struct that all can.
    #[derive(Debug, Clone, PartialEq, AsExpression, FromSqlRow)]
    #[diesel(sql_type = Text)]
    struct Name(String);

    impl ToSql<Text, Sqlite> for Name {
        fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
            <String as ToSql<Text, Sqlite>>::to_sql(&self.0, out)
        }
    }

    #[derive(Debug, Upsertable)]
    #[non_exhaustive]
    #[repr(C)]
    pub(crate) struct Product {
        pub(crate) id: i32,
        #[on_conflict(update)]
        name: Name,
    }

    impl Product {
        pub(crate) fn new(id: i32, name: &str) -> Self {
            Self { id, name: Name(name.to_owned()) }
        }
    }

    #[derive(Upsertable)]
    #[diesel(table_name = products)]
    #[upsert(update_all, targets(by_name = name))]
    pub(in crate::models) struct Inner {
        id: i32,
        pub(super) name: Name,
    }

    pub(crate) fn save(conn: &mut SqliteConnection) {
        let inner = Inner { id: 1, name: Name("b".into()) };
        assert_eq!(inner.id, 1);
        // Only this module can name the type of the column.
        let call = upsert_core::upsert([inner]).on_conflict(products::id);
        assert_eq!(call.execute(conn).unwrap(), 1);
        let _ = Inner::by_name();
    }
}

fn main() {
    // A model of a function's own.
    diesel::table! {
        prices (id) {
            id -> Integer,
            amount -> Integer,
        }
    }

    #[derive(Upsertable)]
    struct Price {
        id: i32,
        #[on_conflict(set = amount + excluded(amount))]
        amount: i32,
    }

    let conn = &mut SqliteConnection::establish(":memory:").unwrap();
    diesel::sql_query("CREATE TABLE products (id INTEGER PRIMARY KEY NOT NULL, name TEXT NOT NULL)")
        .execute(conn)
        .unwrap();
    let product = models::Product::new(1, "a");
    assert_eq!(product.id, 1);
    assert_eq!(models::Product::bulk_upsert(conn, [product]).unwrap(), 1);
    models::save(conn);
    diesel::sql_query("CREATE TABLE prices (id INTEGER PRIMARY KEY NOT NULL, amount INTEGER NOT NULL)")
        .execute(conn)
        .unwrap();
    let price = Price { id: 1, amount: 2 };
    assert_eq!(Price::bulk_upsert(conn, [&price, &price]).unwrap(), 2);
    assert_eq!(prices::table.select(prices::amount).first::<i32>(conn).unwrap(), 4);
}

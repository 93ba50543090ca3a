#![deny(warnings)]

use std::borrow::Cow;
use std::marker::PhantomData;

use diesel::mysql::Mysql;
use diesel::pg::Pg;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::Text;
use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        note -> Nullable<Text>,
    }
}

/// For several databases, named by any path.
#[derive(Upsertable)]
#[diesel(table_name = products, check_for_backend(Pg, diesel::sqlite::Sqlite, self::Mysql))]
#[upsert(update_all)]
struct OnEach<'a, 'b> {
    id: i32,
    name: &'a Cow<'b, str>,
    note: Option<&'b str>,
}

/// On PostgreSQL alone.
#[derive(Upsertable)]
#[diesel(table_name = products, check_for_backend(Pg))]
#[upsert(update_all, constraint = "products_pkey")]
struct OnPostgres {
    id: i32,
    name: String,
}

/// A type that only one of the databases has.
#[derive(Debug)]
struct Shout<'a, F>(&'a str, PhantomData<F>);

impl<F: std::fmt::Debug> ToSql<Text, Pg> for Shout<'_, F> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        <str as ToSql<Text, Pg>>::to_sql(self.0, out)
    }
}

/// One of the databases is enough.
#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(update_all)]
struct OnOne<'a> {
    id: i32,
    name: Shout<'a, for<'b> fn(&'b str) -> &'b str>,
}

/// What `None` means does not matter to it.
#[derive(Upsertable)]
#[diesel(table_name = products, treat_none_as_default_value = true)]
#[upsert(update_all)]
struct Options {
    id: i32,
    name: Option<String>,
    #[diesel(treat_none_as_default_value = false)]
    note: Option<String>,
}

/// No database is, before it is used.
#[derive(Upsertable)]
#[diesel(table_name = products)]
#[diesel(check_for_backend(disable = true))]
#[upsert(update_all, target_where = id.gt(0))]
struct OnNone {
    #[conflict_key]
    id: i32,
    name: PhantomData<()>,
}

fn main() {
    let _ = (
        OnEach { id: 1, name: &"a".into(), note: None },
        OnPostgres { id: 1, name: String::new() },
        OnOne { id: 1, name: Shout("a", PhantomData) },
        Options { id: 1, name: None, note: None },
        OnNone { id: 1, name: PhantomData },
    );
}

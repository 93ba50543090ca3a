#![deny(warnings)]

use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel::sql_types::Text;
use upsert_core::overrides::WithExpression;
use upsert_core::{Returning, Upsert, Upsertable, upsert};

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(embedded)]
struct Name {
    #[on_conflict(update)]
    name: String,
}

/// A struct that is embedded by a reference.
#[derive(Upsertable)]
#[diesel(table_name = products)]
struct Referenced<'a> {
    id: i32,
    #[diesel(embed)]
    name: &'a Name,
}

/// .. or by a reference for a parameter.
#[derive(Upsertable)]
#[diesel(table_name = products)]
struct Product<T> {
    #[conflict_key]
    id: i32,
    #[diesel(embed)]
    name: T,
}

type Row<'a> = Product<&'a Name>;
type Bound<'a> = <&'a str as AsExpression<Text>>::Expression;
type Call<'f, 'r, 'b> = Upsert<'f, Row<'r>, Row<'r>, ((), WithExpression<Bound<'b>>)>;

// The options of a call do not mind what it overrides.
fn smaller<'f, 'r, 'b>(call: Call<'f, 'r, 'b>) -> Call<'f, 'r, 'b> {
    call.chunk_size(3)
}

fn returned<'f, 'r, O>(
    call: Upsert<'f, Row<'r>, Row<'r>, O>,
) -> Returning<'f, Row<'r>, Row<'r>, O, products::id> {
    call.chunk_size(3).returning(products::id)
}

/// A trait of the user's with names like those of the derive.
#[allow(dead_code)]
trait Other {
    const IS: u8 = 0;
    const CHECK: u8 = 0;
}

impl<T: ?Sized> Other for T {}

fn main() {
    let conn = &mut SqliteConnection::establish(":memory:").unwrap();
    diesel::sql_query("CREATE TABLE products (id INTEGER PRIMARY KEY NOT NULL, name TEXT NOT NULL)")
        .execute(conn)
        .unwrap();
    let name = Name { name: "a".to_owned() };
    assert_eq!(Referenced { id: 1, name: &name }.upsert(conn).unwrap(), 1);
    let other = String::from("b");
    let mut reports = 0;
    let call = upsert([Product { id: 1, name: &name }]).set(products::name, other.as_str());
    let written = smaller(call).on_progress(|_| reports += 1).execute(conn).unwrap();
    assert_eq!((written, reports), (1, 1));
    let ids: Vec<i32> = returned(upsert([Product { id: 1, name: &name }])).get_results(conn).unwrap();
    assert_eq!(ids, [1]);
}

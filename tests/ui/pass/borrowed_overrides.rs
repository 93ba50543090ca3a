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
#[upsert(update_all)]
struct Product<'a> {
    id: i32,
    name: &'a str,
}

type Bound<'a> = <&'a str as AsExpression<Text>>::Expression;
type Call<'f, 'r, 'b> = Upsert<'f, Product<'r>, Product<'r>, ((), WithExpression<Bound<'b>>)>;

// The options of a call do not mind what it overrides.
fn smaller<'f, 'r, 'b>(call: Call<'f, 'r, 'b>) -> Call<'f, 'r, 'b> {
    call.chunk_size(3)
}

fn returned<'f, 'r, O>(
    call: Upsert<'f, Product<'r>, Product<'r>, O>,
) -> Returning<'f, Product<'r>, Product<'r>, O, products::id> {
    call.chunk_size(3).returning(products::id)
}

fn main() {
    let conn = &mut SqliteConnection::establish(":memory:").unwrap();
    diesel::sql_query("CREATE TABLE products (id INTEGER PRIMARY KEY NOT NULL, name TEXT NOT NULL)")
        .execute(conn)
        .unwrap();
    Product { id: 1, name: "a" }.upsert(conn).unwrap();
    let other = String::from("b");
    let mut reports = 0;
    let call = upsert([Product { id: 1, name: "c" }]).set(products::name, other.as_str());
    let written = smaller(call).on_progress(|_| reports += 1).execute(conn).unwrap();
    assert_eq!((written, reports), (1, 1));
    let name: String = products::table.select(products::name).first(conn).unwrap();
    assert_eq!(name, "b");
    let ids: Vec<i32> = returned(upsert([Product { id: 1, name: "d" }])).get_results(conn).unwrap();
    assert_eq!(ids, [1]);
}

#![deny(warnings)]

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::{
    Action, Change, Loads, Outcome, OutcomeConnection, Result, Upsertable, upsert,
};

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        stock -> Nullable<Integer>,
    }
}

#[derive(Upsertable, Queryable, Selectable, Debug, PartialEq)]
#[upsert(update_all)]
struct Product {
    id: i32,
    name: String,
    stock: Option<i32>,
}

#[derive(Queryable, Debug, PartialEq)]
struct Named {
    name: String,
    stock: Option<i32>,
}

/// The bounds that the messages tell of.
fn save<C>(conn: &mut C, rows: &[Product]) -> Result<(Outcome, Vec<i32>, Vec<Change<i32>>)>
where
    C: OutcomeConnection<Product> + Loads<products::id, i32>,
{
    Ok((
        upsert(rows).outcome(conn)?,
        upsert(rows).returning(products::id).get_results(conn)?,
        upsert(rows).returning_old(products::id).get_results(conn)?,
    ))
}

fn main() {
    let conn = &mut SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute(
        "CREATE TABLE products (id INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, stock INTEGER)",
    )
    .unwrap();
    let row = |id, name: &str| Product {
        id,
        name: name.to_owned(),
        stock: Some(id),
    };
    let rows = [row(2, "b"), row(1, "a")];

    let (outcome, ids, changes) = save(conn, &rows).unwrap();
    assert_eq!(outcome.actions(), [Action::Inserted; 2]);
    assert_eq!(ids, [2, 1]);
    assert_eq!(changes[0].old, Some(2));

    // A column, a tuple, a struct, and what a struct selects.
    let stocks: Vec<Option<i32>> = upsert(&rows)
        .returning(products::stock)
        .get_results(conn)
        .unwrap();
    assert_eq!(stocks, [Some(2), Some(1)]);
    let named: Vec<Named> = upsert(&rows)
        .returning((products::name, products::stock))
        .get_results(conn)
        .unwrap();
    assert_eq!(named[1].name, "a");
    let whole: Vec<(Action, Product)> = upsert(&rows)
        .returning(Product::as_returning())
        .outcome(conn)
        .unwrap();
    assert_eq!(whole[1], (Action::Updated, row(1, "a")));
    let all: (i32, String, Option<i32>) = upsert([row(3, "c")])
        .returning(products::all_columns)
        .get_result(conn)
        .unwrap();
    assert_eq!(all.0, 3);

    // An expression over the row.
    let next = upsert(&rows).returning(products::id + 1);
    assert_eq!(next.get_results::<i32, _>(conn).unwrap(), [3, 2]);
    let changes: Vec<Change<Product>> = upsert([row(3, "d")])
        .returning_old(Product::as_returning())
        .get_results(conn)
        .unwrap();
    assert_eq!(changes[0].old, Some(row(3, "c")));
}

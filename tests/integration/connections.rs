//! Calls on a connection of which less is known than its type, or more: in a
//! function that is generic, and from a pool.

use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool};
use upsert_core::{UpsertConnection, Upsertable, upsert};

use crate::calls::{CREATE, FRUIT, Product, Row, fruit, product, products};
use crate::large::{self, Reading, readings};
use crate::support::on_every_database;

/// What a library for one database writes.
fn save_to_sqlite<C>(conn: &mut C, products: &[Product<'_>]) -> upsert_core::Result<usize>
where
    C: Connection<Backend = diesel::sqlite::Sqlite> + 'static,
{
    Product::bulk_upsert(conn, products)
}

#[cfg(feature = "postgres")]
fn save_to_postgres<C>(conn: &mut C, products: &[Product<'_>]) -> upsert_core::Result<usize>
where
    C: Connection<Backend = diesel::pg::Pg> + 'static,
{
    Product::bulk_upsert(conn, products)
}

#[cfg(feature = "mysql")]
fn save_to_mysql<C>(conn: &mut C, products: &[Product<'_>]) -> upsert_core::Result<usize>
where
    C: Connection<Backend = diesel::mysql::Mysql> + 'static,
{
    Product::bulk_upsert(conn, products)
}

/// What a library for any model on any database writes.
fn save<C, R>(conn: &mut C, rows: &[R]) -> upsert_core::Result<usize>
where
    C: UpsertConnection<R> + 'static,
    R: Upsertable,
{
    let (first, rest) = rows.split_first().unwrap();
    let written = R::bulk_upsert(conn, rest)? + first.upsert(conn)?;
    // The builder knows the rows by reference.
    assert_eq!(upsert(rows).chunk_size(2).execute(conn)?, rows.len());
    Ok(written)
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(update_all)]
struct Generic<T> {
    sku: &'static str,
    name: T,
    stock: i32,
}

/// What a function has to say that knows neither the type of a field nor the
/// database.
fn save_generic<T, C>(conn: &mut C, rows: &[Generic<T>]) -> upsert_core::Result<usize>
where
    C: UpsertConnection<Generic<T>> + 'static,
{
    Generic::bulk_upsert(conn, rows)
}

#[test]
fn a_function_for_one_database() {
    use crate::support::sqlite::TestDatabase;

    let mut database = TestDatabase::new();
    database.run(CREATE);
    assert_eq!(save_to_sqlite(&mut database.conn, &FRUIT).unwrap(), 3);
    let rows = products::table.load::<Row>(&mut database.conn).unwrap();
    assert_eq!(sorted(rows), fruit());
}

#[cfg(feature = "postgres")]
#[test]
fn a_function_for_one_database_postgres() {
    use crate::support::postgres::TestDatabase;

    let mut database = TestDatabase::new();
    database.run(CREATE);
    assert_eq!(save_to_postgres(&mut database.conn, &FRUIT).unwrap(), 3);
    let rows = products::table.load::<Row>(&mut database.conn).unwrap();
    assert_eq!(sorted(rows), fruit());
}

#[cfg(feature = "mysql")]
#[test]
fn a_function_for_one_database_mysql() {
    use crate::support::mysql::TestDatabase;

    let mut database = TestDatabase::new();
    database.run(CREATE);
    assert_eq!(save_to_mysql(&mut database.conn, &FRUIT).unwrap(), 3);
    let rows = products::table.load::<Row>(&mut database.conn).unwrap();
    assert_eq!(sorted(rows), fruit());
}

fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort();
    rows
}

on_every_database! {
    shared {
        fn rows(conn: &mut Conn) -> Vec<Row> {
            products::table.order(products::sku).load(conn).unwrap()
        }
    }

    #[test]
    fn a_function_for_any_model_on_any_database(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        assert_eq!(save(conn, &FRUIT).unwrap(), 3);
        assert_eq!(rows(conn), fruit());
        let references: Vec<_> = FRUIT.iter().collect();
        assert_eq!(save(conn, &references).unwrap(), 3);
        assert_eq!(rows(conn), fruit());
    }

    #[test]
    fn a_function_for_a_generic_model_on_any_database(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let text = [Generic { sku: "apple", name: "", stock: 1 }];
        assert_eq!(save_generic(conn, &text).unwrap(), 1);
        let string = [Generic { sku: "apple", name: String::from("Apple"), stock: 1 }];
        assert_eq!(save_generic(conn, &string).unwrap(), 1);
        assert_eq!(rows(conn), fruit()[..1]);
    }

    #[test]
    fn a_pooled_connection(database) {
        database.run(CREATE);
        let manager = ConnectionManager::<Conn>::new(database.url());
        let pool = Pool::builder().max_size(2).min_idle(Some(0)).build(manager).unwrap();
        {
            let mut conn = pool.get().unwrap();
            assert_eq!(Product::bulk_upsert(&mut conn, &FRUIT).unwrap(), 3);
            assert_eq!(upsert(&FRUIT).chunk_size(1).execute(&mut conn).unwrap(), 3);
            assert_eq!(product("apple", "Green apple", 7).upsert(&mut conn).unwrap(), 1);
            assert_eq!(save(&mut conn, &FRUIT).unwrap(), 3);
        }
        assert_eq!(rows(&mut database.conn), fruit());

        // A call that fails leaves a connection that the pool can hand out.
        database.run("DROP TABLE products");
        let mut conn = pool.get().unwrap();
        let _ = upsert(&FRUIT).chunk_size(1).execute(&mut conn).unwrap_err();
        drop(conn);
        database.run(CREATE);
        assert_eq!(Product::bulk_upsert(&mut pool.get().unwrap(), &FRUIT).unwrap(), 3);
        assert_eq!(rows(&mut database.conn), fruit());
    }

    #[test]
    fn a_hundred_thousand_rows_on_a_pooled_connection(database) {
        database.run(large::CREATE);
        let manager = ConnectionManager::<Conn>::new(database.url());
        let pool = Pool::builder().max_size(1).build(manager).unwrap();

        let readings = large::shuffled((0..large::ROWS).map(large::first));
        let written = Reading::bulk_upsert(&mut pool.get().unwrap(), readings).unwrap();
        assert_eq!(i32::try_from(written), Ok(large::ROWS));
        let expected: Vec<_> = (0..large::ROWS).map(large::first_row).collect();
        let stored = readings::table.order((readings::day, readings::sensor));
        let rows: Vec<large::Row> = stored.load(&mut pool.get().unwrap()).unwrap();
        large::assert_rows(&rows, &expected);
        let rows: Vec<large::Row> = stored.load(&mut database.conn).unwrap();
        large::assert_rows(&rows, &expected);
    }
}

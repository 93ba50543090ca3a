//! Calls that are not one bulk of rows: one row after the other, several connections at once.
//!
//! `cargo bench --bench cases --features postgres,mysql` prints a table. SQLite is a file in
//! WAL mode; the servers are those of `PG_DATABASE_URL` and `MYSQL_DATABASE_URL`, where a
//! database is left out whose address is not set. The candidates take turns, and what is
//! compared are the medians of one run.
//!
//! `-- --rows N` and `-- --rounds N` change the sizes.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::{UpsertConnection, Upsertable, upsert};

mod support;

#[cfg(feature = "mysql")]
use support::upsert_bench;
use support::{Reading, argument, create, existing, in_turn, readings, sqlite_file, stock, tidy};

/// How many calls of one row are a round.
const SINGLE_ROWS: usize = 2000;

/// Something that is compared: the first candidate with each of the others.
struct Case<'c, C> {
    name: &'static str,
    candidates: Vec<(&'static str, Run<'c, C>)>,
    /// The rows that are written.
    rows: Vec<Reading>,
    /// The rows that are there before.
    existing: Vec<Reading>,
}

type Run<'c, C> = Box<dyn Fn(&mut C, &[Reading]) + 'c>;

fn measure<C>(database: &str, conn: &mut C, case: &Case<'_, C>)
where
    C: UpsertConnection<Reading> + 'static,
{
    let rounds = argument("--rounds", 7);
    let medians = in_turn(case.candidates.len(), 1, rounds, |candidate| {
        create(conn);
        upsert(&case.existing).execute(conn).unwrap();
        tidy(database, conn);
        let start = Instant::now();
        (case.candidates[candidate].1)(conn, &case.rows);
        start.elapsed()
    });
    for ((name, _), median) in case.candidates.iter().zip(&medians) {
        report(database, case.name, name, *median, medians[0]);
    }
}

fn report(database: &str, case: &str, name: &str, median: Duration, first: Duration) {
    println!(
        "| {database} | {case} | {name} | {:.1} ms | {:.2} |",
        median.as_secs_f64() * 1000.0,
        median.as_secs_f64() / first.as_secs_f64(),
    );
}

/// Half of the rows exist, and each is a call.
macro_rules! one_row {
    ($conn:ty, $stock:expr) => {
        Case::<$conn> {
            name: "2000 calls of one row",
            candidates: vec![
                (
                    "stock Diesel",
                    Box::new(|conn, rows| {
                        for row in rows {
                            $stock(row, conn).unwrap();
                        }
                    }),
                ),
                (
                    "`row.upsert`",
                    Box::new(|conn, rows| {
                        for row in rows {
                            assert_eq!(row.upsert(conn).unwrap(), 1);
                        }
                    }),
                ),
            ],
            rows: readings(SINGLE_ROWS, false),
            existing: existing(&readings(SINGLE_ROWS, false)),
        }
    };
}

/// Half of the rows exist.
#[cfg(any(feature = "postgres", feature = "mysql"))]
fn parallel<C>(url: &str) -> Case<'static, C>
where
    C: UpsertConnection<Reading> + 'static,
{
    let rows = argument("--rows", 100_000);
    let connections: Vec<C> = (0..2).map(|_| C::establish(url).unwrap()).collect();
    let connections = std::cell::RefCell::new(connections);
    Case {
        name: "two connections",
        candidates: vec![
            (
                "`execute`",
                Box::new(|conn, rows| {
                    upsert(rows).execute(conn).unwrap();
                }),
            ),
            (
                "`execute_parallel`",
                Box::new(move |_, rows| {
                    let parts = upsert(rows).execute_parallel(&mut connections.borrow_mut());
                    assert!(parts.unwrap().iter().all(|part| part.result.is_ok()));
                }),
            ),
        ],
        rows: readings(rows, false),
        existing: existing(&readings(rows, false)),
    }
}

/// The row as `Insertable` is derived without `treat_none_as_default_value = false`: `None`
/// is left out, so that no two statements need be the same and none is kept prepared.
#[derive(Insertable)]
#[diesel(table_name = upsert_bench)]
struct ByDefault<'r> {
    id: i32,
    sensor: &'r str,
    value: f64,
    quality: i32,
    note: Option<&'r str>,
    updated_at: i64,
}

impl<'r> From<&'r Reading> for ByDefault<'r> {
    fn from(row: &'r Reading) -> Self {
        Self {
            id: row.id,
            sensor: &row.sensor,
            value: row.value,
            quality: row.quality,
            note: row.note.as_deref(),
            updated_at: row.updated_at,
        }
    }
}

/// One row on SQLite, also by the derive's default.
fn one_row_sqlite() -> Case<'static, SqliteConnection> {
    let mut case = one_row!(SqliteConnection, |row, conn| stock!(row).execute(conn));
    case.candidates.push((
        "stock Diesel, `Insertable` by default",
        Box::new(|conn, rows| {
            for row in rows {
                stock!(ByDefault::from(row)).execute(conn).unwrap();
            }
        }),
    ));
    case
}

fn sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let (_, mut conn) = sqlite_file(&directory);
    let conn = &mut conn;
    measure("SQLite", conn, &one_row_sqlite());
    let mut in_transaction = one_row_sqlite();
    in_transaction.name = "2000 calls of one row, in a transaction";
    for (_, run) in &mut in_transaction.candidates {
        let inner = std::mem::replace(run, Box::new(|_, _| {}));
        *run = Box::new(move |conn, rows| {
            let all = conn.immediate_transaction(|conn| {
                inner(conn, rows);
                QueryResult::Ok(())
            });
            all.unwrap();
        });
    }
    measure("SQLite", conn, &in_transaction);
}

#[cfg(feature = "postgres")]
fn postgres(url: &str) {
    let conn = &mut support::connect_postgres(url);
    measure(
        "PostgreSQL",
        conn,
        &one_row!(PgConnection, |row, conn| stock!(row).execute(conn)),
    );
    measure("PostgreSQL", conn, &parallel(url));
    conn.batch_execute("DROP TABLE upsert_bench").unwrap();
}

#[cfg(feature = "mysql")]
fn mysql(url: &str) {
    let conn = &mut MysqlConnection::establish(url).unwrap();
    // Unlike `stock_mysql!`, it is kept prepared; it has the values twice.
    let stock = |row: &Reading, conn: &mut MysqlConnection| {
        diesel::insert_into(upsert_bench::table)
            .values(row)
            .on_conflict(diesel::dsl::DuplicatedKeys)
            .do_update()
            .set((
                upsert_bench::sensor.eq(&row.sensor),
                upsert_bench::value.eq(row.value),
                upsert_bench::quality.eq(row.quality),
                upsert_bench::note.eq(&row.note),
                upsert_bench::updated_at.eq(row.updated_at),
            ))
            .execute(conn)
    };
    let one_row = one_row!(MysqlConnection, stock);
    measure("MariaDB", conn, &one_row);
    measure("MariaDB", conn, &parallel(url));
    conn.batch_execute("DROP TABLE upsert_bench").unwrap();
}

fn main() {
    println!("| database | case | candidate | median | against the first |");
    println!("|---|---|---|--:|--:|");
    sqlite();
    #[cfg(feature = "postgres")]
    if let Some(url) = support::server("PG_DATABASE_URL") {
        postgres(&url);
    }
    #[cfg(feature = "mysql")]
    if let Some(url) = support::server("MYSQL_DATABASE_URL") {
        mysql(&url);
    }
}

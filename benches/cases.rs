//! Calls of other kinds than a bulk of new rows: one row, rows that mostly have not changed,
//! several connections at once.
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
use upsert_core::{BindFields, Dialect, Upsertable, upsert};

mod support;

use support::{CREATE, Reading, argument, median, readings, stock, upsert_bench};

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
    C: Connection<Backend: Dialect> + 'static,
    Reading: BindFields<C::Backend>,
{
    let mut times: Vec<_> = case.candidates.iter().map(|_| Vec::new()).collect();
    for round in 0..=argument("--rounds", 7) {
        for ((_, run), times) in case.candidates.iter().zip(&mut times) {
            let create = format!("DROP TABLE IF EXISTS upsert_bench; {CREATE}");
            conn.batch_execute(&create).unwrap();
            upsert(&case.existing).execute(conn).unwrap();
            tidy(database, conn);
            let start = Instant::now();
            run(conn, &case.rows);
            // The first round warms up.
            if round > 0 {
                times.push(start.elapsed());
            }
        }
    }
    let first = median(&mut times[0]);
    for ((name, _), times) in case.candidates.iter().zip(&mut times) {
        report(database, case.name, name, median(times), first);
    }
}

fn tidy<C: Connection>(database: &str, conn: &mut C) {
    let sql: &[&str] = match database {
        "SQLite" => &["PRAGMA wal_checkpoint(TRUNCATE)"],
        "PostgreSQL" => &["VACUUM ANALYZE upsert_bench", "CHECKPOINT"],
        _ => &[],
    };
    for sql in sql {
        conn.batch_execute(sql).unwrap();
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
            existing: readings(SINGLE_ROWS, false)
                .into_iter()
                .step_by(2)
                .collect(),
        }
    };
}

/// All rows exist, and a tenth of them has changed.
fn unchanged<C>() -> Case<'static, C>
where
    C: Connection<Backend: Dialect> + 'static,
    Reading: BindFields<C::Backend>,
{
    let rows = argument("--rows", 100_000);
    let mut changed = readings(rows, false);
    for row in changed.iter_mut().step_by(10) {
        row.value += 1.0;
    }
    Case {
        name: "90 % unchanged",
        candidates: vec![
            (
                "`bulk_upsert`",
                Box::new(|conn, rows| {
                    Reading::bulk_upsert(conn, rows).unwrap();
                }),
            ),
            (
                "with `skip_unchanged`",
                Box::new(|conn, rows| {
                    let call = upsert(rows).skip_unchanged(true);
                    assert_eq!(call.execute(conn).unwrap(), rows.len().div_ceil(10));
                }),
            ),
        ],
        rows: changed,
        existing: readings(rows, false),
    }
}

/// Half of the rows exist.
#[cfg(any(feature = "postgres", feature = "mysql"))]
fn parallel<C>(url: &str) -> Case<'static, C>
where
    C: Connection<Backend: Dialect> + 'static,
    Reading: BindFields<C::Backend>,
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
        existing: readings(rows, false).into_iter().step_by(2).collect(),
    }
}

fn sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.sqlite3");
    let conn = &mut SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let wal = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL";
    conn.batch_execute(wal).unwrap();
    measure(
        "SQLite",
        conn,
        &one_row!(SqliteConnection, |row, conn| stock!(row).execute(conn)),
    );
    let mut in_transaction = one_row!(SqliteConnection, |row, conn| stock!(row).execute(conn));
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
    measure("SQLite", conn, &unchanged());
}

#[cfg(feature = "postgres")]
fn postgres(url: &str) {
    let conn = &mut PgConnection::establish(url).unwrap();
    conn.batch_execute("SET client_min_messages = warning")
        .unwrap();
    measure(
        "PostgreSQL",
        conn,
        &one_row!(PgConnection, |row, conn| stock!(row).execute(conn)),
    );
    measure("PostgreSQL", conn, &unchanged());
    measure("PostgreSQL", conn, &parallel(url));
    conn.batch_execute("DROP TABLE upsert_bench").unwrap();
}

#[cfg(feature = "mysql")]
fn mysql(url: &str) {
    use diesel::dsl::DuplicatedKeys;

    let conn = &mut MysqlConnection::establish(url).unwrap();
    // Diesel has no `excluded` there.
    let stock = |row: &Reading, conn: &mut MysqlConnection| {
        diesel::insert_into(upsert_bench::table)
            .values(row)
            .on_conflict(DuplicatedKeys)
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
    measure("MariaDB", conn, &unchanged());
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

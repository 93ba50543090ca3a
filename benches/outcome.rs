//! What `outcome` and `returning` cost against the plain call: an upsert of
//! 100 000 rows with 6 columns, half of which exist, on each database.
//!
//! `cargo bench --bench outcome --features postgres,mysql` prints a table. SQLite is a file
//! in WAL mode; the servers are those of `PG_DATABASE_URL` and `MYSQL_DATABASE_URL`, where a
//! database is left out whose address is not set. The candidates take turns, and what is
//! compared are the medians of one run.
//!
//! `-- --rows N` and `-- --rounds N` change the size.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::{Action, Change, Loads, OutcomeConnection, upsert};

mod support;

use support::{Reading, argument, create, existing, in_turn, readings, sqlite_file, upsert_bench};

const NAMES: [&str; 5] = [
    "`execute`",
    "`outcome`",
    "`returning(id).get_results`",
    "`returning(id).outcome`",
    "`returning_old(id).get_results`",
];

fn run<C>(conn: &mut C, candidate: usize, rows: &[Reading]) -> Duration
where
    C: OutcomeConnection<Reading> + Loads<upsert_bench::id, i32> + 'static,
{
    let call = upsert(rows);
    let start = Instant::now();
    match candidate {
        0 => assert_eq!(call.execute(conn).unwrap(), rows.len()),
        1 => assert_eq!(call.outcome(conn).unwrap().updated(), rows.len() / 2),
        2 => {
            let ids: Vec<i32> = call.returning(upsert_bench::id).get_results(conn).unwrap();
            assert!(ids.iter().zip(rows).all(|(id, row)| *id == row.id));
        }
        3 => {
            let ids: Vec<(Action, i32)> = call.returning(upsert_bench::id).outcome(conn).unwrap();
            assert!(ids.iter().zip(rows).all(|((_, id), row)| *id == row.id));
        }
        _ => {
            let changes: Vec<Change<i32>> = call
                .returning_old(upsert_bench::id)
                .get_results(conn)
                .unwrap();
            let old = changes.iter().filter(|change| change.old.is_some());
            assert_eq!(old.count(), rows.len() / 2);
        }
    }
    start.elapsed()
}

/// Runs all candidates in turn.
fn measure<C>(name: &str, conn: &mut C, rows: &[Reading])
where
    C: OutcomeConnection<Reading> + Loads<upsert_bench::id, i32> + 'static,
{
    let medians = in_turn(NAMES.len(), 1, argument("--rounds", 9), |candidate| {
        create(conn);
        upsert(existing(rows)).execute(conn).unwrap();
        run(conn, candidate, rows)
    });
    for (candidate, median) in NAMES.iter().zip(&medians) {
        println!(
            "| {name} | {candidate} | {} ms | {:.2} |",
            median.as_millis(),
            median.as_secs_f64() / medians[0].as_secs_f64(),
        );
    }
}

fn main() {
    let rows = readings(argument("--rows", 100_000), false);
    println!(
        "| {} rows, half of them existing | call | median | against `execute` |\n|---|---|--:|--:|",
        rows.len()
    );
    let directory = tempfile::tempdir().unwrap();
    let (_, mut conn) = sqlite_file(&directory);
    measure("SQLite", &mut conn, &rows);
    #[cfg(feature = "postgres")]
    if let Some(url) = support::server("PG_DATABASE_URL") {
        let mut conn = support::connect_postgres(&url);
        measure("PostgreSQL", &mut conn, &rows);
        conn.batch_execute("DROP TABLE upsert_bench").unwrap();
    }
    #[cfg(feature = "mysql")]
    if let Some(url) = support::server("MYSQL_DATABASE_URL") {
        let mut conn = MysqlConnection::establish(&url).unwrap();
        measure("MariaDB", &mut conn, &rows);
        conn.batch_execute("DROP TABLE upsert_bench").unwrap();
    }
}

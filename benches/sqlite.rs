//! SQLite file in WAL mode: an upsert of 100 000 rows with 6 columns, half of
//! which exist.
//!
//! `cargo bench --bench sqlite` prints the table that the README shows. The
//! candidates take turns, so that a machine that slows down slows them all, and
//! what is compared are the medians of one run. The floor is a loop over one
//! prepared statement in one transaction, by rusqlite.
//!
//! `-- --rows N` and `-- --rounds N` change the size; with `-- --sorted` the input
//! is in the order of its key, so that sorting it wins nothing.

use std::path::Path;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::Upsertable;

mod support;

use support::{CREATE, Reading, argument, loop_rusqlite, median, milliseconds, readings, stock};

fn prepare(path: &Path, existing: &[Reading]) {
    let mut conn = rusqlite::Connection::open(path).unwrap();
    let wal = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL";
    conn.execute_batch(&format!("{wal}; {CREATE}")).unwrap();
    loop_rusqlite(&mut conn, existing.iter().step_by(2));
    conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
}

struct Candidate {
    name: &'static str,
    run: fn(&Path, &[Reading]) -> Duration,
}

fn connect(path: &Path) -> SqliteConnection {
    let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    conn.batch_execute("PRAGMA synchronous = NORMAL").unwrap();
    conn
}

fn timed(run: impl FnOnce()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}

const CANDIDATES: [Candidate; 4] = [
    Candidate {
        name: "rusqlite, prepared loop (floor)",
        run: |path, rows| {
            let mut conn = rusqlite::Connection::open(path).unwrap();
            conn.execute_batch("PRAGMA synchronous = NORMAL").unwrap();
            timed(|| loop_rusqlite(&mut conn, rows.iter()))
        },
    },
    Candidate {
        name: "`bulk_upsert`",
        run: |path, rows| {
            let mut conn = connect(path);
            timed(|| {
                Reading::bulk_upsert(&mut conn, rows).unwrap();
            })
        },
    },
    Candidate {
        name: "stock Diesel, batches of 5000",
        run: |path, rows| {
            let mut conn = connect(path);
            timed(|| {
                conn.immediate_transaction(|conn| {
                    for chunk in rows.chunks(5000) {
                        stock!(chunk).execute(conn)?;
                    }
                    QueryResult::Ok(())
                })
                .unwrap();
            })
        },
    },
    Candidate {
        name: "stock Diesel, row by row",
        run: |path, rows| {
            let mut conn = connect(path);
            timed(|| {
                conn.immediate_transaction(|conn| {
                    for row in rows {
                        stock!(row).execute(conn)?;
                    }
                    QueryResult::Ok(())
                })
                .unwrap();
            })
        },
    },
];

fn main() {
    let sorted = std::env::args().any(|argument| argument == "--sorted");
    let rows = readings(argument("--rows", 100_000), sorted);
    let rounds = argument("--rounds", 9);
    let directory = tempfile::tempdir().unwrap();
    let template = directory.path().join("template.sqlite3");
    prepare(&template, &rows);

    let mut times = CANDIDATES.map(|_| Vec::new());
    for round in 0..=rounds {
        for (candidate, times) in CANDIDATES.iter().zip(&mut times) {
            let path = directory.path().join("run.sqlite3");
            for suffix in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
            }
            std::fs::copy(&template, &path).unwrap();
            let time = (candidate.run)(&path, &rows);
            // The first round warms up.
            if round > 0 {
                times.push(time);
            }
        }
    }

    println!(
        "| {} rows, half of them existing | median | against the floor |",
        rows.len()
    );
    println!("|---|--:|--:|");
    let floor = median(&mut times[0]);
    for (candidate, times) in CANDIDATES.iter().zip(&mut times) {
        let median = median(times);
        println!(
            "| {} | {:.0} ms | {:.2} |",
            candidate.name,
            milliseconds(median),
            median.as_secs_f64() / floor.as_secs_f64(),
        );
    }
}

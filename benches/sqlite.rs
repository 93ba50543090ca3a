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
use diesel::upsert::excluded;
use upsert_core::Upsertable;

diesel::table! {
    readings (id) {
        id -> Integer,
        sensor -> Text,
        value -> Double,
        quality -> Integer,
        note -> Nullable<Text>,
        updated_at -> BigInt,
    }
}

#[derive(Upsertable, Insertable)]
#[diesel(table_name = readings, treat_none_as_default_value = false)]
#[upsert(update_all)]
struct Reading {
    id: i32,
    sensor: String,
    value: f64,
    quality: i32,
    note: Option<String>,
    updated_at: i64,
}

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    CREATE TABLE readings (
        id INTEGER PRIMARY KEY NOT NULL,
        sensor TEXT NOT NULL,
        value REAL NOT NULL,
        quality INTEGER NOT NULL,
        note TEXT,
        updated_at INTEGER NOT NULL
    );
";

/// The rows of the call; those with an even position exist before it.
fn readings(rows: usize, sorted: bool) -> Vec<Reading> {
    (0..rows)
        .map(|i| {
            // A fixed permutation: input comes in no order.
            let id = if sorted { i } else { (i * 7919 + 13) % rows };
            Reading {
                id: i32::try_from(id).unwrap(),
                sensor: format!("sensor-{:05}", id % 1000),
                value: id as f64 * 0.5,
                quality: (id % 7) as i32,
                note: (id % 3 == 0).then(|| format!("note on {id}")),
                updated_at: 1_700_000_000 + id as i64,
            }
        })
        .collect()
}

fn prepare(path: &Path, existing: &[Reading]) {
    let mut conn = rusqlite::Connection::open(path).unwrap();
    conn.execute_batch(SCHEMA).unwrap();
    loop_rusqlite(&mut conn, existing.iter().step_by(2));
    conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
}

fn loop_rusqlite<'r>(conn: &mut rusqlite::Connection, rows: impl Iterator<Item = &'r Reading>) {
    let transaction = conn.transaction().unwrap();
    {
        let mut statement = transaction
            .prepare_cached(
                "INSERT INTO readings (id, sensor, value, quality, note, updated_at) \
                 VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET \
                 sensor = excluded.sensor, value = excluded.value, quality = excluded.quality, \
                 note = excluded.note, updated_at = excluded.updated_at",
            )
            .unwrap();
        for row in rows {
            statement
                .execute(rusqlite::params![
                    row.id,
                    row.sensor,
                    row.value,
                    row.quality,
                    row.note,
                    row.updated_at
                ])
                .unwrap();
        }
    }
    transaction.commit().unwrap();
}

macro_rules! stock {
    ($conn:expr, $values:expr) => {
        diesel::insert_into(readings::table)
            .values($values)
            .on_conflict(readings::id)
            .do_update()
            .set((
                readings::sensor.eq(excluded(readings::sensor)),
                readings::value.eq(excluded(readings::value)),
                readings::quality.eq(excluded(readings::quality)),
                readings::note.eq(excluded(readings::note)),
                readings::updated_at.eq(excluded(readings::updated_at)),
            ))
            .execute($conn)
            .unwrap()
    };
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
                        stock!(conn, chunk);
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
                        stock!(conn, row);
                    }
                    QueryResult::Ok(())
                })
                .unwrap();
            })
        },
    },
];

fn argument(name: &str, default: usize) -> usize {
    let arguments: Vec<_> = std::env::args().collect();
    arguments
        .windows(2)
        .find(|pair| pair[0] == name)
        .map_or(default, |pair| pair[1].parse().unwrap())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

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
            median.as_secs_f64() * 1000.0,
            median.as_secs_f64() / floor.as_secs_f64(),
        );
    }
}

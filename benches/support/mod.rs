//! What the benchmarks measure with.

// No benchmark uses all of it.
#![allow(dead_code, unused_imports, unused_macros)]

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

mod table;

pub use table::*;

/// The rows of a call.
pub fn readings(rows: usize, sorted: bool) -> Vec<Reading> {
    (0..rows)
        // A fixed permutation: input comes in no order.
        .map(|i| if sorted { i } else { (i * 7919 + 13) % rows })
        .map(|id| reading(id as i32))
        .collect()
}

/// Every other of the rows, as they are before a call that changes them.
pub fn existing(rows: &[Reading]) -> Vec<Reading> {
    let before = |row: &Reading| Reading {
        value: row.value - 0.25,
        ..row.clone()
    };
    rows.iter().step_by(2).map(before).collect()
}

/// Diesel's own upsert of one row or of a batch, as it is written by hand.
macro_rules! stock {
    ($values:expr) => {{
        use diesel::ExpressionMethods as _;
        use diesel::upsert::excluded;
        use $crate::support::upsert_bench;
        diesel::insert_into(upsert_bench::table)
            .values($values)
            .on_conflict(upsert_bench::id)
            .do_update()
            .set((
                upsert_bench::sensor.eq(excluded(upsert_bench::sensor)),
                upsert_bench::value.eq(excluded(upsert_bench::value)),
                upsert_bench::quality.eq(excluded(upsert_bench::quality)),
                upsert_bench::note.eq(excluded(upsert_bench::note)),
                upsert_bench::updated_at.eq(excluded(upsert_bench::updated_at)),
            ))
    }};
}
pub(crate) use stock;

/// The same on MySQL, where Diesel has no `excluded`.
macro_rules! stock_mysql {
    ($values:expr) => {{
        use diesel::ExpressionMethods as _;
        use diesel::dsl::{DuplicatedKeys, sql};
        use diesel::sql_types::{BigInt, Double, Integer, Nullable, Text};
        use $crate::support::upsert_bench;
        diesel::insert_into(upsert_bench::table)
            .values($values)
            .on_conflict(DuplicatedKeys)
            .do_update()
            .set((
                upsert_bench::sensor.eq(sql::<Text>("VALUES(sensor)")),
                upsert_bench::value.eq(sql::<Double>("VALUES(value)")),
                upsert_bench::quality.eq(sql::<Integer>("VALUES(quality)")),
                upsert_bench::note.eq(sql::<Nullable<Text>>("VALUES(note)")),
                upsert_bench::updated_at.eq(sql::<BigInt>("VALUES(updated_at)")),
            ))
    }};
}
pub(crate) use stock_mysql;

/// Writes the rows by a prepared statement of one row, several in one transaction.
pub fn loop_rusqlite<R>(conn: &mut rusqlite::Connection, rows: R)
where
    R: IntoIterator<Item: std::borrow::Borrow<Reading>>,
{
    use std::borrow::Borrow;

    let mut rows = rows.into_iter();
    let is_one = rows.size_hint() == (1, Some(1));
    let mut write = |conn: &rusqlite::Connection| {
        let mut statement = conn.prepare_cached(
            "INSERT INTO upsert_bench (id, sensor, value, quality, note, updated_at) \
             VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET \
             sensor = excluded.sensor, value = excluded.value, quality = excluded.quality, \
             note = excluded.note, updated_at = excluded.updated_at",
        )?;
        rows.try_for_each(|row| {
            let row = row.borrow();
            let values = rusqlite::params![
                row.id,
                row.sensor,
                row.value,
                row.quality,
                row.note,
                row.updated_at
            ];
            statement.execute(values).map(drop)
        })
    };
    if is_one {
        return write(conn).unwrap();
    }
    let transaction = conn.transaction().unwrap();
    write(&transaction).unwrap();
    transaction.commit().unwrap();
}

/// A file in WAL mode, and its path.
pub fn sqlite_file(directory: &tempfile::TempDir) -> (String, SqliteConnection) {
    let path = directory.path().join("bench.sqlite3");
    let path = path.to_str().unwrap().to_owned();
    let mut conn = SqliteConnection::establish(&path).unwrap();
    let wal = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL";
    conn.batch_execute(wal).unwrap();
    (path, conn)
}

#[cfg(feature = "postgres")]
pub fn connect_postgres(url: &str) -> PgConnection {
    let mut conn = PgConnection::establish(url).unwrap();
    conn.batch_execute("SET client_min_messages = warning")
        .unwrap();
    conn
}

/// Makes the table anew.
pub fn create(conn: &mut impl SimpleConnection) {
    let create = format!("DROP TABLE IF EXISTS upsert_bench; {CREATE}");
    conn.batch_execute(&create).unwrap();
}

/// Lets the database put away what was written, before something is measured.
pub fn tidy(database: &str, conn: &mut impl SimpleConnection) {
    let sql: &[&str] = match database {
        "SQLite" => &["PRAGMA wal_checkpoint(TRUNCATE)"],
        "PostgreSQL" => &["VACUUM ANALYZE upsert_bench", "CHECKPOINT"],
        _ => &[],
    };
    for sql in sql {
        conn.batch_execute(sql).unwrap();
    }
}

/// Lets the candidates take turns, and has the median of each; the first `warm_up` of the
/// rounds do not count.
pub fn in_turn(
    candidates: usize,
    warm_up: usize,
    rounds: usize,
    mut run: impl FnMut(usize) -> Duration,
) -> Vec<Duration> {
    let mut times = vec![Vec::new(); candidates];
    for round in 0..warm_up + rounds {
        for (candidate, times) in times.iter_mut().enumerate() {
            let time = run(candidate);
            if round >= warm_up {
                times.push(time);
            }
        }
    }
    times.iter_mut().map(|times| median(times)).collect()
}

/// The address of a server, which is left out if its variable is not set.
pub fn server(variable: &str) -> Option<String> {
    let url = std::env::var(variable).ok();
    if url.is_none() {
        eprintln!("left out: the database of `{variable}`, which is not set");
    }
    url
}

pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

//! What the benchmarks measure with: a table of 6 columns, its rows, and medians.

// No benchmark uses all of it.
#![allow(dead_code, unused_imports, unused_macros)]

use std::time::Duration;

use diesel::Insertable;
use upsert_core::Upsertable;

diesel::table! {
    upsert_bench (id) {
        id -> Integer,
        sensor -> Text,
        value -> Double,
        quality -> Integer,
        note -> Nullable<Text>,
        updated_at -> BigInt,
    }
}

/// The table, on any database.
pub const CREATE: &str = "CREATE TABLE upsert_bench (id INTEGER PRIMARY KEY NOT NULL, \
     sensor VARCHAR(50) NOT NULL, value DOUBLE PRECISION NOT NULL, quality INTEGER NOT NULL, \
     note VARCHAR(50), updated_at BIGINT NOT NULL)";

#[derive(Clone, Upsertable, Insertable, serde::Deserialize)]
#[diesel(table_name = upsert_bench, treat_none_as_default_value = false)]
#[upsert(update_all)]
pub struct Reading {
    pub id: i32,
    pub sensor: String,
    pub value: f64,
    pub quality: i32,
    pub note: Option<String>,
    pub updated_at: i64,
}

/// The rows of a call; those with an even position exist before it.
pub fn readings(rows: usize, sorted: bool) -> Vec<Reading> {
    (0..rows)
        // A fixed permutation: input comes in no order.
        .map(|i| if sorted { i } else { (i * 7919 + 13) % rows })
        .map(|id| reading(id as i32))
        .collect()
}

/// The row with this id.
pub fn reading(id: i32) -> Reading {
    Reading {
        id,
        sensor: format!("sensor-{:05}", id % 1000),
        value: f64::from(id) * 0.5,
        quality: id % 7,
        note: (id % 3 == 0).then(|| format!("note on {id}")),
        updated_at: 1_700_000_000 + i64::from(id),
    }
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

/// Writes the rows by a prepared statement of one row, in one transaction.
pub fn loop_rusqlite<'r>(conn: &mut rusqlite::Connection, rows: impl Iterator<Item = &'r Reading>) {
    let transaction = conn.transaction().unwrap();
    {
        let mut statement = transaction
            .prepare_cached(
                "INSERT INTO upsert_bench (id, sensor, value, quality, note, updated_at) \
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

/// The address of a server, which is left out if its variable is not set.
pub fn server(variable: &str) -> Option<String> {
    let url = std::env::var(variable).ok();
    if url.is_none() {
        eprintln!("left out: the database of `{variable}`, which is not set");
    }
    url
}

/// The number behind the argument `name`.
pub fn argument(name: &str, default: usize) -> usize {
    let mut arguments = std::env::args().skip_while(|it| it != name).skip(1);
    arguments.next().map_or(default, |it| it.parse().unwrap())
}

pub fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

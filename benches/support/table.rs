//! A table of 6 columns, its rows, and medians; for the other libraries too.

// No benchmark uses all of it.
#![allow(dead_code)]

use std::time::Duration;

use diesel::prelude::*;
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

/// The text behind the argument `name`.
pub fn text(name: &str) -> Option<String> {
    std::env::args().skip_while(|it| it != name).nth(1)
}

/// The number behind the argument `name`.
pub fn argument(name: &str, default: usize) -> usize {
    text(name).map_or(default, |it| it.parse().unwrap())
}

pub fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

//! The main job: two snapshots of the world's airports, a year apart, are
//! upserted one after the other. Look at `Airport`, and at `import`.
//!
//! The database is a SQLite file, or any of the three by `--database-url`.

use std::error::Error;
use std::time::Instant;

use clap::Parser;
use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use upsert_core::{Outcome, OutcomeConnection, Upsertable, upsert};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("examples/migrations");

const SNAPSHOTS: [(&str, &str); 2] = [
    ("2025-09", include_str!("data/airports-2025-09.csv")),
    ("2026-09", include_str!("data/airports-2026-09.csv")),
];

diesel::table! {
    airports (icao) {
        icao -> Text,
        iata -> Nullable<Text>,
        name -> Text,
        city -> Nullable<Text>,
        subd -> Nullable<Text>,
        country -> Text,
        elevation -> Double,
        lat -> Double,
        lon -> Double,
        tz -> Text,
        lid -> Nullable<Text>,
    }
}

/// One line of a snapshot, and one row of the table. Its primary key, `icao`,
/// is the conflict target; the other columns are overwritten, where any of them
/// changes.
#[derive(Deserialize, Upsertable)]
#[diesel(table_name = airports)]
#[upsert(update_all, skip_unchanged)]
pub(crate) struct Airport {
    icao: String,
    iata: Option<String>,
    name: String,
    city: Option<String>,
    subd: Option<String>,
    country: String,
    elevation: f64,
    lat: f64,
    lon: f64,
    tz: String,
    lid: Option<String>,
}

/// Imports two snapshots of the world's airports.
#[derive(Parser)]
struct Arguments {
    /// `postgres://..`, `mysql://..`, or the path of a SQLite file
    #[arg(long, default_value = "target/airports.sqlite3")]
    database_url: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let url = Arguments::parse().database_url;
    match url.split_once("://") {
        #[cfg(feature = "postgres")]
        Some(("postgres" | "postgresql", _)) => run::<PgConnection>(&url, count),
        #[cfg(feature = "mysql")]
        Some(("mysql", _)) => run::<MysqlConnection>(&url, count),
        Some((scheme, _)) => Err(format!(
            "no database for `{scheme}://`: write `postgres://` or `mysql://`, and build the \
             example with `--features postgres,mysql`"
        )
        .into()),
        None => run::<SqliteConnection>(&url, count),
    }
}

/// Sets up the schema and imports the snapshots, on any of the databases.
pub(crate) fn run<C>(url: &str, count: fn(&mut C) -> QueryResult<i64>) -> Result<(), Box<dyn Error>>
where
    C: OutcomeConnection<Airport> + MigrationHarness<C::Backend>,
{
    if let Some(directory) = std::path::Path::new(url)
        .parent()
        .filter(|_| !url.contains("://"))
    {
        std::fs::create_dir_all(directory)?;
    }
    let conn = &mut C::establish(url)?;
    conn.run_pending_migrations(MIGRATIONS)
        .map_err(|error| error.to_string())?;
    for (name, snapshot) in SNAPSHOTS {
        let rows = read(snapshot)?;
        let start = Instant::now();
        let outcome = import(conn, &rows)?;
        println!(
            "{name}: {outcome}, in {:.0?}; the table has {} airports",
            start.elapsed(),
            count(conn)?,
        );
    }
    Ok(())
}

fn read(snapshot: &str) -> Result<Vec<Airport>, csv::Error> {
    csv::Reader::from_reader(snapshot.as_bytes())
        .deserialize()
        .collect()
}

/// All rows or, if anything fails, none.
pub(crate) fn import<C>(conn: &mut C, rows: &[Airport]) -> upsert_core::Result<Outcome>
where
    C: OutcomeConnection<Airport>,
{
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} airports, {per_sec}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(rows.len() as u64).with_style(style);
    let outcome = upsert(rows)
        .on_progress(|progress| bar.set_position(progress.rows as u64))
        .outcome(conn);
    bar.finish_and_clear();
    outcome
}

pub(crate) fn count<C>(conn: &mut C) -> QueryResult<i64>
where
    diesel::dsl::Select<airports::table, diesel::dsl::CountStar>:
        for<'q> diesel::query_dsl::LoadQuery<'q, C, i64>,
{
    airports::table
        .select(diesel::dsl::count_star())
        .get_result(conn)
}

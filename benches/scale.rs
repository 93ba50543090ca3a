//! A stream of any length in constant memory: the peak of the process and the time per row
//! for one million rows and for ten, and for a CSV file of three million lines.
//!
//! `cargo bench --bench scale --features postgres` prints a table. SQLite is a file in WAL
//! mode; PostgreSQL is that of `PG_DATABASE_URL`, and is left out if that is not set. Each
//! measurement is a process of its own, as the peak of one never falls; it is read from
//! `/proc/self/status`, so on Linux.
//!
//! How the time of a row grows with the table is the database's: the floor is measured too,
//! on SQLite a loop over one prepared statement, on PostgreSQL the server's own
//! `INSERT .. SELECT .. ON CONFLICT` of rows that it generates.
//!
//! `-- --rows N` is the smaller number of rows, `-- --lines N` that of the file's lines,
//! `-- --database NAME` measures one database.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::import::{self, ImportError};
use upsert_core::{UpsertConnection, Upsertable};

mod support;

use support::{Reading, argument, create, loop_rusqlite, text};

/// An odd factor, which permutes the numbers below a power of two.
const FACTOR: usize = 7_919_993;

/// The rows of a stream, each with another key.
fn rows(count: usize, is_sorted: bool) -> impl Iterator<Item = Reading> {
    let numbers = count.next_power_of_two();
    let factor = if is_sorted { 1 } else { FACTOR };
    (0..numbers)
        .map(move |i| i.wrapping_mul(factor) % numbers)
        .filter(move |id| *id < count)
        .map(|id| support::reading(i32::try_from(id).unwrap()))
}

/// What is measured.
#[derive(Clone)]
struct Load {
    database: String,
    /// `stream`, `csv` or `floor`.
    kind: String,
    is_sorted: bool,
    rows: usize,
}

/// Writes the rows into an empty table, and prints the time and the peak of the memory.
fn measure<C>(mut conn: C, load: &Load, file: &Path, floor: impl FnOnce(&mut C) -> usize)
where
    C: UpsertConnection<Reading> + 'static,
{
    create(&mut conn);
    let start = Instant::now();
    let written = match load.kind.as_str() {
        "floor" => floor(&mut conn),
        "csv" => {
            let lines = import::csv::<Reading, _>(std::fs::File::open(file).unwrap());
            Reading::bulk_upsert_try_stream(&mut conn, lines)
                .map_err(|it: ImportError| it.to_string())
                .unwrap()
        }
        _ => {
            let rows = rows(load.rows, load.is_sorted);
            Reading::bulk_upsert_stream(&mut conn, rows).unwrap()
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(written, load.rows);
    conn.batch_execute("DROP TABLE upsert_bench").unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|it| it.strip_prefix("VmHWM:"));
    let peak = peak.unwrap().trim().trim_end_matches(" kB");
    println!("{seconds} {peak}");
}

/// A measurement in a process of its own: the seconds, and the peak in MiB.
fn in_process(load: &Load, file: &Path) -> (f64, f64) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--load", &load.database, "--kind", &load.kind]);
    command.args(["--count", &load.rows.to_string()]);
    command.args(load.is_sorted.then_some("--sorted"));
    let output = command.arg("--file").arg(file).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    let mut numbers = shown.split_whitespace();
    let mut number = || numbers.next().expect("a measurement").parse::<f64>();
    match (output.status.success(), number(), number()) {
        (true, Ok(seconds), Ok(peak)) => (seconds, peak / 1024.0),
        _ => panic!("{}", String::from_utf8_lossy(&output.stderr)),
    }
}

fn write_csv(path: &Path, lines: usize) {
    let mut file = BufWriter::new(std::fs::File::create(path).unwrap());
    writeln!(file, "id,sensor,value,quality,note,updated_at").unwrap();
    for row in rows(lines, false) {
        let note = row.note.unwrap_or_default();
        let Reading {
            id,
            sensor,
            value,
            quality,
            updated_at,
            ..
        } = row;
        writeln!(file, "{id},{sensor},{value},{quality},{note},{updated_at}").unwrap();
    }
    file.into_inner().unwrap();
}

/// Makes the measurement of this process.
fn run(load: &Load) {
    let file = text("--file").unwrap();
    let file = Path::new(&file);
    if load.database == "SQLite" {
        let path = file.with_extension("sqlite3");
        let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        let wal = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL";
        conn.batch_execute(wal).unwrap();
        measure(conn, load, file, |_| {
            let mut conn = rusqlite::Connection::open(&path).unwrap();
            conn.execute_batch("PRAGMA synchronous = NORMAL").unwrap();
            let mut written = 0;
            let rows = rows(load.rows, load.is_sorted).inspect(|_| written += 1);
            loop_rusqlite(&mut conn, rows);
            written
        });
        return;
    }
    #[cfg(feature = "postgres")]
    {
        let url = std::env::var("PG_DATABASE_URL").unwrap();
        measure(support::connect_postgres(&url), load, file, |conn| {
            diesel::sql_query(generate(load)).execute(conn).unwrap()
        });
    }
}

/// The statement by which PostgreSQL makes the rows of a stream, and upserts them.
#[cfg(feature = "postgres")]
fn generate(load: &Load) -> String {
    let (rows, numbers) = (load.rows, load.rows.next_power_of_two());
    let factor = if load.is_sorted { 1 } else { FACTOR };
    format!(
        "INSERT INTO upsert_bench \
         SELECT id, 'sensor-' || lpad((id % 1000)::text, 5, '0'), id * 0.5, id % 7, \
         CASE WHEN id % 3 = 0 THEN 'note on ' || id END, 1700000000 + id \
         FROM generate_series(0, {numbers} - 1) i, \
         LATERAL (SELECT (i * {factor}::bigint % {numbers})::int AS id) r WHERE id < {rows} \
         ON CONFLICT (id) DO UPDATE SET sensor = excluded.sensor, value = excluded.value, \
         quality = excluded.quality, note = excluded.note, updated_at = excluded.updated_at"
    )
}

fn main() {
    if let Some(database) = text("--load") {
        return run(&Load {
            database,
            kind: text("--kind").unwrap(),
            is_sorted: std::env::args().any(|it| it == "--sorted"),
            rows: argument("--count", 0),
        });
    }
    let (small, lines) = (
        argument("--rows", 1_000_000),
        argument("--lines", 3_000_000),
    );
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rows.csv");
    write_csv(&file, lines);
    println!("| database | | keys | rows | time | per million | peak memory |");
    println!("|---|---|---|--:|--:|--:|--:|");
    let mut databases = vec!["SQLite"];
    if cfg!(feature = "postgres") && std::env::var("PG_DATABASE_URL").is_ok() {
        databases.push("PostgreSQL");
    } else {
        eprintln!("left out: PostgreSQL, as `PG_DATABASE_URL` or the feature is missing");
    }
    databases.retain(|it| text("--database").is_none_or(|chosen| chosen == *it));
    for database in databases {
        let load = |kind: &str, is_sorted, rows| Load {
            database: database.to_owned(),
            kind: kind.to_owned(),
            is_sorted,
            rows,
        };
        for load in [
            load("stream", true, small),
            load("stream", true, 10 * small),
            load("floor", true, small),
            load("floor", true, 10 * small),
            load("stream", false, small),
            load("stream", false, 10 * small),
            load("floor", false, small),
            load("floor", false, 10 * small),
            load("csv", false, lines),
        ] {
            report(&load, in_process(&load, &file));
        }
    }
}

fn report(load: &Load, (seconds, peak): (f64, f64)) {
    let (database, rows) = (&load.database, load.rows);
    let keys = if load.is_sorted {
        "in order"
    } else {
        "in no order"
    };
    let kind = match load.kind.as_str() {
        "csv" => "CSV file",
        kind => kind,
    };
    let million = seconds / rows as f64 * 1e6;
    // The floor's memory is not that of a call.
    let peak = if kind == "floor" {
        String::new()
    } else {
        format!(" {peak:.1} MiB")
    };
    println!("| {database} | {kind} | {keys} | {rows} | {seconds:.1} s | {million:.2} s |{peak} |");
}

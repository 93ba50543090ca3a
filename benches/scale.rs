//! A stream of any length in constant memory: the peak of the process and the time per row
//! for one million rows and for ten, and for a CSV file of three million lines.
//!
//! `cargo bench --bench scale --features postgres` prints a table. SQLite is a file in WAL
//! mode; PostgreSQL is that of `PG_DATABASE_URL`, and is left out if that is not set. Each
//! measurement is a process of its own, as the peak of one never falls; it is read from
//! `/proc/self/status`, so on Linux.
//!
//! `-- --rows N` is the smaller number of rows, `-- --lines N` that of the file's lines.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::import::{self, ImportError};
use upsert_core::{BindFields, Dialect, Upsertable};

mod support;

use support::{Reading, argument, create, text};

/// The rows of a stream, each with another key, in no order.
fn rows(count: usize) -> impl Iterator<Item = Reading> {
    // Odd factors permute the numbers below a power of two.
    let numbers = count.next_power_of_two();
    (0..numbers)
        .map(move |i| i.wrapping_mul(7_919_993) % numbers)
        .filter(move |id| *id < count)
        .map(|id| support::reading(i32::try_from(id).unwrap()))
}

/// Writes `rows` into an empty table, and prints the time and the peak of the memory.
fn measure<C>(mut conn: C, kind: &str, count: usize, file: &Path)
where
    C: Connection<Backend: Dialect> + 'static,
    Reading: BindFields<C::Backend>,
{
    create(&mut conn);
    let start = Instant::now();
    let written = if kind == "csv" {
        let lines = import::csv::<Reading, _>(std::fs::File::open(file).unwrap());
        Reading::bulk_upsert_try_stream(&mut conn, lines).map_err(|it: ImportError| it.to_string())
    } else {
        Reading::bulk_upsert_stream(&mut conn, rows(count)).map_err(|it| it.to_string())
    };
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(written, Ok(count));
    conn.batch_execute("DROP TABLE upsert_bench").unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|it| it.strip_prefix("VmHWM:"));
    let peak = peak.unwrap().trim().trim_end_matches(" kB");
    println!("{seconds} {peak}");
}

/// A measurement in a process of its own: the seconds, and the peak in MiB.
fn in_process(database: &str, kind: &str, count: usize, file: &Path) -> (f64, f64) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--database", database, "--kind", kind, "--count"]);
    let output = command.arg(count.to_string()).arg("--file").arg(file);
    let output = output.output().unwrap();
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
    for row in rows(lines) {
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

fn main() {
    if let Some(database) = text("--database") {
        let (kind, file) = (text("--kind").unwrap(), text("--file").unwrap());
        let (count, file) = (argument("--count", 0), Path::new(&file));
        if database == "SQLite" {
            let path = file.with_extension("sqlite3");
            let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
            let wal = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL";
            conn.batch_execute(wal).unwrap();
            measure(conn, &kind, count, file);
        } else {
            #[cfg(feature = "postgres")]
            {
                let url = std::env::var("PG_DATABASE_URL").unwrap();
                measure(support::connect_postgres(&url), &kind, count, file);
            }
        }
        return;
    }
    let (small, lines) = (
        argument("--rows", 1_000_000),
        argument("--lines", 3_000_000),
    );
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rows.csv");
    write_csv(&file, lines);
    println!("| database | rows | time | per million | peak memory |");
    println!("|---|---|--:|--:|--:|");
    let mut databases = vec!["SQLite"];
    if cfg!(feature = "postgres") && std::env::var("PG_DATABASE_URL").is_ok() {
        databases.push("PostgreSQL");
    } else {
        eprintln!("left out: PostgreSQL, as `PG_DATABASE_URL` or the feature is missing");
    }
    for database in databases {
        for (kind, count) in [("stream", small), ("stream", 10 * small), ("csv", lines)] {
            let (seconds, peak) = in_process(database, kind, count, &file);
            let source = if kind == "csv" { " lines of CSV" } else { "" };
            let million = seconds / count as f64 * 1e6;
            println!(
                "| {database} | {count}{source} | {seconds:.1} s | {million:.2} s | {peak:.1} MiB |"
            );
        }
    }
}

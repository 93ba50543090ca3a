//! What calls leave behind on PostgreSQL: in its log, and in its catalog.

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use upsert_core::{Strategy, Upsertable, upsert};

use crate::Failed;
use crate::report;
use crate::server::{self, Server};

const ROWS: i64 = 10_000;
/// The calls that are sent by COPY.
const COPIES: i64 = 500;
/// The rows of each: few, as only the table that they go through is measured.
const COPIED_ROWS: i64 = 4;
/// Of each size the smallest counts, as the server writes for itself too.
const ROUNDS: usize = 3;

diesel::table! {
    stress_wide (id) {
        id -> BigInt,
        a -> BigInt,
        b -> BigInt,
        c -> BigInt,
        d -> BigInt,
        e -> Text,
        f -> Text,
        g -> Text,
    }
}

/// A row of eight columns.
#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = stress_wide)]
#[upsert(update_all)]
struct Wide {
    #[conflict_key]
    id: i64,
    a: i64,
    b: i64,
    c: i64,
    d: i64,
    e: String,
    f: String,
    g: String,
}

fn wide(id: i64) -> Wide {
    let text = || format!("text {id}");
    Wide {
        id,
        a: id,
        b: id,
        c: id,
        d: id,
        e: text(),
        f: text(),
        g: text(),
    }
}

fn rows(count: i64) -> Vec<Wide> {
    (0..count).map(wide).collect()
}

/// By how much a number of the server's grows, at the least.
fn grown(
    conn: &mut PgConnection,
    number: &str,
    call: impl Fn(&mut PgConnection) -> upsert_core::Result<()>,
) -> Result<i64, Failed> {
    let query = format!("SELECT ({number})::int8 AS id, 0::int8 AS total");
    let mut least = i64::MAX;
    for _ in 0..ROUNDS {
        let read = |conn: &mut PgConnection| {
            let rows = conn.numbers(&query)?;
            let first = rows.first().map(|row| row.0);
            first.ok_or_else(|| Failed::from("no number"))
        };
        let before = read(conn)?;
        call(conn)?;
        least = least.min(read(conn)? - before);
    }
    Ok(least)
}

pub(crate) fn run(url: &str) -> Result<bool, Failed> {
    const WAL: &str = "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn";
    const CATALOG: &str = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class \
         WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r'";
    let mut conn = server::connect::<PgConnection>(url)?;
    let conn = &mut conn;
    conn.create(
        "stress_wide",
        "id BIGINT PRIMARY KEY, a BIGINT, b BIGINT, c BIGINT, d BIGINT, e TEXT, f TEXT, g TEXT",
    )?;
    upsert(rows(ROWS)).execute(conn)?;
    conn.batch_execute("VACUUM stress_wide")?;
    // The first change of a page after a checkpoint writes the whole page.
    upsert(rows(ROWS)).execute(conn)?;
    let rewritten = grown(conn, WAL, |conn| upsert(rows(ROWS)).execute(conn).map(drop))?;
    let skipped = grown(conn, WAL, |conn| {
        let call = upsert(rows(ROWS)).skip_unchanged(true);
        call.execute(conn).map(drop)
    })?;
    let copied = grown(conn, CATALOG, |conn| {
        for _ in 0..COPIES {
            let call = upsert(rows(COPIED_ROWS)).strategy(Strategy::Copy);
            call.execute(conn)?;
        }
        Ok(())
    })?;
    println!("PostgreSQL: rows of 8 columns\n");
    report::head(&["what a call leaves", "bytes"]);
    report::row(&[&"log, for each unchanged row", &(rewritten / ROWS)]);
    report::row(&[
        &"log, for each unchanged row with `skip_unchanged`",
        &(skipped / ROWS),
    ]);
    report::row(&[&"catalog, for each call by COPY", &(copied / COPIES)]);
    Ok(true)
}

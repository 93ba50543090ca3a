//! What a call costs against the floor: the least that the database itself needs to write
//! the rows.
//!
//! `cargo bench --bench floor --features postgres,mysql` prints a table:
//! 100 000 rows of 6 columns in no order, into an empty table and into one of a
//! million rows, of which they are some. SQLite is a file in WAL mode; the servers are those
//! of `PG_DATABASE_URL` and `MYSQL_DATABASE_URL`, where a database is left out whose
//! address is not set. The candidates take turns, and what is compared are the medians of
//! one run.
//!
//! The floor is on SQLite a loop over one prepared statement, on PostgreSQL the server's own
//! `INSERT .. SELECT .. ON CONFLICT` from a table that holds the rows, on MySQL and MariaDB
//! a prepared statement of 1000 rows that is written by hand.
//!
//! `-- --rows N`, `-- --table N` and `-- --rounds N` change the sizes.

use std::time::{Duration, Instant};

use diesel::connection::{Connection, SimpleConnection};
use diesel::prelude::*;
#[cfg(feature = "mysql")]
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use upsert_core::{Upsertable, upsert};

mod support;

#[cfg(feature = "postgres")]
use support::upsert_bench;
use support::{CREATE, Reading, argument, loop_rusqlite, median, readings, stock};

type Run<'c, C> = dyn Fn(&mut C, &[Reading]) + 'c;

/// A way to write the rows.
struct Candidate<'c, C> {
    name: &'static str,
    run: Box<Run<'c, C>>,
}

fn candidate<'c, C>(name: &'static str, run: impl Fn(&mut C, &[Reading]) + 'c) -> Candidate<'c, C> {
    Candidate {
        name,
        run: Box::new(run),
    }
}

fn ours<'c, C>() -> Candidate<'c, C>
where
    C: Connection<Backend: upsert_core::Dialect> + 'static,
    Reading: upsert_core::BindFields<C::Backend>,
{
    candidate("`bulk_upsert`", |conn: &mut C, rows| {
        assert_eq!(Reading::bulk_upsert(conn, rows).unwrap(), rows.len());
    })
}

/// Diesel's own batch upsert, in one transaction, in chunks.
macro_rules! stock_batches {
    ($name:literal, $chunk:literal) => {
        candidate($name, |conn, rows: &[Reading]| {
            Connection::transaction(conn, |conn| {
                for rows in rows.chunks($chunk) {
                    stock!(rows).execute(conn)?;
                }
                QueryResult::Ok(())
            })
            .unwrap();
        })
    };
}

/// Runs the candidates in turn on an empty table and on a large one.
fn measure<C>(
    database: &str,
    conn: &mut C,
    reset: &dyn Fn(&mut C, usize),
    candidates: &[Candidate<'_, C>],
) where
    C: Connection<Backend: upsert_core::Dialect> + 'static,
{
    let count = argument("--rows", 100_000);
    let large = argument("--table", 1_000_000);
    for existing in [0, large] {
        let mut rows = readings(count.max(existing), false);
        rows.truncate(count);
        let mut times: Vec<_> = candidates.iter().map(|_| Vec::new()).collect();
        for round in 0..=argument("--rounds", 5) {
            for (candidate, times) in candidates.iter().zip(&mut times) {
                reset(conn, existing);
                let start = Instant::now();
                (candidate.run)(conn, &rows);
                // The first round warms up.
                if round > 0 {
                    times.push(start.elapsed());
                }
            }
        }
        let floor = median(&mut times[0]);
        for (candidate, times) in candidates.iter().zip(&mut times) {
            report(database, existing, candidate.name, median(times), floor);
        }
    }
}

fn report(database: &str, existing: usize, name: &str, median: Duration, floor: Duration) {
    println!(
        "| {database} | {existing} | {name} | {} ms | {:.2} |",
        median.as_millis(),
        median.as_secs_f64() / floor.as_secs_f64(),
    );
}

fn recreate<C>(conn: &mut C, existing: usize)
where
    C: Connection<Backend: upsert_core::Dialect> + 'static,
    Reading: upsert_core::BindFields<C::Backend>,
{
    let sql = format!("DROP TABLE IF EXISTS upsert_bench; {CREATE}");
    conn.batch_execute(&sql).unwrap();
    if existing > 0 {
        upsert(readings(existing, true)).execute(conn).unwrap();
    }
}

fn sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.sqlite3");
    let path = path.to_str().unwrap();
    let mut conn = SqliteConnection::establish(path).unwrap();
    let wal = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL";
    conn.batch_execute(wal).unwrap();
    let floor = std::cell::RefCell::new(rusqlite::Connection::open(path).unwrap());
    floor
        .borrow()
        .execute_batch("PRAGMA synchronous = NORMAL")
        .unwrap();
    let candidates = [
        candidate("rusqlite, prepared loop (floor)", |_, rows| {
            loop_rusqlite(&mut floor.borrow_mut(), rows.iter());
        }),
        ours(),
        stock_batches!("stock Diesel, batches of 5000", 5000),
        candidate(
            "stock Diesel, row by row",
            |conn: &mut SqliteConnection, rows: &[Reading]| {
                conn.immediate_transaction(|conn| {
                    for row in rows {
                        stock!(row).execute(conn)?;
                    }
                    QueryResult::Ok(())
                })
                .unwrap();
            },
        ),
    ];
    let reset = |conn: &mut SqliteConnection, existing| {
        recreate(conn, existing);
        conn.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)")
            .unwrap();
    };
    measure("SQLite", &mut conn, &reset, &candidates);
}

#[cfg(feature = "postgres")]
fn postgres(url: &str) {
    let mut conn = PgConnection::establish(url).unwrap();
    conn.batch_execute("SET client_min_messages = warning")
        .unwrap();
    let candidates = [
        candidate(
            "`INSERT .. SELECT` on the server (floor)",
            |conn: &mut PgConnection, rows: &[Reading]| {
                let sql = "INSERT INTO upsert_bench SELECT * FROM upsert_source ON CONFLICT (id) \
                 DO UPDATE SET sensor = excluded.sensor, value = excluded.value, \
                 quality = excluded.quality, note = excluded.note, \
                 updated_at = excluded.updated_at";
                assert_eq!(diesel::sql_query(sql).execute(conn), Ok(rows.len()));
            },
        ),
        ours(),
        stock_batches!("stock Diesel, batches of 500", 500),
        stock_batches!("stock Diesel, batches of 1000", 1000),
        stock_batches!("stock Diesel, batches of 5000", 5000),
    ];
    let reset = |conn: &mut PgConnection, existing: usize| {
        // The source holds the rows in the order of the input.
        let count = argument("--rows", 100_000);
        let mut rows = readings(count.max(existing), false);
        rows.truncate(count);
        recreate(conn, 0);
        for rows in rows.chunks(5000) {
            diesel::insert_into(upsert_bench::table)
                .values(rows)
                .execute(conn)
                .unwrap();
        }
        conn.batch_execute(
            "DROP TABLE IF EXISTS upsert_source; \
             CREATE TABLE upsert_source AS SELECT * FROM upsert_bench; ANALYZE upsert_source",
        )
        .unwrap();
        recreate(conn, existing);
        for sql in ["VACUUM ANALYZE upsert_bench", "CHECKPOINT"] {
            conn.batch_execute(sql).unwrap();
        }
    };
    measure("PostgreSQL", &mut conn, &reset, &candidates);
    conn.batch_execute("DROP TABLE upsert_bench; DROP TABLE upsert_source")
        .unwrap();
}

/// The statement for some rows, as it is written by hand.
#[cfg(feature = "mysql")]
struct ByHand<'r>(&'r [Reading]);

#[cfg(feature = "mysql")]
impl QueryId for ByHand<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

#[cfg(feature = "mysql")]
impl QueryFragment<diesel::mysql::Mysql> for ByHand<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, diesel::mysql::Mysql>) -> QueryResult<()> {
        use diesel::sql_types::{BigInt, Double, Integer, Nullable, Text};
        out.push_sql(
            "INSERT INTO upsert_bench (id, sensor, value, quality, note, updated_at) VALUES ",
        );
        for (i, row) in self.0.iter().enumerate() {
            out.push_sql(if i > 0 { ", (" } else { "(" });
            out.push_bind_param::<Integer, _>(&row.id)?;
            out.push_sql(", ");
            out.push_bind_param::<Text, _>(&row.sensor)?;
            out.push_sql(", ");
            out.push_bind_param::<Double, _>(&row.value)?;
            out.push_sql(", ");
            out.push_bind_param::<Integer, _>(&row.quality)?;
            out.push_sql(", ");
            out.push_bind_param::<Nullable<Text>, _>(&row.note)?;
            out.push_sql(", ");
            out.push_bind_param::<BigInt, _>(&row.updated_at)?;
            out.push_sql(")");
        }
        out.push_sql(
            " ON DUPLICATE KEY UPDATE sensor = VALUES(sensor), value = VALUES(value), \
             quality = VALUES(quality), note = VALUES(note), updated_at = VALUES(updated_at)",
        );
        Ok(())
    }
}

#[cfg(feature = "mysql")]
impl RunQueryDsl<MysqlConnection> for ByHand<'_> {}

#[cfg(feature = "mysql")]
fn mysql(url: &str) {
    let mut conn = MysqlConnection::establish(url).unwrap();
    let candidates = [
        candidate(
            "by hand, 1000 rows (floor)",
            |conn: &mut MysqlConnection, rows: &[Reading]| {
                conn.transaction(|conn| {
                    for rows in rows.chunks(1000) {
                        ByHand(rows).execute(conn)?;
                    }
                    QueryResult::Ok(())
                })
                .unwrap();
            },
        ),
        ours(),
    ];
    measure("MariaDB", &mut conn, &recreate, &candidates);
    conn.batch_execute("DROP TABLE upsert_bench").unwrap();
}

fn main() {
    println!("| database | rows before | candidate | median | against the floor |");
    println!("|---|--:|---|--:|--:|");
    sqlite();
    #[cfg(feature = "postgres")]
    if let Some(url) = support::server("PG_DATABASE_URL") {
        postgres(&url);
    }
    #[cfg(feature = "mysql")]
    if let Some(url) = support::server("MYSQL_DATABASE_URL") {
        mysql(&url);
    }
}

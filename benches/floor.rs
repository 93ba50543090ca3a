//! What a call costs against the floor: the least that the database itself needs to write
//! the rows.
//!
//! `cargo bench --bench floor --features postgres,mysql` prints a table for each database: rows of
//! 6 columns in no order, 1 to 1 000 000 of them, into an empty table and into one of a
//! million rows; how many of them exist there, and how many of those are unchanged.
//! SQLite is a file in WAL mode; the servers are those of `PG_DATABASE_URL` and
//! `MYSQL_DATABASE_URL`, where a database is left out whose address is not set. The
//! candidates take turns, and what is compared are the medians of one run.
//!
//! The floor is on SQLite a loop over one prepared statement, on PostgreSQL the server's own
//! `INSERT .. SELECT .. ON CONFLICT` from a table that holds the rows, on MySQL and MariaDB
//! a prepared statement of 1000 rows that is written by hand. What psql takes has the start of
//! its process in it.
//!
//! `-- --rows N` measures calls of this size only, `-- --database NAME` this database;
//! `-- --table N` and `-- --rounds N` change the sizes. With `-- --sorted` the input is in
//! the order of its key, so that sorting it wins nothing.

use std::time::{Duration, Instant};

use diesel::connection::Connection;
use diesel::prelude::*;
#[cfg(any(feature = "postgres", feature = "mysql"))]
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use upsert_core::{UpsertConnection, Upsertable, upsert};

mod support;

#[cfg(feature = "postgres")]
use support::connect_postgres;
#[cfg(feature = "mysql")]
use support::stock_mysql;
use support::{
    Reading, argument, create, in_turn, loop_rusqlite, reading, sqlite_file, stock, text, tidy,
};

/// What is written, and into what.
#[derive(Clone, Copy)]
struct Cell {
    /// Rows in the table before.
    table: usize,
    /// Rows of a call.
    rows: usize,
    /// The share of them that exists, in percent.
    existing: usize,
    /// The share of those that is unchanged, in percent.
    unchanged: usize,
}

impl Cell {
    /// Calls that are timed together.
    fn calls(self) -> usize {
        (10_000 / self.rows).clamp(1, 300)
    }

    /// Whether the table is made anew for every turn; if not, each turn has keys of its own.
    fn is_reset(self) -> bool {
        self.table == 0 || self.rows > 10_000
    }

    /// The rows of the calls.
    fn input(self, turn: usize) -> Vec<Vec<Reading>> {
        let count = self.rows * self.calls();
        let numbers = self.table.max(count);
        let first = if self.is_reset() { 0 } else { turn * count };
        let row = |i: usize| {
            let exists = i % 100 < self.existing;
            // A fixed permutation: input comes in no order.
            let id = 2 * ((i * 7919 + 13) % numbers) + usize::from(!exists);
            let mut row = reading(id as i32);
            if i % 10 >= self.unchanged / 10 {
                row.value += 0.25;
            }
            row
        };
        let call = |call: usize| {
            let first = first + call * self.rows;
            let mut rows: Vec<_> = (first..first + self.rows).map(row).collect();
            if std::env::args().any(|it| it == "--sorted") {
                rows.sort_unstable_by_key(|row| row.id);
            }
            rows
        };
        (0..self.calls()).map(call).collect()
    }
}

/// The cells, by the table and the size of the calls.
fn cells() -> impl Iterator<Item = Cell> {
    let chosen = argument("--rows", 0);
    let sizes = if chosen > 0 {
        vec![chosen]
    } else {
        vec![1, 10, 1000, 100_000, 1_000_000]
    };
    let large = argument("--table", 1_000_000);
    let shares = [
        (0, 0, 0),
        (large, 0, 0),
        (large, 50, 0),
        (large, 100, 0),
        (large, 100, 90),
    ];
    shares
        .into_iter()
        .flat_map(move |(table, existing, unchanged)| {
            sizes.clone().into_iter().map(move |rows| Cell {
                table,
                rows,
                existing,
                unchanged,
            })
        })
}

type Prepare<'c, C> = Box<dyn Fn(&mut C, &[Vec<Reading>]) + 'c>;
/// Writes the rows of the call with this number.
type Run<'c, C> = Box<dyn Fn(&mut C, usize, &[Reading]) + 'c>;

/// A way to write the rows.
struct Candidate<'c, C> {
    name: &'static str,
    /// The cells that it is measured for.
    applies: fn(Cell) -> bool,
    /// What is not timed.
    prepare: Prepare<'c, C>,
    run: Run<'c, C>,
}

impl<'c, C> Candidate<'c, C> {
    fn new(name: &'static str, run: impl Fn(&mut C, usize, &[Reading]) + 'c) -> Self {
        Self {
            name,
            applies: |_| true,
            prepare: Box::new(|_, _| {}),
            run: Box::new(run),
        }
    }

    fn only(self, applies: fn(Cell) -> bool) -> Self {
        Self { applies, ..self }
    }

    #[cfg(feature = "postgres")]
    fn after(self, prepare: impl Fn(&mut C, &[Vec<Reading>]) + 'c) -> Self {
        Self {
            prepare: Box::new(prepare),
            ..self
        }
    }
}

impl<C> Candidate<'_, C>
where
    C: UpsertConnection<Reading> + 'static,
{
    fn bulk_upsert() -> Self {
        Self::new("`bulk_upsert`", |conn, _, rows| {
            assert_eq!(Reading::bulk_upsert(conn, rows).unwrap(), rows.len());
        })
    }

    fn skip_unchanged() -> Self {
        Self::new("`skip_unchanged`", |conn, _, rows| {
            upsert(rows).skip_unchanged(true).execute(conn).unwrap();
        })
        .only(|cell| cell.unchanged > 0)
    }
}

/// Runs `statements` in one transaction, if they are several.
fn in_transaction<C: Connection>(
    conn: &mut C,
    statements: usize,
    run: impl FnOnce(&mut C) -> QueryResult<()>,
) {
    let done = if statements > 1 {
        conn.transaction(run)
    } else {
        run(conn)
    };
    done.unwrap();
}

/// Diesel's own batch upsert, in one transaction, in chunks.
macro_rules! stock_batches {
    ($name:literal, $chunk:literal, $stock:ident) => {
        Candidate::new($name, |conn, _, rows: &[Reading]| {
            in_transaction(conn, rows.len().div_ceil($chunk), |conn| {
                for rows in rows.chunks($chunk) {
                    $stock!(rows).execute(conn)?;
                }
                Ok(())
            });
        })
    };
}

/// One size of calls for which more candidates are compared than for the others.
#[cfg(any(feature = "postgres", feature = "mysql"))]
fn is_middle(cell: Cell) -> bool {
    cell.rows == argument("--rows", 100_000)
}

/// Prints the table of a database.
fn measure<C>(database: &str, conn: &mut C, candidates: &[Candidate<'_, C>])
where
    C: UpsertConnection<Reading> + 'static,
{
    if text("--database").is_some_and(|it| it != database) {
        return;
    }
    let names: Vec<_> = candidates.iter().map(|it| it.name).collect();
    println!(
        "{database}, the time of a call: the floor's in milliseconds, the others' as a multiple \
         of it.\n\n| table | rows | existing | unchanged | {} |",
        names.join(" | ")
    );
    println!("|{}", "--:|".repeat(4 + names.len()));
    fill_template(conn);
    for cell in cells() {
        let chosen: Vec<_> = candidates.iter().filter(|it| (it.applies)(cell)).collect();
        let mut turn = 0;
        // A million rows need neither to be warmed up nor as many rounds.
        let (warm_up, rounds) = if cell.rows > 100_000 { (0, 3) } else { (1, 5) };
        let rounds = argument("--rounds", rounds);
        let medians = in_turn(chosen.len(), warm_up, rounds, |i| {
            if turn == 0 || cell.is_reset() {
                reset(database, conn, cell);
            }
            let input = cell.input(turn);
            turn += 1;
            (chosen[i].prepare)(conn, &input);
            let start = Instant::now();
            for (call, rows) in input.iter().enumerate() {
                (chosen[i].run)(conn, call, rows);
            }
            start.elapsed() / input.len() as u32
        });
        let mut of_chosen = chosen.iter().zip(&medians).peekable();
        let of_all = candidates.iter().map(|candidate| {
            let found = of_chosen.next_if(|(it, _)| it.name == candidate.name);
            found.map(|(_, median)| *median)
        });
        report(cell, &of_all.collect::<Vec<_>>());
    }
    conn.batch_execute("DROP TABLE upsert_bench; DROP TABLE upsert_template")
        .unwrap();
}

/// The first is the floor.
fn report(cell: Cell, medians: &[Option<Duration>]) {
    let Cell {
        table,
        rows,
        existing,
        unchanged,
    } = cell;
    let floor = medians[0].unwrap().as_secs_f64();
    print!("| {table} | {rows} | {existing} % | {unchanged} % |");
    print!(" {:.3} ms |", floor * 1000.0);
    for median in &medians[1..] {
        match median {
            Some(median) => print!(" {:.2} |", median.as_secs_f64() / floor),
            None => print!(" |"),
        }
    }
    println!();
}

/// The rows of the large table, which have the even numbers.
fn fill_template<C>(conn: &mut C)
where
    C: UpsertConnection<Reading> + 'static,
{
    conn.batch_execute("DROP TABLE IF EXISTS upsert_template")
        .unwrap();
    create(conn);
    let rows = 0..argument("--table", 1_000_000) as i32;
    Reading::bulk_upsert_stream(conn, rows.map(|i| reading(2 * i))).unwrap();
    conn.batch_execute("ALTER TABLE upsert_bench RENAME TO upsert_template")
        .unwrap();
}

fn reset<C: Connection>(database: &str, conn: &mut C, cell: Cell) {
    create(conn);
    if cell.table > 0 {
        conn.batch_execute("INSERT INTO upsert_bench SELECT * FROM upsert_template ORDER BY id")
            .unwrap();
    }
    tidy(database, conn);
}

fn sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let (path, mut conn) = sqlite_file(&directory);
    let floor = std::cell::RefCell::new(rusqlite::Connection::open(path).unwrap());
    floor
        .borrow()
        .execute_batch("PRAGMA synchronous = NORMAL")
        .unwrap();
    let candidates = [
        Candidate::new("rusqlite, prepared loop (floor)", |_, _, rows| {
            loop_rusqlite(&mut floor.borrow_mut(), rows);
        }),
        Candidate::bulk_upsert(),
        Candidate::skip_unchanged(),
        stock_batches!("stock Diesel, batches of 5000", 5000, stock),
        Candidate::new(
            "stock Diesel, row by row",
            |conn: &mut SqliteConnection, _, rows: &[Reading]| {
                in_transaction(conn, rows.len(), |conn| {
                    rows.iter()
                        .try_for_each(|row| stock!(row).execute(conn).map(drop))
                });
            },
        )
        .only(|cell| cell.rows <= 100_000),
    ];
    measure("SQLite", &mut conn, &candidates);
}

/// What the server copies the rows from, `call` by `call`.
#[cfg(feature = "postgres")]
const SOURCE: &str = "SELECT id, sensor, value, quality, note, updated_at FROM upsert_source";

#[cfg(feature = "postgres")]
const ON_CONFLICT: &str = "ON CONFLICT (id) DO UPDATE SET sensor = excluded.sensor, \
     value = excluded.value, quality = excluded.quality, note = excluded.note, \
     updated_at = excluded.updated_at";

/// The server's own upsert of the rows of a call.
#[cfg(feature = "postgres")]
#[derive(QueryId)]
struct Merge(i32);

#[cfg(feature = "postgres")]
impl QueryFragment<diesel::pg::Pg> for Merge {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, diesel::pg::Pg>) -> QueryResult<()> {
        out.push_sql("INSERT INTO upsert_bench ");
        out.push_sql(SOURCE);
        out.push_sql(" WHERE call = ");
        out.push_bind_param::<diesel::sql_types::Integer, _>(&self.0)?;
        out.push_sql(" ");
        out.push_sql(ON_CONFLICT);
        Ok(())
    }
}

#[cfg(feature = "postgres")]
impl RunQueryDsl<PgConnection> for Merge {}

/// The rows as a file for COPY.
#[cfg(feature = "postgres")]
fn write_source(path: &std::path::Path, calls: &[Vec<Reading>]) {
    use std::io::Write;
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    for (call, rows) in calls.iter().enumerate() {
        for row in rows {
            let Reading {
                id,
                sensor,
                value,
                quality,
                note,
                updated_at,
            } = row;
            let note = note.as_deref().unwrap_or("\\N");
            writeln!(
                file,
                "{call}\t{id}\t{sensor}\t{value}\t{quality}\t{note}\t{updated_at}"
            )
            .unwrap();
        }
    }
    file.flush().unwrap();
}

#[cfg(feature = "postgres")]
fn psql(url: &str, commands: &[&str]) {
    let mut psql = std::process::Command::new("psql");
    psql.args(["--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", url]);
    psql.args(commands.iter().flat_map(|command| ["-c", command]));
    assert!(psql.status().expect("psql").success());
}

#[cfg(feature = "postgres")]
fn postgres(url: &str) {
    use diesel::connection::SimpleConnection;

    let mut conn = connect_postgres(url);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("source");
    let copy = format!("\\copy upsert_source FROM '{}'", path.display());
    let create_source = "DROP TABLE IF EXISTS upsert_source; CREATE TABLE upsert_source (call INTEGER, \
         LIKE upsert_bench)";
    let candidates = [
        Candidate::new(
            "`INSERT .. SELECT` on the server (floor)",
            |conn: &mut PgConnection, call, rows: &[Reading]| {
                assert_eq!(Merge(call as i32).execute(conn), Ok(rows.len()));
            },
        )
        .after(|conn, calls| {
            write_source(&path, calls);
            conn.batch_execute(create_source).unwrap();
            psql(url, &[&copy]);
            if calls.len() > 1 {
                conn.batch_execute("CREATE INDEX ON upsert_source (call)")
                    .unwrap();
            }
            conn.batch_execute("ANALYZE upsert_source").unwrap();
            // What was written so far is none of the floor's.
            conn.batch_execute("CHECKPOINT").unwrap();
        }),
        Candidate::bulk_upsert(),
        Candidate::skip_unchanged(),
        Candidate::new("by `unnest`", |conn, _, rows| {
            let call = upsert(rows).strategy(upsert_core::Strategy::Unnest);
            call.execute(conn).unwrap();
        })
        .only(|cell| cell.rows >= 100_000),
        Candidate::new(
            "psql, `\\copy` and `INSERT .. SELECT`",
            |_: &mut PgConnection, _, _| {
                let create = "CREATE TEMP TABLE upsert_source (call INTEGER, LIKE upsert_bench)";
                let merge = format!("INSERT INTO upsert_bench {SOURCE} {ON_CONFLICT}");
                psql(url, &["BEGIN", create, &copy, &merge, "COMMIT"]);
            },
        )
        .only(|cell| cell.rows >= 100_000)
        .after(|_, calls| write_source(&path, calls)),
        stock_batches!("stock Diesel, batches of 1000", 1000, stock),
        stock_batches!("of 500", 500, stock).only(is_middle),
        stock_batches!("of 5000", 5000, stock).only(is_middle),
    ];
    measure("PostgreSQL", &mut conn, &candidates);
    conn.batch_execute("DROP TABLE IF EXISTS upsert_source")
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
fn by_hand(name: &'static str, chunk: usize) -> Candidate<'static, MysqlConnection> {
    Candidate::new(name, move |conn, _, rows: &[Reading]| {
        in_transaction(conn, rows.len().div_ceil(chunk), |conn| {
            rows.chunks(chunk)
                .try_for_each(|rows| ByHand(rows).execute(conn).map(drop))
        });
    })
}

#[cfg(feature = "mysql")]
fn mysql(url: &str) {
    let mut conn = MysqlConnection::establish(url).unwrap();
    let candidates = [
        by_hand("by hand, 1000 rows (floor)", 1000),
        Candidate::bulk_upsert(),
        Candidate::skip_unchanged(),
        by_hand("100 rows", 100).only(is_middle),
        by_hand("5000 rows", 5000).only(is_middle),
        stock_batches!("stock Diesel, batches of 1000", 1000, stock_mysql),
    ];
    measure("MariaDB", &mut conn, &candidates);
}

fn main() {
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

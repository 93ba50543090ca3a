//! How many calls of writers that write the same rows end in a deadlock.

use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use diesel::result::{Error as DieselError, QueryResult};
use upsert_core::{Error, Retry, Upsert, UpsertConnection, Upsertable, upsert};

use crate::Failed;
use crate::failures::{self, DEADLOCK, Failures};
use crate::random::Random;
use crate::report;
use crate::server::{Child, Connect, Counter, Moving, Numbered, Paired, Parent, Server};

const WRITERS: usize = 4;
const ROWS: usize = 60;
const ROWS_SUM: i64 = 60;
const CHUNK: usize = 16;
const PARENTS: i64 = 20;
/// Larger than any number of keys.
const PRIME: i64 = 1_000_003;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    pub(crate) url: String,
    /// Of each writer.
    #[arg(long, default_value_t = 250)]
    batches: usize,
    /// Of which each batch has 60.
    #[arg(long, default_value_t = 200)]
    keys: i64,
    /// The tables are empty in the beginning, so that rows are inserted too.
    #[arg(long)]
    empty: bool,
    /// `REPEATABLE READ`, say, instead of the server's own.
    #[arg(long)]
    isolation: Option<String>,
    /// Of the calls with `retry`, instead of its default.
    #[arg(long)]
    attempts: Option<u32>,
    /// Only the shapes whose name has this in it.
    #[arg(long, default_value = "")]
    only: String,
}

/// What a writer writes at once.
struct Batch {
    /// No other batch has it.
    number: i64,
    keys: Vec<i64>,
    retry: Option<Retry>,
}

impl Batch {
    fn rows<T>(&self, row: impl Fn(i64) -> T) -> Vec<T> {
        self.keys.iter().map(|id| row(*id)).collect()
    }

    /// Sends rows, in one statement or in chunks.
    fn send<R, C>(&self, conn: &mut C, rows: Vec<R>, chunk: Option<usize>) -> Result<(), Error>
    where
        R: Upsertable,
        C: UpsertConnection<R> + 'static,
    {
        let mut call: Upsert<'_, R, R> = upsert(rows);
        if let Some(rows) = chunk {
            call = call.chunk_size(rows);
        }
        if let Some(retry) = self.retry {
            call = call.retry(retry);
        }
        call.execute(conn).map(|_| ())
    }
}

fn counter(id: i64) -> Counter {
    Counter { id, total: 1 }
}

/// The statement that is written by hand.
fn statement<C: Server>(keys: &[i64]) -> String {
    let rows: Vec<_> = keys.iter().map(|id| format!("({id}, 1)")).collect();
    format!(
        "INSERT INTO stress_counters (id, total) VALUES {} {}",
        rows.join(", "),
        C::ON_CONFLICT_ADD
    )
}

/// The name of the error, if there is one.
type Written = Result<(), String>;

fn by_hand(result: QueryResult<()>) -> Written {
    result.map_err(|error| failures::name_of_diesel(&error))
}

fn by_crate(result: Result<(), Error>) -> Written {
    result.map_err(|error| {
        if failures::is_deadlock(&error) {
            DEADLOCK.to_owned()
        } else {
            failures::name(&error)
        }
    })
}

/// When a shape has no deadlocks at all that reach the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Promise {
    Nothing,
    WithRetry,
    Always,
}

/// A way to write a batch.
struct Shape<C> {
    name: &'static str,
    is_by_hand: bool,
    table: &'static str,
    promise: Promise,
    write: fn(&mut C, &Batch) -> Written,
}

fn shapes<C: Server>() -> Vec<Shape<C>> {
    let mut shapes = Vec::from(shapes_by_hand());
    shapes.extend(shapes_of_one_target());
    shapes.extend(other_shapes());
    shapes
}

fn shapes_by_hand<C: Server>() -> [Shape<C>; 2] {
    [
        Shape {
            name: "one statement, rows in no order",
            is_by_hand: true,
            table: "stress_counters",
            promise: Promise::Nothing,
            write: |conn, batch| by_hand(conn.batch_execute(&statement::<C>(&batch.keys))),
        },
        Shape {
            name: "one transaction, chunks of 16, each sorted",
            is_by_hand: true,
            table: "stress_counters",
            promise: Promise::Nothing,
            write: |conn, batch| {
                by_hand(conn.transaction(|conn| {
                    for keys in batch.keys.chunks(CHUNK) {
                        let mut keys = keys.to_vec();
                        keys.sort_unstable();
                        conn.batch_execute(&statement::<C>(&keys))?;
                    }
                    Ok::<_, DieselError>(())
                }))
            },
        },
    ]
}

fn shapes_of_one_target<C: Server>() -> [Shape<C>; 2] {
    [
        Shape {
            name: "one statement",
            is_by_hand: false,
            table: "stress_counters",
            promise: Promise::Always,
            write: |conn, batch| by_crate(batch.send(conn, batch.rows(counter), None)),
        },
        Shape {
            name: "`chunk_size(16)`",
            is_by_hand: false,
            table: "stress_counters",
            promise: Promise::Always,
            write: |conn, batch| by_crate(batch.send(conn, batch.rows(counter), Some(CHUNK))),
        },
    ]
}

fn other_shapes<C: Server>() -> [Shape<C>; 7] {
    let shape = |name, table, write| Shape {
        name,
        is_by_hand: false,
        table,
        promise: Promise::WithRetry,
        write,
    };
    [
        shape(
            "a second unique index, bijective with the key",
            "stress_pairs",
            |conn, batch| {
                let row = |id| Paired {
                    id,
                    code: 1000 - id,
                    total: 1,
                };
                by_crate(batch.send(conn, batch.rows(row), Some(CHUNK)))
            },
        ),
        shape(
            "two independent unique indexes",
            "stress_moving",
            |conn, batch| {
                // The places of a batch are its own, and in another order than its keys.
                let place = |id| batch.number * PRIME + (id * 7919) % PRIME;
                let row = |id| Moving {
                    id,
                    place: place(id),
                    total: 1,
                };
                by_crate(batch.send(conn, batch.rows(row), Some(CHUNK)))
            },
        ),
        shape(
            "an id of the database's and a unique key",
            "stress_numbered",
            |conn, batch| {
                let row = |id| Numbered { id, total: 1 };
                by_crate(batch.send(conn, batch.rows(row), Some(CHUNK)))
            },
        ),
        shape(
            "a foreign key, other parents each time",
            "stress_children",
            |conn, batch| {
                by_crate(batch.send(conn, batch.rows(|id| child(id, batch)), Some(CHUNK)))
            },
        ),
        shape(
            "the same, and each fourth call writes the parents",
            "stress_children",
            |conn, batch| {
                if batch.number % 4 == 0 {
                    let row = |id| Parent { id, total: 1 };
                    let parents = (0..PARENTS).map(row).collect();
                    by_crate(batch.send(conn, parents, Some(CHUNK)))?;
                }
                by_crate(batch.send(conn, batch.rows(|id| child(id, batch)), Some(CHUNK)))
            },
        ),
        Shape {
            promise: Promise::Nothing,
            ..shape(
                "the caller's transaction with one call",
                "stress_counters",
                |conn, batch| {
                    by_crate(
                        conn.transaction(|conn| batch.send(conn, batch.rows(counter), Some(CHUNK))),
                    )
                },
            )
        },
        Shape {
            promise: Promise::Nothing,
            ..shape(
                "the caller's transaction with two calls",
                "stress_counters",
                |conn, batch| {
                    by_crate(conn.transaction(|conn| {
                        let mut first = batch.rows(counter);
                        let second = first.split_off(ROWS / 2);
                        batch.send(conn, first, None)?;
                        batch.send(conn, second, None)
                    }))
                },
            )
        },
    ]
}

fn child(id: i64, batch: &Batch) -> Child {
    Child {
        id,
        parent: (id * 7 + batch.number) % PARENTS,
        total: 1,
    }
}

/// Creates the tables, with the first `count` keys and totals of 0.
fn fill<C: Server>(conn: &mut C, count: i64) -> Result<(), Failed> {
    const KEY: &str = "id BIGINT NOT NULL PRIMARY KEY, total BIGINT NOT NULL";
    conn.batch_execute("DROP TABLE IF EXISTS stress_children")?;
    conn.create("stress_counters", KEY)?;
    conn.create(
        "stress_pairs",
        &format!("{KEY}, code BIGINT NOT NULL UNIQUE"),
    )?;
    conn.create(
        "stress_moving",
        &format!("{KEY}, place BIGINT NOT NULL UNIQUE"),
    )?;
    let numbered = format!(
        "number {}, id BIGINT NOT NULL UNIQUE, total BIGINT NOT NULL",
        C::NUMBERED
    );
    conn.create("stress_numbered", &numbered)?;
    conn.create("stress_parents", KEY)?;
    let parent = "parent BIGINT NOT NULL, FOREIGN KEY (parent) REFERENCES stress_parents (id)";
    conn.create("stress_children", &format!("{KEY}, {parent}"))?;

    let (keys, total) = (|| 0..count, 0);
    Counter::bulk_upsert(conn, keys().map(|id| Counter { id, total }))?;
    Paired::bulk_upsert(
        conn,
        keys().map(|id| Paired {
            id,
            code: 1000 - id,
            total,
        }),
    )?;
    Moving::bulk_upsert(
        conn,
        keys().map(|id| Moving {
            id,
            place: -id - 1,
            total,
        }),
    )?;
    Numbered::bulk_upsert(conn, keys().map(|id| Numbered { id, total }))?;
    Parent::bulk_upsert(conn, (0..PARENTS).map(|id| Parent { id, total }))?;
    Child::bulk_upsert(
        conn,
        keys().map(|id| Child {
            id,
            parent: id % PARENTS,
            total,
        }),
    )?;
    Ok(())
}

/// What the writers of a shape were told.
#[derive(Default)]
struct Told {
    acknowledged: i64,
    failures: Failures,
}

fn write<C: Server>(
    connect: Connect<C>,
    shape: &Shape<C>,
    retry: Option<Retry>,
    arguments: &Arguments,
) -> Result<Told, Failed> {
    let barrier = &Barrier::new(WRITERS);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let write = shape.write;
                scope.spawn(move || {
                    let conn = connect(&arguments.url);
                    barrier.wait();
                    let mut conn = conn?;
                    conn.find_deadlocks_soon();
                    if let Some(level) = &arguments.isolation {
                        conn.batch_execute(&format!("{} {level}", C::SET_ISOLATION))?;
                    }
                    let mut random = Random::new(writer as u64);
                    let mut told = Told::default();
                    for i in 0..arguments.batches {
                        let batch = Batch {
                            number: i64::try_from(1 + writer + i * WRITERS)?,
                            keys: random.keys(ROWS, arguments.keys),
                            retry,
                        };
                        match write(&mut conn, &batch) {
                            Ok(()) => told.acknowledged += 1,
                            Err(name) => told.failures.add(name),
                        }
                    }
                    Ok::<_, Failed>(told)
                })
            })
            .collect();
        let mut all = Told::default();
        for writer in writers {
            let told = writer.join().map_err(|_| "a writer has panicked")??;
            all.acknowledged += told.acknowledged;
            all.failures += told.failures;
        }
        Ok(all)
    })
}

pub(crate) fn run<C: Server>(connect: Connect<C>, arguments: &Arguments) -> Result<bool, Failed> {
    let isolation = arguments.isolation.as_deref();
    let retry = arguments.attempts.map_or(Retry::default(), |attempts| {
        Retry::default().attempts(attempts)
    });
    let total = arguments.batches * WRITERS;
    println!(
        "{}: {WRITERS} writers, {total} batches of {ROWS} of {} keys, {}{}\n",
        C::NAME,
        arguments.keys,
        if arguments.empty {
            "into empty tables, "
        } else {
            ""
        },
        isolation.unwrap_or("the server's isolation level"),
    );
    report::head(&[
        "by",
        "shape",
        "retry",
        "acknowledged",
        "deadlocks that reached the caller per 1000",
        "other errors",
        "sum is right",
        "promise holds",
        "seconds",
    ]);
    let mut all_hold = true;
    for shape in shapes::<C>() {
        for retry in [None, Some(retry)] {
            let is_asked_for = shape.name.contains(&arguments.only);
            if !is_asked_for || (shape.is_by_hand && retry.is_some()) {
                continue;
            }
            let mut conn = connect(&arguments.url)?;
            fill(&mut conn, if arguments.empty { 0 } else { arguments.keys })?;
            let begun = Instant::now();
            let told = write(connect, &shape, retry, arguments)?;
            let seconds = begun.elapsed().as_secs_f32();
            let query = format!("SELECT id, total FROM {}", shape.table);
            let sum: i64 = conn.numbers(&query)?.iter().map(|row| row.1).sum();
            let deadlocks = told.failures.count(DEADLOCK);
            let others = told.failures.without(DEADLOCK);
            let is_right = sum == told.acknowledged * ROWS_SUM;
            let has_none = deadlocks == 0 && others.is_empty();
            let holds = match (shape.promise, retry) {
                (Promise::Always | Promise::WithRetry, Some(_)) => has_none,
                // Above READ COMMITTED, writers of the same rows fail by design.
                (Promise::Always, None) => has_none || isolation.is_some(),
                _ => true,
            };
            all_hold &= is_right && holds;
            report::row(&[
                &if shape.is_by_hand { "hand" } else { "crate" },
                &shape.name,
                &if retry.is_some() { "yes" } else { "no" },
                &told.acknowledged,
                &(deadlocks * 1000 / total),
                &others,
                &report::verdict(is_right),
                &report::verdict(holds),
                &format!("{seconds:.1}"),
            ]);
        }
    }
    Ok(all_hold)
}

//! Callers that write the same rows do not deadlock with each other.

use std::sync::Barrier;

use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};

use crate::api::{Upsertable, upsert, wait};
use crate::support::Random;

diesel::table! {
    stock (sku) {
        sku -> Integer,
        batch -> Integer,
        first_batch -> Integer,
    }
}

const CREATE: &str = "CREATE TABLE stock (sku INTEGER NOT NULL PRIMARY KEY, \
     batch INTEGER NOT NULL, first_batch INTEGER NOT NULL)";

const KEYS: i32 = 200;
const WRITERS: i32 = 4;
const BATCHES_OF_EACH: i32 = 60;

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = stock)]
struct Stock {
    #[conflict_key]
    sku: i32,
    #[on_conflict(update)]
    batch: i32,
    first_batch: i32,
}

/// A batch that writes every key; half of the writers from the last key to the
/// first, the others in no order.
fn batch(number: i32) -> Vec<Stock> {
    let mut rows: Vec<_> = (0..KEYS)
        .rev()
        .map(|sku| Stock {
            sku,
            batch: number,
            first_batch: number,
        })
        .collect();
    if number % 2 == 0 {
        Random::new(u64::try_from(number).unwrap()).shuffle(&mut rows);
    }
    rows
}

fn is_deadlock(error: &DieselError) -> bool {
    // PostgreSQL's and InnoDB's words for it; its kind is the server's whim.
    let message = match error {
        DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => return true,
        DieselError::DatabaseError(_, info) => info.message().to_lowercase(),
        _ => return false,
    };
    message.contains("deadlock")
}

macro_rules! deadlock_tests {
    ($system:ident) => {
        mod $system {
            use super::*;
            use crate::support::$system::{Conn, TestDatabase};

            fn write_concurrently(mut database: TestDatabase, filled: bool) {
                database.run(CREATE);
                if filled {
                    wait(Stock::bulk_upsert(&mut database.conn, batch(0))).unwrap();
                }
                let barrier = Barrier::new(usize::try_from(WRITERS).unwrap());
                std::thread::scope(|scope| {
                    for writer in 0..WRITERS {
                        let mut conn = database.connect();
                        let barrier = &barrier;
                        scope.spawn(move || {
                            barrier.wait();
                            for i in 0..BATCHES_OF_EACH {
                                let rows = batch(1 + writer + i * WRITERS);
                                let written = wait(upsert(&rows).chunk_size(16).execute(&mut conn));
                                assert_eq!(written.unwrap(), rows.len());
                            }
                        });
                    }
                });
                let rows: Vec<(i32, i32, i32)> = stock::table
                    .order(stock::sku)
                    .load(&mut database.conn)
                    .unwrap();
                let skus: Vec<_> = rows.iter().map(|row| row.0).collect();
                assert_eq!(skus, (0..KEYS).collect::<Vec<_>>());
                // Each batch wrote all keys, so that all are of the batch that
                // was committed last, the last one of some writer; and all were
                // inserted by the one that was committed first.
                let (_, last, first) = rows[0];
                assert!(
                    rows.iter().all(|row| row.1 == last && row.2 == first),
                    "{rows:?}"
                );
                assert!(last > (BATCHES_OF_EACH - 1) * WRITERS, "{last}");
                assert!(
                    if filled {
                        first == 0
                    } else {
                        (1..=WRITERS).contains(&first)
                    },
                    "{first}"
                );
            }

            #[test]
            fn calls_that_update_the_same_rows_in_other_orders() {
                write_concurrently(TestDatabase::new(), true);
            }

            #[test]
            fn calls_that_insert_the_same_rows_in_other_orders() {
                write_concurrently(TestDatabase::new(), false);
            }

            /// What the sort is good for: the same rows in the order of the
            /// input, statement by statement in one transaction.
            #[test]
            fn statements_in_the_order_of_the_input_deadlock() {
                let mut database = TestDatabase::new();
                database.run(CREATE);
                wait(Stock::bulk_upsert(&mut database.conn, batch(0))).unwrap();

                let barrier = Barrier::new(2);
                let write = |conn: &mut Conn, rows: &[Stock]| {
                    conn.transaction(|conn| {
                        let (first, rest) = rows.split_first().unwrap();
                        let first = wait(first.upsert(conn));
                        // Now each holds the row that the other wants next.
                        barrier.wait();
                        first?;
                        for row in rest {
                            wait(row.upsert(conn))?;
                        }
                        Ok::<_, DieselError>(())
                    })
                };
                let row = |sku, batch| Stock {
                    sku,
                    batch,
                    first_batch: batch,
                };
                let (up, down) = std::thread::scope(|scope| {
                    let (mut up, mut down) = (database.connect(), database.connect());
                    let write = &write;
                    let up = scope.spawn(move || write(&mut up, &[row(1, 1), row(2, 1)]));
                    let down = scope.spawn(move || write(&mut down, &[row(2, 2), row(1, 2)]));
                    (up.join().unwrap(), down.join().unwrap())
                });
                let survivor = match (&up, &down) {
                    (Ok(()), Err(error)) if is_deadlock(error) => 1,
                    (Err(error), Ok(())) if is_deadlock(error) => 2,
                    results => panic!("no deadlock: {results:?}"),
                };
                let rows: Vec<(i32, i32, i32)> = stock::table
                    .filter(stock::batch.ne(0))
                    .order(stock::sku)
                    .load(&mut database.conn)
                    .unwrap();
                assert_eq!(rows, [(1, survivor, 0), (2, survivor, 0)]);

                // A call with the same rows, each a statement, does not.
                let barrier = Barrier::new(2);
                let call = |conn: &mut Conn, rows: &[Stock]| {
                    barrier.wait();
                    wait(upsert(rows).chunk_size(1).execute(conn))
                };
                for batch in 10..30 {
                    std::thread::scope(|scope| {
                        let (mut up, mut down) = (database.connect(), database.connect());
                        let call = &call;
                        let up =
                            scope.spawn(move || call(&mut up, &[row(1, batch), row(2, batch)]));
                        let down =
                            scope.spawn(move || call(&mut down, &[row(2, -batch), row(1, -batch)]));
                        assert_eq!(up.join().unwrap().unwrap(), 2);
                        assert_eq!(down.join().unwrap().unwrap(), 2);
                    });
                    let rows: Vec<(i32, i32, i32)> = stock::table
                        .filter(stock::batch.ne(0))
                        .order(stock::sku)
                        .load(&mut database.conn)
                        .unwrap();
                    let winner = rows[0].1;
                    assert_eq!(winner.abs(), batch);
                    assert_eq!(rows, [(1, winner, 0), (2, winner, 0)]);
                }
            }
        }
    };
}

#[cfg(feature = "postgres")]
deadlock_tests!(postgres);
#[cfg(feature = "mysql")]
deadlock_tests!(mysql);

//! A call runs again after other transactions were in its way.

use std::thread;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::{Action, Contention, Error, Retry};

use crate::api::{Upsertable, connect, stream, upsert, upsert_stream, wait};
use crate::support::{Event, Recorder};

diesel::table! {
    stock (sku) {
        sku -> Integer,
        amount -> Integer,
    }
}

const CREATE: &str =
    "CREATE TABLE stock (sku INTEGER NOT NULL PRIMARY KEY, amount INTEGER NOT NULL)";

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = stock)]
struct Stock {
    #[conflict_key]
    sku: i32,
    #[on_conflict(add)]
    amount: i32,
}

fn stock_of(skus: impl IntoIterator<Item = i32>) -> Vec<Stock> {
    let stock = skus.into_iter().map(|sku| Stock { sku, amount: 1 });
    stock.collect()
}

#[track_caller]
fn assert_contention(error: &Error, contention: Contention, attempts: u32) {
    match error {
        Error::Contention {
            contention: found,
            attempts: made,
            ..
        } => assert_eq!((*found, *made), (contention, attempts), "{error}"),
        error => panic!("not a contention: {error:?}"),
    }
    assert_eq!(error.contention(), Some(contention));
}

/// The attempts that a connection has made in transactions.
fn attempts(recorder: &Recorder) -> usize {
    let events = recorder.take();
    events
        .iter()
        .filter(|event| **event == Event::Begin)
        .count()
}

fn quickly() -> Retry {
    Retry::default()
        .first_delay(Duration::from_millis(1))
        .max_delay(Duration::from_millis(20))
        .attempts(1000)
        .time_limit(Duration::from_secs(30))
}

macro_rules! retry_tests {
    ($system:ident, $($item:item)*) => {
        mod $system {
            use super::*;
            use crate::support::$system::{Conn, TestDatabase};

            fn amounts(conn: &mut Conn) -> Vec<(i32, i32)> {
                stock::table.order(stock::sku).load(conn).unwrap()
            }

            $($item)*
        }
    };
}

macro_rules! server_tests {
    ($system:ident, $short_wait:literal, $reader:literal) => {
        retry_tests! {
            $system,
            use crate::support::$system::{be_patient, connection_id, until_it_waits};

            fn database() -> TestDatabase {
                let mut database = TestDatabase::new();
                database.run(CREATE);
                let rows = stock_of(0..50);
                wait(Stock::bulk_upsert(&mut database.conn, rows)).unwrap();
                database
            }

            /// Runs `call` into a deadlock with another transaction, which is the older one
            /// and has done more.
            fn deadlock<T: Send>(
                database: &TestDatabase,
                call: impl FnOnce(&mut Conn) -> T + Send,
            ) -> T {
                let (mut other, mut conn) = (database.connect(), database.connect());
                let id = connection_id(&mut conn);
                let update = |conn: &mut Conn, skus: &str| {
                    let sql = format!("UPDATE stock SET amount = amount + 100 WHERE sku {skus}");
                    conn.batch_execute(&sql).unwrap();
                };
                be_patient(&mut other);
                other.batch_execute("BEGIN").unwrap();
                update(&mut other, "BETWEEN 2 AND 49");
                let result = thread::scope(|scope| {
                    let call = scope.spawn(|| call(&mut conn));
                    until_it_waits(&mut database.connect(), id);
                    update(&mut other, "= 1");
                    other.batch_execute("COMMIT").unwrap();
                    call.join().unwrap()
                });
                result
            }

            #[test]
            fn a_deadlock_is_told_and_leaves_nothing() {
                let mut database = database();
                let error = deadlock(&database, |conn| {
                    wait(upsert(stock_of([1, 2])).chunk_size(1).execute(conn)).unwrap_err()
                });
                assert_contention(&error, Contention::Deadlock, 1);
                assert_eq!(
                    error.to_string(),
                    "upsert into `stock` on conflict (sku), input row 1: a deadlock with another \
transaction: run the transaction again from its beginning, as `retry(..)` \
does for a call that has its own"
                );
                let amounts = amounts(&mut database.conn);
                assert_eq!(amounts[..3], [(0, 1), (1, 101), (2, 101)]);
            }

            #[test]
            fn a_deadlock_is_tried_again() {
                let mut database = database();
                let (written, attempts) = deadlock(&database, |conn| {
                    let recorder = Recorder::of(conn);
                    let call = upsert(stock_of([1, 2])).chunk_size(1).retry(quickly());
                    (wait(call.execute(conn)), attempts(&recorder))
                });
                assert_eq!((written.unwrap(), attempts), (2, 2));
                let amounts = amounts(&mut database.conn);
                assert_eq!(amounts[..4], [(0, 1), (1, 102), (2, 102), (3, 101)]);
            }

            #[test]
            fn results_are_those_of_the_last_attempt() {
                let mut database = database();
                let outcome = deadlock(&database, |conn| {
                    let rows = stock_of([1, 2, 70]);
                    let call = upsert(rows).chunk_size(1).retry(quickly());
                    wait(call.outcome(conn))
                });
                let actions = [Action::Updated, Action::Updated, Action::Inserted];
                assert_eq!(outcome.unwrap().actions(), actions);
                let returned = deadlock(&database, |conn| {
                    let rows = stock_of([1, 2, 71]);
                    let call = upsert(rows).chunk_size(1).retry(quickly());
                    wait(call.returning(stock::amount).get_results::<i32, _>(conn))
                });
                assert_eq!(returned.unwrap(), [203, 203, 1]);
                let amounts = amounts(&mut database.conn);
                assert_eq!(amounts[..3], [(0, 1), (1, 203), (2, 203)]);
            }

            #[test]
            fn in_the_callers_transaction_nothing_is_tried_again() {
                let mut database = database();
                let result = deadlock(&database, |conn| {
                    let recorder = Recorder::of(conn);
                    let result = conn.transaction(|conn| {
                        conn.batch_execute("UPDATE stock SET amount = 7 WHERE sku = 0")?;
                        let call = upsert(stock_of([1, 2])).chunk_size(1).retry(quickly());
                        wait(call.execute(conn))
                    });
                    let sent = recorder.take_upserts();
                    assert!(sent.len() <= 2, "{sent:?}");
                    // The connection goes on working.
                    assert_eq!(wait(upsert(stock_of([90])).execute(conn)).unwrap(), 1);
                    result
                });
                assert_contention(&result.unwrap_err(), Contention::Deadlock, 1);
                let amounts = amounts(&mut database.conn);
                assert_eq!(amounts[..3], [(0, 1), (1, 101), (2, 101)]);
                assert_eq!(amounts.last(), Some(&(90, 1)));
            }

            #[test]
            fn a_stream_tries_each_of_its_transactions_again() {
                let mut database = database();
                let written = deadlock(&database, |conn| {
                    let call = upsert_stream(stream(stock_of([0, 1, 2, 3, 80])))
                        .commit_every(3)
                        .chunk_size(1)
                        .retry(quickly());
                    wait(call.execute(conn))
                });
                assert_eq!(written.unwrap(), 5);
                let amounts = amounts(&mut database.conn);
                assert_eq!(amounts[..4], [(0, 2), (1, 102), (2, 102), (3, 102)]);
                assert_eq!(amounts.last(), Some(&(80, 1)));

                let call = upsert_stream(stream(stock_of([1]))).retry(quickly());
                assert_eq!(
                    wait(call.execute(&mut database.conn)).unwrap_err().to_string(),
                    "upsert into `stock`: `retry` sends the rows of a transaction again, of which \
a stream keeps 16384: add `commit_every(..)` with no more than that, or \
leave out `retry(..)`"
                );
            }

            #[test]
            fn a_lock_that_is_held_for_too_long() {
                let mut database = database();
                let mut conn = database.connect();
                conn.batch_execute($short_wait).unwrap();
                let mut other = database.connect();
                other.batch_execute("BEGIN; UPDATE stock SET amount = 5 WHERE sku = 1").unwrap();
                for attempts in [1, 2] {
                    let call = upsert(stock_of([0, 1])).retry(quickly().attempts(attempts));
                    let error = wait(call.execute(&mut conn)).unwrap_err();
                    assert_contention(&error, Contention::LockTimeout, attempts);
                }
                assert!(
                    wait(upsert(stock_of([1])).retry(quickly().attempts(2)).execute(&mut conn))
                        .unwrap_err()
                        .to_string()
                        .contains("held a lock for too long, in the last of 2 attempts too: run")
                );
                thread::scope(|scope| {
                    let call = scope.spawn(|| {
                        wait(upsert(stock_of([0, 1])).retry(quickly()).execute(&mut conn))
                    });
                    thread::sleep(Duration::from_millis(1500));
                    other.batch_execute("COMMIT").unwrap();
                    assert_eq!(call.join().unwrap().unwrap(), 2);
                });
                assert_eq!(amounts(&mut database.conn)[..3], [(0, 2), (1, 6), (2, 1)]);
            }

            #[test]
            fn a_row_that_another_transaction_has_changed() {
                let mut database = database();
                let mut conn = database.connect();
                if conn.batch_execute($reader).is_err() {
                    // MariaDB has `innodb_snapshot_isolation` since 10.6.18.
                    return;
                }
                let id = connection_id(&mut conn);
                for (retry, expected) in [(None, 15), (Some(quickly()), 26)] {
                    let mut other = database.connect();
                    let update = "BEGIN; UPDATE stock SET amount = amount + 10 WHERE sku = 2";
                    database.run("UPDATE stock SET amount = 5");
                    if retry.is_some() {
                        database.run("UPDATE stock SET amount = 15");
                    }
                    other.batch_execute(update).unwrap();
                    let result = thread::scope(|scope| {
                        let call = scope.spawn(|| {
                            let call = upsert(stock_of([1, 2])).chunk_size(1);
                            let call = match retry {
                                Some(retry) => call.retry(retry),
                                None => call,
                            };
                            wait(call.execute(&mut conn))
                        });
                        until_it_waits(&mut database.connect(), id);
                        other.batch_execute("COMMIT").unwrap();
                        call.join().unwrap()
                    });
                    match (retry, result) {
                        (None, Err(error)) => {
                            assert_contention(&error, Contention::Serialization, 1);
                        }
                        (Some(_), Ok(written)) => assert_eq!(written, 2),
                        // InnoDB works on the current row where it has read nothing yet.
                        (None, Ok(2)) if stringify!($system) == "mysql" => continue,
                        (_, result) => panic!("{result:?}"),
                    }
                    assert_eq!(amounts(&mut database.conn)[2], (2, expected));
                }
            }
        }
    };
}

#[cfg(feature = "postgres")]
server_tests!(
    postgres,
    "SET lock_timeout = 200",
    "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ"
);
#[cfg(feature = "mysql")]
server_tests!(
    mysql,
    "SET innodb_lock_wait_timeout = 1",
    "SET innodb_snapshot_isolation = ON"
);

retry_tests! {
    sqlite,
    use super::stock_of as rows_of;

    #[test]
    fn a_database_that_another_connection_writes() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        let mut other = database.connect();
        let mut conn: Conn = connect(database.url());
        conn.batch_execute("PRAGMA busy_timeout = 0").unwrap();
        other.batch_execute("BEGIN IMMEDIATE; INSERT INTO stock VALUES (1, 5)").unwrap();
        for rows in [rows_of([1]), rows_of(0..300)] {
            for attempts in [1, 3] {
                let call = upsert(&rows).retry(quickly().attempts(attempts));
                let error = wait(call.execute(&mut conn)).unwrap_err();
                assert_contention(&error, Contention::Busy, attempts);
                let advice = "or let the connection wait longer with `PRAGMA busy_timeout`";
                assert!(error.to_string().ends_with(advice), "{error}");
            }
        }
        thread::scope(|scope| {
            let call = scope.spawn(|| wait(upsert(rows_of(0..300)).retry(quickly()).execute(&mut conn)));
            thread::sleep(Duration::from_millis(100));
            other.batch_execute("COMMIT").unwrap();
            assert_eq!(call.join().unwrap().unwrap(), 300);
        });
        let amounts = amounts(&mut database.conn);
        assert_eq!((amounts.len(), amounts[1]), (300, (1, 6)));
    }

    #[test]
    fn what_is_not_contention_is_not_tried_again() {
        let mut database = TestDatabase::new();
        let recorder = Recorder::of(&mut database.conn);
        let call = upsert(rows_of(0..30)).retry(Retry::default());
        let error = wait(call.execute(&mut database.conn)).unwrap_err();
        assert_eq!(error.contention(), None);
        assert_eq!(attempts(&recorder), 1);
    }
}

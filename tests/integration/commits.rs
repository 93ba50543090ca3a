//! What a call says of its transaction when the connection is lost.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::{CommitOutcome, Error, OnError, Retry};

use crate::api::{Upsertable, connect, stream, upsert, upsert_stream, wait};
use crate::proxy::{Cut, Proxy};

diesel::table! {
    counters (id) {
        id -> Integer,
        total -> Integer,
    }
}

const CREATE: &str = "CREATE TABLE counters (id INTEGER NOT NULL PRIMARY KEY, \
     total INTEGER NOT NULL)";

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = counters)]
struct Counter {
    #[conflict_key]
    id: i32,
    #[on_conflict(add)]
    total: i32,
}

fn counters() -> Vec<Counter> {
    (0..5).map(|id| Counter { id, total: 1 }).collect()
}

macro_rules! commit_tests {
    ($system:ident) => {
        mod $system {
            use super::*;
            use crate::support::$system::{Conn, TestDatabase};

            fn totals(conn: &mut Conn) -> Vec<i32> {
                counters::table
                    .order(counters::id)
                    .select(counters::total)
                    .load(conn)
                    .unwrap()
            }

            fn database() -> (TestDatabase, Proxy) {
                let mut database = TestDatabase::new();
                database.run(CREATE);
                database.run(
                    <<Conn as Connection>::Backend as upsert_core::Dialect>::CREATE_TOKENS,
                );
                let proxy = Proxy::to(database.url());
                (database, proxy)
            }

            /// Waits until the server has seen that a client is gone.
            fn eventually(database: &mut TestDatabase, expected: &[i32]) {
                for _ in 0..100 {
                    if totals(&mut database.conn) == expected {
                        return;
                    }
                    std::thread::sleep(std::time::Duration::from_millis(20));
                }
                assert_eq!(totals(&mut database.conn), expected);
            }

            #[test]
            fn a_commit_without_an_answer_is_unknown() {
                let (mut database, proxy) = database();
                for (cut, expected) in [
                    (Cut::Before("COMMIT"), Vec::new()),
                    (Cut::After("COMMIT"), vec![1; 5]),
                ] {
                    let mut conn: Conn = connect(proxy.url());
                    proxy.cut(cut);
                    let call = upsert(counters()).chunk_size(2).retry(Retry::default());
                    let error = wait(call.execute(&mut conn)).unwrap_err();
                    assert!(matches!(error, Error::CommitUnknown { .. }), "{error:?}");
                    assert_eq!(error.commit_outcome(), CommitOutcome::Unknown);
                    assert_eq!(
                        error.to_string(),
                        "upsert into `counters` on conflict (id): the connection was lost while \
                         the call was being committed, and it is not known whether its rows are \
                         in the table: look, or run it again where that does no harm; with \
                         `idempotency_token(..)` it never does"
                    );
                    eventually(&mut database, &expected);
                }
            }

            #[test]
            fn a_single_statement_without_an_answer_is_unknown() {
                let (mut database, proxy) = database();
                // One that nothing is asked for before.
                wait(Counter::bulk_upsert(&mut database.conn, counters())).unwrap();
                for (cut, expected) in [(Cut::Before("INSERT"), [1; 5]), (Cut::After("INSERT"), [2; 5])] {
                    let mut conn: Conn = connect(proxy.url());
                    proxy.cut(cut);
                    let error = wait(Counter::bulk_upsert(&mut conn, counters())).unwrap_err();
                    assert_eq!(error.commit_outcome(), CommitOutcome::Unknown, "{error:?}");
                    // Where the statement is prepared first, the link is cut at that.
                    let now = totals(&mut database.conn);
                    assert!(now == expected || now == [1; 5], "{now:?}");
                }
            }

            #[test]
            fn a_connection_lost_before_the_commit_leaves_nothing() {
                let (mut database, proxy) = database();
                for cut in [Cut::Before("INSERT"), Cut::After("INSERT")] {
                    let mut conn: Conn = connect(proxy.url());
                    proxy.cut(cut);
                    let call = upsert(counters()).chunk_size(2).retry(Retry::default());
                    let error = wait(call.execute(&mut conn)).unwrap_err();
                    assert!(matches!(error, Error::ConnectionLost { .. }), "{error:?}");
                    assert_eq!(error.commit_outcome(), CommitOutcome::Nothing);
                    eventually(&mut database, &[]);
                    // The connection is of no use any more, and says so.
                    let error = wait(upsert(counters()).execute(&mut conn)).unwrap_err();
                    assert!(totals(&mut database.conn).is_empty(), "{error:?}");
                }
            }

            #[test]
            fn in_the_callers_transaction_a_lost_connection_commits_nothing() {
                let (mut database, proxy) = database();
                for cut in [
                    Cut::Before("SAVEPOINT"),
                    Cut::After("INSERT"),
                    Cut::After("RELEASE"),
                ] {
                    let mut conn: Conn = connect(proxy.url());
                    let result = conn.transaction(|conn| {
                        conn.batch_execute("SELECT 1")?;
                        proxy.cut(cut);
                        let written = wait(upsert(counters()).chunk_size(2).execute(conn));
                        let error = written.as_ref().unwrap_err();
                        assert_eq!(error.commit_outcome(), CommitOutcome::Nothing, "{error:?}");
                        written
                    });
                    assert!(result.is_err());
                    eventually(&mut database, &[]);
                }
            }

            #[test]
            fn the_callers_commit_without_an_answer_is_unknown() {
                let (mut database, proxy) = database();
                for (cut, expected) in [
                    (Cut::Before("COMMIT"), Vec::new()),
                    (Cut::After("COMMIT"), vec![1; 5]),
                ] {
                    let mut conn: Conn = connect(proxy.url());
                    proxy.cut(cut);
                    let call = |conn: &mut Conn| wait(upsert(counters()).execute(conn));
                    let error = conn.transaction::<_, Error, _>(call).unwrap_err();
                    assert_eq!(error.commit_outcome(), CommitOutcome::Unknown, "{error:?}");
                    assert_eq!(
                        error.to_string(),
                        "upsert: the connection was lost; if it was at the COMMIT of a \
                         transaction, it is not known whether that is in the table: look, before \
                         it is run again"
                    );
                    eventually(&mut database, &expected);
                }
            }

            /// An error that was Diesel's in between says the same.
            #[test]
            fn diesels_errors_keep_what_is_unknown() {
                let (_database, proxy) = database();
                let mut conn: Conn = connect(proxy.url());
                proxy.cut(Cut::After("COMMIT"));
                let error = wait(upsert(counters()).chunk_size(2).execute(&mut conn)).unwrap_err();
                let error = Error::from(diesel::result::Error::from(error));
                assert_eq!(error.commit_outcome(), CommitOutcome::Unknown, "{error:?}");
            }

            /// The rows that are left out if the call is committed are told; the call that is
            /// sent again tells of none.
            #[test]
            fn rows_that_are_left_out_by_a_commit_without_an_answer_are_told() {
                let (mut database, proxy) = database();
                database.run("ALTER TABLE counters ADD CHECK (total < 100)");
                let mut rows = counters();
                rows[2].total = 500;
                let mut conn: Conn = connect(proxy.url());
                proxy.cut(Cut::After("COMMIT"));
                let mut failed = Vec::new();
                for expected in [None, Some(0)] {
                    let call = upsert(rows.clone()).on_error(OnError::Skip(&mut failed));
                    let written = wait(call.idempotency_token("feed").execute(&mut conn));
                    assert_eq!(written.ok(), expected);
                    conn = connect(proxy.url());
                }
                assert_eq!(failed.iter().map(|it| it.row).collect::<Vec<_>>(), [2]);
                eventually(&mut database, &[1; 4]);
            }

            #[test]
            fn a_connection_lost_after_a_row_has_failed_is_not_the_rows_fault() {
                let (mut database, proxy) = database();
                database.run("ALTER TABLE counters ADD CHECK (total < 100)");
                let mut rows = counters();
                rows[2].total = 500;
                let mut conn: Conn = connect(proxy.url());
                proxy.cut(Cut::Before("ROLLBACK TO"));
                let mut failed = Vec::new();
                let call = upsert(rows).on_error(OnError::Skip(&mut failed));
                let error = wait(call.execute(&mut conn)).unwrap_err();
                assert!(matches!(error, Error::ConnectionLost { .. }), "{error:?}");
                assert_eq!(failed.len(), 0);
                eventually(&mut database, &[]);
            }

            #[test]
            fn a_stream_says_how_far_it_got_for_certain() {
                let (mut database, proxy) = database();
                let mut conn: Conn = connect(proxy.url());
                let mut sent = 0;
                let rows = (0..50).map(|id| Counter { id, total: 1 }).map(|row| {
                    sent += 1;
                    if sent == 25 {
                        proxy.cut(Cut::After("COMMIT"));
                    }
                    row
                });
                let call = upsert_stream(stream(rows)).commit_every(10).chunk_size(4);
                let error = wait(call.execute(&mut conn)).unwrap_err();
                assert_eq!(error.commit_outcome(), CommitOutcome::Unknown);
                assert_eq!(
                    error.to_string(),
                    "upsert into `counters` on conflict (id): the connection was lost while a \
                     transaction was being committed; the first 20 rows of the input are \
                     committed, and perhaps those of that transaction: look for the row behind \
                     them, and go on behind what is there"
                );
                let Error::Interrupted { committed, .. } = error else {
                    panic!("{error:?}");
                };
                assert_eq!(committed, 20);
                eventually(&mut database, &[1; 30]);
            }

            /// As many commits as this, of which every fifth is cut after the server got it.
            const CALLS: usize = 100;

            /// Sends a call as often as it takes, and returns how many answers were lost.
            fn send(proxy: &Proxy, token: Option<&str>, cut: bool) -> usize {
                let mut unknown = 0;
                loop {
                    let mut conn: Conn = connect(proxy.url());
                    if cut && unknown == 0 {
                        proxy.cut(Cut::After("COMMIT"));
                    }
                    let call = upsert(counters()).chunk_size(2);
                    let call = match token {
                        Some(token) => call.idempotency_token(token),
                        None => call,
                    };
                    match wait(call.execute(&mut conn)) {
                        Ok(_) => return unknown,
                        Err(error) if error.commit_outcome() == CommitOutcome::Unknown => {
                            unknown += 1;
                        }
                        Err(error) => panic!("{error:?}"),
                    }
                }
            }

            #[test]
            fn with_a_token_no_call_is_applied_twice() {
                let (mut database, proxy) = database();
                let calls = 0..CALLS;
                let unknown = calls.map(|i| send(&proxy, Some(&format!("call {i}")), i % 5 == 4));
                assert_eq!(unknown.sum::<usize>(), CALLS / 5);
                assert_eq!(totals(&mut database.conn), [100; 5]);
            }

            #[test]
            fn without_a_token_every_lost_answer_is_told() {
                let (mut database, proxy) = database();
                let unknown = (0..CALLS).map(|i| send(&proxy, None, i % 5 == 4));
                assert_eq!(unknown.sum::<usize>(), CALLS / 5);
                // Whoever sends it again all the same has it twice.
                assert_eq!(totals(&mut database.conn), [120; 5]);
            }
        }
    };
}

/// The statement has committed itself before the rows are counted that it has kept.
#[cfg(feature = "mysql")]
#[test]
fn a_count_that_is_lost_behind_a_statement_is_unknown() {
    use crate::support::mysql::{Conn, TestDatabase};

    let mut database = TestDatabase::new();
    database.run(CREATE);
    let proxy = Proxy::to(database.url());
    let mut conn: Conn = connect(proxy.url());
    proxy.cut(Cut::Before("@upsert_number = @upsert_kept"));
    let call = upsert([Counter { id: 1, total: 5 }]).do_nothing();
    let error = wait(call.execute(&mut conn)).unwrap_err();
    assert_eq!(error.commit_outcome(), CommitOutcome::Unknown, "{error:?}");
    let count: i64 = counters::table
        .count()
        .get_result(&mut database.conn)
        .unwrap();
    assert_eq!(count, 1);
}

/// The statement has had its answer; only the question about it has not.
#[cfg(feature = "mysql")]
#[test]
fn a_row_that_was_refused_is_not_unknown() {
    use crate::support::mysql::{Conn, TestDatabase};

    let mut database = TestDatabase::new();
    database.run(CREATE);
    database.run("ALTER TABLE counters ADD CHECK (total < 100)");
    let proxy = Proxy::to(database.url());
    let mut conn: Conn = connect(proxy.url());
    proxy.cut(Cut::Before("GET DIAGNOSTICS"));
    let error = wait(upsert([Counter { id: 1, total: 500 }]).execute(&mut conn)).unwrap_err();
    assert_eq!(error.commit_outcome(), CommitOutcome::Nothing, "{error:?}");
}

#[cfg(feature = "postgres")]
commit_tests!(postgres);
#[cfg(feature = "mysql")]
commit_tests!(mysql);

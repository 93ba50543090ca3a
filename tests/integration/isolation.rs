//! What PostgreSQL's isolation tests say of two transactions that write the same rows, retold
//! as calls; MariaDB does the same where it has the feature.
//!
//! The numbers are those of the list in `scenarios.rs`: T22 to T31 are the specs
//! `insert-conflict-*` of PostgreSQL. These do not apply:
//!
//! | scenario | reason |
//! |---|---|
//! | T30 `DO NOTHING` counts as a read under `SERIALIZABLE` | PostgreSQL 15.18 lets both commit, 15.20 does not; the crate promises nothing |
//! | T31 `DO SELECT` | no released PostgreSQL has it |

use std::fmt::Debug;
use std::sync::Barrier;
use std::thread::{self, ScopedJoinHandle};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::{Action, Contention, Outcome};

use crate::api::{Upsertable, upsert, wait};
use crate::support::until;

diesel::table! {
    fruits (id) {
        id -> Integer,
        name -> Text,
        active -> Bool,
    }
}

const CREATE: &str = "CREATE TABLE fruits (id INTEGER NOT NULL PRIMARY KEY, \
     name TEXT NOT NULL, active BOOLEAN NOT NULL DEFAULT TRUE)";

type Row = (i32, String, bool);

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = fruits)]
struct Fruit {
    #[conflict_key]
    id: i32,
    #[on_conflict(update)]
    name: String,
}

/// Only rows that are active.
#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = fruits)]
#[upsert(update_if = fruits::active)]
struct ActiveFruit {
    #[conflict_key]
    id: i32,
    #[on_conflict(update)]
    name: String,
}

fn fruit(id: i32, name: &str) -> Fruit {
    Fruit {
        id,
        name: name.to_owned(),
    }
}

fn row(id: i32, name: &str, active: bool) -> Row {
    (id, name.to_owned(), active)
}

/// Waits until a call waits for a lock.
#[track_caller]
fn waiting<T: Debug>(
    call: ScopedJoinHandle<'_, T>,
    mut waits: impl FnMut() -> bool,
) -> ScopedJoinHandle<'_, T> {
    until(|| call.is_finished() || waits());
    assert!(
        !call.is_finished(),
        "it does not wait, but ends with {:?}",
        call.join()
    );
    call
}

macro_rules! isolation_tests {
    ($system:ident) => {
        mod $system {
            use super::*;
            use crate::support::$system::{Conn, TestDatabase, connection_id, waits};

            fn rows(conn: &mut Conn) -> Vec<Row> {
                fruits::table.order(fruits::id).load(conn).unwrap()
            }

            /// Runs `call` while another transaction holds what it has done, which then ends.
            fn meanwhile<T: Debug + Send>(
                database: &TestDatabase,
                sql: &str,
                end: &str,
                call: impl FnOnce(&mut Conn) -> T + Send,
            ) -> T {
                let (mut other, mut conn) = (database.connect(), database.connect());
                let id = connection_id(&mut conn);
                other.batch_execute(&format!("BEGIN; {sql}")).unwrap();
                thread::scope(|scope| {
                    let mut watcher = database.connect();
                    let call = scope.spawn(|| call(&mut conn));
                    let call = waiting(call, || waits(&mut watcher, id));
                    other.batch_execute(end).unwrap();
                    call.join().unwrap()
                })
            }

            fn database() -> TestDatabase {
                let mut database = TestDatabase::new();
                database.run(CREATE);
                database
            }

            #[track_caller]
            fn actions(outcome: upsert_core::Result<Outcome>) -> Vec<Action> {
                outcome.unwrap().actions().to_vec()
            }

            const INSERT: &str = "INSERT INTO fruits (id, name) VALUES (1, 'other')";

            #[test]
            fn t22_do_nothing_waits_for_the_other_insert() {
                for (end, action, name) in [
                    ("COMMIT", Action::Skipped, "other"),
                    ("ROLLBACK", Action::Inserted, "mine"),
                ] {
                    let mut database = database();
                    let outcome = meanwhile(&database, INSERT, end, |conn| {
                        wait(upsert([fruit(1, "mine")]).do_nothing().outcome(conn))
                    });
                    assert_eq!(actions(outcome), [action]);
                    assert_eq!(rows(&mut database.conn), [row(1, name, true)]);
                }
            }

            #[test]
            fn t22_get_or_create_returns_the_row_of_the_other() {
                let mut database = database();
                let names = meanwhile(&database, INSERT, "COMMIT", |conn| {
                    let call = upsert([fruit(1, "mine"), fruit(2, "mine")]).do_nothing();
                    wait(call.returning(fruits::name).get_results::<String, _>(conn))
                });
                assert_eq!(names.unwrap(), ["other", "mine"]);
                let expected = [row(1, "other", true), row(2, "mine", true)];
                assert_eq!(rows(&mut database.conn), expected);
            }

            #[test]
            fn t24_an_update_waits_for_the_other_insert() {
                for (end, action) in [("COMMIT", Action::Updated), ("ROLLBACK", Action::Inserted)] {
                    let mut database = database();
                    let outcome = meanwhile(&database, INSERT, end, |conn| {
                        wait(upsert([fruit(1, "mine")]).outcome(conn))
                    });
                    assert_eq!(actions(outcome), [action]);
                    assert_eq!(rows(&mut database.conn), [row(1, "mine", true)]);
                }
            }

            #[test]
            fn t26_a_guard_looks_at_the_row_that_is_locked() {
                for (before, after) in [(true, false), (false, true)] {
                    let mut database = database();
                    database.run(&format!("INSERT INTO fruits VALUES (1, 'old', {before})"));
                    let update = format!("UPDATE fruits SET active = {after} WHERE id = 1");
                    let outcome = meanwhile(&database, &update, "COMMIT", |conn| {
                        let fruit = ActiveFruit {
                            id: 1,
                            name: "new".to_owned(),
                        };
                        wait(upsert([fruit]).outcome(conn))
                    });
                    let (action, name) = if after {
                        (Action::Updated, "new")
                    } else {
                        (Action::Skipped, "old")
                    };
                    assert_eq!(actions(outcome), [action]);
                    assert_eq!(rows(&mut database.conn), [row(1, name, after)]);
                }
            }

            #[test]
            fn t27_a_row_that_is_deleted_meanwhile_is_inserted() {
                let mut database = database();
                database.run("INSERT INTO fruits VALUES (1, 'old', FALSE)");
                let delete = "DELETE FROM fruits WHERE id = 1";
                let outcome = meanwhile(&database, delete, "COMMIT", |conn| {
                    wait(upsert([fruit(1, "new")]).outcome(conn))
                });
                assert_eq!(actions(outcome), [Action::Inserted]);
                assert_eq!(rows(&mut database.conn), [row(1, "new", true)]);
            }

            #[test]
            fn t28_two_calls_that_insert_the_same_row_at_once() {
                const ROUNDS: i32 = 50;
                let mut database = database();
                let barrier = Barrier::new(2);
                let outcomes = thread::scope(|scope| {
                    let call = |name: &'static str| {
                        let mut conn = database.connect();
                        let barrier = &barrier;
                        scope.spawn(move || {
                            let round = |id| {
                                // Nobody panics here, as the other would wait for ever.
                                barrier.wait();
                                wait(upsert([fruit(id, name)]).outcome(&mut conn))
                            };
                            (0..ROUNDS).map(round).collect::<Vec<_>>()
                        })
                    };
                    let (one, two) = (call("one"), call("two"));
                    [one, two].map(|call| {
                        let outcomes = call.join().unwrap().into_iter();
                        outcomes.map(|it| actions(it)[0]).collect::<Vec<_>>()
                    })
                });
                let [ones, twos] = outcomes;
                let rows = rows(&mut database.conn);
                assert_eq!(rows.len(), usize::try_from(ROUNDS).unwrap());
                for ((row, one), two) in rows.iter().zip(ones).zip(twos) {
                    let winner = match (one, two) {
                        (Action::Inserted, Action::Updated) => "two",
                        (Action::Updated, Action::Inserted) => "one",
                        actions => panic!("{actions:?}"),
                    };
                    assert_eq!(row.1, winner);
                }
            }

            #[test]
            fn t29_large_values_that_are_not_written() {
                let mut database = database();
                let large = "x".repeat(60_000);
                let outcome = meanwhile(&database, INSERT, "COMMIT", |conn| {
                    wait(upsert([fruit(1, &large)]).do_nothing().outcome(conn))
                });
                assert_eq!(actions(outcome), [Action::Skipped]);
                assert_eq!(rows(&mut database.conn), [row(1, "other", true)]);
            }
        }
    };
}

#[cfg(feature = "postgres")]
isolation_tests!(postgres);
#[cfg(feature = "mysql")]
isolation_tests!(mysql);

#[cfg(feature = "postgres")]
mod on_postgres_only {
    use super::*;
    use crate::support::postgres::{TestDatabase, connection_id, waits};

    diesel::define_sql_function! {
        fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text;
    }

    #[derive(Debug, Clone, Upsertable)]
    #[diesel(table_name = fruits)]
    #[upsert(target = lower(fruits::name))]
    struct ByLower {
        id: i32,
        #[on_conflict(update)]
        name: String,
    }

    #[test]
    fn t23_a_key_twice_at_a_higher_isolation_level() {
        for level in ["REPEATABLE READ", "SERIALIZABLE"] {
            let mut database = TestDatabase::new();
            database.run(CREATE);
            let (mut other, mut conn) = (database.connect(), database.connect());
            conn.batch_execute(&format!(
                "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {level}"
            ))
            .unwrap();
            let id = connection_id(&mut conn);
            other
                .batch_execute("BEGIN; INSERT INTO fruits (id, name) VALUES (1, 'other')")
                .unwrap();
            let result = thread::scope(|scope| {
                let call = scope.spawn(|| {
                    let fruits = [fruit(1, "mine"), fruit(1, "mine")];
                    wait(upsert(fruits).do_nothing().execute(&mut conn))
                });
                let mut watcher = database.connect();
                let call = waiting(call, || waits(&mut watcher, id));
                other.batch_execute("COMMIT").unwrap();
                call.join().unwrap()
            });
            assert_eq!(
                result.unwrap_err().contention(),
                Some(Contention::Serialization)
            );
            // By itself it may repeat a key.
            let fruits = [fruit(2, "one"), fruit(2, "two")];
            assert_eq!(
                wait(upsert(fruits).do_nothing().execute(&mut conn)).unwrap(),
                1
            );
        }
    }

    #[test]
    fn t25_an_expression_that_is_the_key() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        database.run("CREATE UNIQUE INDEX by_lower ON fruits (lower(name))");
        let (mut other, mut conn) = (database.connect(), database.connect());
        let id = connection_id(&mut conn);
        other
            .batch_execute("BEGIN; INSERT INTO fruits (id, name) VALUES (1, 'FooFoo')")
            .unwrap();
        let outcome = thread::scope(|scope| {
            let call = scope.spawn(|| {
                let fruit = ByLower {
                    id: 2,
                    name: "FOOFOO".to_owned(),
                };
                wait(upsert([fruit]).outcome(&mut conn))
            });
            let mut watcher = database.connect();
            let call = waiting(call, || waits(&mut watcher, id));
            other.batch_execute("COMMIT").unwrap();
            call.join().unwrap()
        });
        assert_eq!(outcome.unwrap().actions(), [Action::Updated]);
        let rows: Vec<Row> = fruits::table.load(&mut database.conn).unwrap();
        assert_eq!(rows, [row(1, "FOOFOO", true)]);
    }
}

//! Neighbours that write the same rows.

use std::collections::HashMap;
use std::sync::{Barrier, Mutex};

use diesel::prelude::*;

use super::in_full;
use crate::api::{Upsertable, upsert, wait};
use crate::support::Random;

diesel::table! {
    names (id) {
        id -> Integer,
        name -> Text,
        writer -> Integer,
    }
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = names)]
struct Name<'a> {
    #[conflict_key]
    name: &'a str,
    #[on_conflict(update)]
    writer: i32,
}

const THREADS: i32 = 8;
const ROUNDS: i32 = 4;
const NAMES_OF_A_CALL: usize = 1000;

fn all_names() -> Vec<String> {
    (0..1500).map(|i| format!("name {i}")).collect()
}

/// Some of the names, in an order of their own.
fn names_of(all: &[String], thread: i32, round: i32) -> Vec<&str> {
    let mut names: Vec<&str> = all.iter().map(String::as_str).collect();
    match thread % 4 {
        0 => {}
        1 => names.reverse(),
        _ => Random::new(u64::try_from(thread * 100 + round).unwrap()).shuffle(&mut names),
    }
    names.truncate(NAMES_OF_A_CALL);
    names
}

macro_rules! get_or_create_on {
    ($system:ident, $id:literal, $versions:literal) => {
        mod $system {
            use super::*;
            use crate::support::$system::{Conn, TestDatabase};

            type Row = (i32, String, i32);

            pub(super) fn create() -> TestDatabase {
                let mut database = TestDatabase::new();
                database.run(concat!(
                    "CREATE TABLE names (id ",
                    $id,
                    ", name VARCHAR(50) NOT NULL UNIQUE, writer INTEGER NOT NULL)"
                ));
                database
            }

            fn versions(conn: &mut Conn) -> Vec<Version> {
                diesel::sql_query($versions).load(conn).unwrap()
            }

            pub(super) fn get_or_create(
                conn: &mut Conn,
                names: &[&str],
                writer: i32,
                chunk_size: usize,
            ) -> Vec<Row> {
                let rows: Vec<Name<'_>> = names.iter().map(|name| Name { name, writer }).collect();
                let call = upsert(&rows).chunk_size(chunk_size).do_nothing();
                let told: Vec<Row> = wait(
                    call.returning((names::id, names::name, names::writer))
                        .get_results(conn),
                )
                .unwrap_or_else(|error| panic!("{}", in_full(&error)));
                assert!(
                    told.iter()
                        .map(|row| row.1.as_str())
                        .eq(names.iter().copied())
                );
                told
            }

            fn get_or_create_concurrently(chunk_size: usize) {
                let mut database = create();
                let all = all_names();
                let old: Vec<&str> = all.iter().step_by(5).map(String::as_str).collect();
                get_or_create(&mut database.conn, &old, -1, 1000);
                let stored = |conn: &mut Conn| -> Vec<Row> {
                    names::table.order(names::id).load(conn).unwrap()
                };
                let before = stored(&mut database.conn);
                let version_before = versions(&mut database.conn);
                let barrier = Barrier::new(usize::try_from(THREADS).unwrap());
                let told: Mutex<HashMap<String, Row>> = Mutex::default();
                std::thread::scope(|scope| {
                    for thread in 0..THREADS {
                        let mut conn = database.connect();
                        let (barrier, told, all) = (&barrier, &told, &all);
                        scope.spawn(move || {
                            barrier.wait();
                            for round in 0..ROUNDS {
                                let names = names_of(all, thread, round);
                                let rows = get_or_create(
                                    &mut conn,
                                    &names,
                                    thread * 100 + round,
                                    chunk_size,
                                );
                                let mut told = told.lock().unwrap();
                                for row in rows {
                                    let first =
                                        told.entry(row.1.clone()).or_insert_with(|| row.clone());
                                    assert_eq!(*first, row);
                                }
                            }
                        });
                    }
                });
                let after = stored(&mut database.conn);
                let told = told.into_inner().unwrap();
                assert_eq!(told.len(), all.len());
                assert_eq!(after.len(), all.len());
                for row in &after {
                    assert_eq!(told[&row.1], *row);
                }
                // What was there before is not written.
                assert_eq!(after[..before.len()], before);
                let mut version_after = versions(&mut database.conn);
                version_after.truncate(version_before.len());
                assert_eq!(version_after, version_before);
            }

            /// Callers that update the same rows, each in an order and a way of its
            /// own, come one after the other.
            fn write_concurrently(is_filled: bool) {
                let mut database = create();
                let all = all_names();
                let all = &all[..200];
                if is_filled {
                    let names: Vec<&str> = all.iter().map(String::as_str).collect();
                    get_or_create(&mut database.conn, &names, -1, 1000);
                }
                let barrier = Barrier::new(4);
                std::thread::scope(|scope| {
                    for thread in 0..4 {
                        let mut conn = database.connect();
                        let barrier = &barrier;
                        scope.spawn(move || {
                            barrier.wait();
                            for round in 0..15 {
                                let writer = thread * 100 + round;
                                let names = names_of(all, thread, round);
                                let rows: Vec<Name<'_>> =
                                    names.iter().map(|name| Name { name, writer }).collect();
                                let call = upsert(&rows).chunk_size(16);
                                let told: Vec<i32> = match (thread + round) % 3 {
                                    0 => {
                                        let told = wait(call.outcome(&mut conn));
                                        told.map(|told| vec![writer; told.written()])
                                    }
                                    1 => wait(call.returning(names::writer).get_results(&mut conn)),
                                    _ => {
                                        let told = call.returning_old(names::writer);
                                        let told = wait(told.get_results::<i32, _>(&mut conn));
                                        told.map(|told| {
                                            // All were written by one other call.
                                            let old = told[0].old;
                                            assert!(told.iter().all(|it| it.old == old));
                                            told.into_iter().map(|it| it.new).collect()
                                        })
                                    }
                                }
                                .unwrap_or_else(|error| panic!("{}", in_full(&error)));
                                assert_eq!(told, vec![writer; all.len()]);
                            }
                        });
                    }
                });
                let stored: Vec<Row> = names::table.load(&mut database.conn).unwrap();
                assert_eq!(stored.len(), all.len());
                assert!(stored.iter().all(|row| row.2 == stored[0].2));
            }

            #[test]
            fn callers_that_update_the_same_rows_do_not_deadlock() {
                write_concurrently(true);
            }

            #[test]
            fn callers_that_insert_the_same_rows_do_not_deadlock() {
                write_concurrently(false);
            }

            #[test]
            fn all_callers_get_the_same_ids() {
                get_or_create_concurrently(1000);
            }

            #[test]
            fn all_callers_get_the_same_ids_by_small_statements() {
                get_or_create_concurrently(64);
            }
        }
    };
}

#[derive(QueryableByName, Debug, PartialEq)]
struct Version {
    #[diesel(sql_type = diesel::sql_types::Text)]
    version: String,
}

get_or_create_on!(
    sqlite,
    "INTEGER PRIMARY KEY",
    "SELECT CAST(id AS TEXT) AS version FROM names ORDER BY id"
);
#[cfg(feature = "postgres")]
get_or_create_on!(
    postgres,
    "SERIAL PRIMARY KEY",
    "SELECT concat(id, ' ', xmin, ' ', ctid) AS version FROM names ORDER BY id"
);
#[cfg(feature = "mysql")]
get_or_create_on!(
    mysql,
    "INTEGER AUTO_INCREMENT PRIMARY KEY",
    "SELECT CAST(id AS CHAR(20)) AS version FROM names ORDER BY id"
);

#[cfg(feature = "postgres")]
mod vanishing {
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// Rows vanish while they are looked for.
    #[test]
    fn rows_that_others_delete_are_created_again() {
        let mut database = postgres::create();
        let all = all_names();
        let is_over = AtomicBool::new(false);
        let told: Mutex<BTreeSet<(i32, String)>> = Mutex::default();
        std::thread::scope(|scope| {
            let writers: Vec<_> = (0..THREADS)
                .map(|thread| {
                    let mut conn = database.connect();
                    let (told, all) = (&told, &all);
                    scope.spawn(move || {
                        for round in 0..ROUNDS {
                            let names = names_of(all, thread, round);
                            let chunk_size = if thread % 2 == 0 { 1000 } else { 100 };
                            let rows = postgres::get_or_create(&mut conn, &names, 0, chunk_size);
                            let rows = rows.into_iter().map(|(id, name, _)| (id, name));
                            told.lock().unwrap().extend(rows);
                        }
                    })
                })
                .collect();
            let (mut conn, is_over) = (database.connect(), &is_over);
            scope.spawn(move || {
                let mut random = Random::new(7);
                while !is_over.load(Ordering::Relaxed) {
                    let rest = random.below(50);
                    // Rows are locked in the order of their names, as by the others.
                    let delete = format!(
                        "DELETE FROM names WHERE id IN (SELECT id FROM names WHERE id % 50 = {rest} \
                         ORDER BY name FOR UPDATE)"
                    );
                    diesel::sql_query(delete).execute(&mut conn).unwrap();
                }
            });
            let results: Vec<_> = writers
                .into_iter()
                .map(std::thread::ScopedJoinHandle::join)
                .collect();
            is_over.store(true, Ordering::Relaxed);
            assert!(results.iter().all(Result::is_ok), "a call failed");
        });
        let told = told.into_inner().unwrap();
        // No number was ever told of two names.
        let ids: BTreeSet<i32> = told.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids.len(), told.len());
        let stored: Vec<(i32, String)> = names::table
            .select((names::id, names::name))
            .load(&mut database.conn)
            .unwrap();
        assert!(stored.iter().all(|row| told.contains(row)));
    }
}

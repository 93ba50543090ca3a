//! Which statements a call sends, and which the connection keeps.

use std::collections::BTreeSet;

use diesel::prelude::*;
use upsert_core::{Upsertable, upsert};

use crate::support::{Event, Recorder, System, on_every_database};

diesel::table! {
    counters (id) {
        id -> Integer,
        value -> Integer,
        level -> Integer,
    }
}

const CREATE: &str = "CREATE TABLE counters (id INTEGER NOT NULL PRIMARY KEY, \
     value INTEGER NOT NULL, level INTEGER NOT NULL DEFAULT 7)";

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = counters)]
struct Counter {
    #[conflict_key]
    id: i32,
    #[on_conflict(update)]
    value: i32,
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = counters)]
#[upsert(do_nothing)]
struct New {
    #[conflict_key]
    id: i32,
    value: i32,
}

/// Has two shapes.
#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = counters)]
#[upsert(update_all)]
struct Promotion {
    #[conflict_key]
    id: i32,
    value: i32,
    level: Option<i32>,
}

fn counters(ids: std::ops::Range<i32>, value: i32) -> Vec<Counter> {
    ids.map(|id| Counter { id, value }).collect()
}

/// On MySQL the statement of a small call is another one than that of as many rows of a large
/// call.
fn most(system: System, statements: usize) -> usize {
    match system {
        #[cfg(feature = "mysql")]
        System::Mysql => 2 * statements,
        _ => statements,
    }
}

on_every_database! {
    shared {
        fn rows(conn: &mut Conn) -> Vec<(i32, i32, i32)> {
            counters::table.order(counters::id).load(conn).unwrap()
        }
    }

    #[test]
    fn a_statement_is_prepared_once(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let recorder = Recorder::of(conn);

        counters(1..2, 0)[0].upsert(conn).unwrap();
        assert_eq!(recorder.take_cached().len(), 1);
        for value in 1..9 {
            counters(value..value + 1, value)[0].upsert(conn).unwrap();
        }
        assert_eq!(recorder.take_cached(), [""; 0]);

        // Full chunks, and what is left.
        for value in 10..14 {
            let call = upsert(counters(0..70, value)).chunk_size(32);
            assert_eq!(call.execute(conn).unwrap(), 70);
            let cached = recorder.take_cached();
            if value == 10 {
                // The full chunk, and at most 4 and 2 rows; or the rest as one
                // statement that is not kept.
                assert!((1..=3).contains(&cached.len()), "{cached:?}");
            } else {
                assert_eq!(cached, [""; 0]);
            }
        }
        assert_eq!(rows(conn), (0..70).map(|id| (id, 13, 7)).collect::<Vec<_>>());

        // Another model of the same table has statements of its own.
        let new = [New { id: 1, value: 0 }];
        New::bulk_upsert(conn, &new).unwrap();
        assert_eq!(recorder.take_cached().len(), 1);
        New::bulk_upsert(conn, &new).unwrap();
        assert_eq!(recorder.take_cached(), [""; 0]);
        assert_eq!(rows(conn), (0..70).map(|id| (id, 13, 7)).collect::<Vec<_>>());
    }

    #[test]
    fn the_same_statement_in_and_outside_of_a_transaction(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let recorder = Recorder::of(conn);
        Counter::bulk_upsert(conn, counters(0..4, 1)).unwrap();
        assert_eq!(recorder.take_cached().len(), 1);
        conn.transaction(|conn| Counter::bulk_upsert(conn, counters(0..4, 2))).unwrap();
        assert_eq!(recorder.take_cached(), [""; 0]);
        assert_eq!(rows(conn), (0..4).map(|id| (id, 2, 7)).collect::<Vec<_>>());
    }

    #[test]
    fn calls_of_many_lengths_leave_few_statements(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let recorder = Recorder::of(conn);
        for length in 1..=1000 {
            let written = Counter::bulk_upsert(conn, counters(0..length, length)).unwrap();
            assert_eq!(i32::try_from(written), Ok(length));
        }
        let cached = recorder.take_cached();
        // Powers of two, and 3, 5, 6, 7, 9, 10, 20 to 90, 100 to 900, 1000.
        let most = most(system::SYSTEM, 34);
        assert!(cached.len() <= most, "{} statements are kept", cached.len());
        let different: BTreeSet<_> = cached.iter().collect();
        assert_eq!(different.len(), cached.len(), "one was prepared twice");
        assert_eq!(rows(conn), (0..1000).map(|id| (id, 1000, 7)).collect::<Vec<_>>());

        // With two shapes, twice as many.
        for length in (1..=1000).step_by(7) {
            let level = |id: i32| (id % 3 == 0).then_some(length);
            let rows = (0..length).map(|id| Promotion { id, value: -length, level: level(id) });
            let written = Promotion::bulk_upsert(conn, rows).unwrap();
            assert_eq!(i32::try_from(written), Ok(length));
        }
        let cached = recorder.take_cached();
        assert!(cached.len() <= 2 * most, "{} statements are kept", cached.len());
        let expected = (0..1000).map(|id| match id {
            995.. => (id, 1000, 7),
            id => (id, -995, if id % 3 == 0 { 995 } else { 7 }),
        });
        assert_eq!(rows(conn), expected.collect::<Vec<_>>());
    }

    #[test]
    fn every_chunk_size_leaves_few_statements(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        for chunk_size in [1, 3, 50] {
            let recorder = Recorder::of(conn);
            for length in 1..=120 {
                let call = upsert(counters(0..length, length)).chunk_size(chunk_size);
                call.execute(conn).unwrap();
            }
            let cached = recorder.take_cached();
            // 1 to 10, 16, 20, 30, 32, 40 and 50 rows.
            let most = most(system::SYSTEM, 16);
            assert!(cached.len() <= most, "{} statements are kept", cached.len());
        }
        assert_eq!(rows(conn), (0..120).map(|id| (id, 120, 7)).collect::<Vec<_>>());
    }

    #[test]
    fn one_statement_opens_no_transaction(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let recorder = Recorder::of(conn);
        // Eight rows are one chunk.
        Counter::bulk_upsert(conn, counters(0..8, 1)).unwrap();
        New { id: 0, value: 2 }.upsert(conn).unwrap();
        counters(0..1, 1)[0].upsert(conn).unwrap();
        let events = recorder.take();
        let others: Vec<_> = events
            .iter()
            .filter(|event| match event {
                Event::Query(sql) => {
                    let sql = sql.to_ascii_uppercase().replace("@@AUTOCOMMIT", "");
                    ["BEGIN", "COMMIT", "SAVEPOINT"].iter().any(|word| sql.contains(word))
                }
                Event::Cache(_) => false,
                Event::Begin | Event::Commit | Event::Rollback => true,
            })
            .collect();
        assert!(others.is_empty(), "{others:?}");
        assert_eq!(rows(conn), (0..8).map(|id| (id, 1, 7)).collect::<Vec<_>>());
    }

    #[test]
    fn a_call_in_a_transaction_sets_a_savepoint(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let recorder = Recorder::of(conn);
        conn.transaction(|conn| upsert(counters(0..3, 1)).chunk_size(1).execute(conn)).unwrap();
        let transactions: Vec<_> = recorder
            .take()
            .into_iter()
            .filter(|event| !matches!(event, Event::Query(_) | Event::Cache(_)))
            .collect();
        // On PostgreSQL the question about the table has one of its own.
        let expected: &[Event] = if system::SYSTEM.is_postgres() {
            &[Event::Begin, Event::Begin, Event::Commit, Event::Begin, Event::Commit, Event::Commit]
        } else {
            &[Event::Begin, Event::Begin, Event::Commit, Event::Commit]
        };
        assert_eq!(transactions, expected);
        assert_eq!(rows(conn), (0..3).map(|id| (id, 1, 7)).collect::<Vec<_>>());
    }

    #[test]
    fn several_statements_are_one_transaction(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let recorder = Recorder::of(conn);
        upsert(counters(0..9, 1)).chunk_size(2).execute(conn).unwrap();
        let events = recorder.take();
        let begin = events.iter().position(|event| *event == Event::Begin);
        let commit = events.iter().position(|event| *event == Event::Commit);
        let is_upsert = |event: &Event| matches!(event, Event::Query(sql) if sql.contains("INTO"));
        let upserts: Vec<_> = (0..events.len()).filter(|i| is_upsert(&events[*i])).collect();
        assert_eq!(upserts.len(), 5);
        assert!(begin < upserts.first().copied(), "{events:?}");
        assert!(commit.unwrap() > upserts[4], "{events:?}");
        assert!(!events.contains(&Event::Rollback), "{events:?}");
        assert_eq!(events.iter().filter(|event| **event == Event::Begin).count(), 1);
        assert_eq!(rows(conn), (0..9).map(|id| (id, 1, 7)).collect::<Vec<_>>());
    }
}

#[test]
fn sqlite_takes_the_write_lock_first() {
    let mut database = crate::support::sqlite::TestDatabase::new();
    database.run(CREATE);
    let conn = &mut database.conn;
    let recorder = Recorder::of(conn);
    upsert(counters(0..4, 1))
        .chunk_size(2)
        .execute(conn)
        .unwrap();
    let queries: Vec<_> = recorder
        .take()
        .into_iter()
        .filter_map(|event| match event {
            Event::Query(sql) => Some(sql),
            _ => None,
        })
        .collect();
    let first_upsert = queries
        .iter()
        .position(|sql| sql.starts_with("INSERT"))
        .unwrap();
    assert!(
        queries[first_upsert - 1].ends_with("BEGIN IMMEDIATE"),
        "{queries:?}"
    );
    assert_eq!(queries.last().unwrap(), "COMMIT");

    // In the caller's transaction it is the caller who chooses.
    conn.transaction(|conn| upsert(counters(0..4, 1)).chunk_size(2).execute(conn))
        .unwrap();
    for event in recorder.take() {
        assert!(
            !matches!(&event, Event::Query(sql) if sql.contains("IMMEDIATE")),
            "{event:?}",
        );
    }
}

#[cfg(feature = "postgres")]
mod on_postgres_only {
    use diesel::pg::Pg;
    use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
    use diesel::sql_types::BigInt;
    use upsert_core::UpsertStatement;

    use super::*;
    use crate::support::postgres::TestDatabase;

    /// A statement that has ours in it.
    struct Written<'r>(UpsertStatement<'r, Pg, &'r Counter, &'r Counter>);

    impl QueryId for Written<'_> {
        type QueryId = ();
        const HAS_STATIC_QUERY_ID: bool = false;
    }

    impl Query for Written<'_> {
        type SqlType = BigInt;
    }

    impl RunQueryDsl<PgConnection> for Written<'_> {}

    impl QueryFragment<Pg> for Written<'_> {
        fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
            out.push_sql("WITH written AS (");
            self.0.walk_ast(out.reborrow())?;
            out.push_sql(" RETURNING id) SELECT count(*) FROM written WHERE id > ");
            out.push_bind_param::<BigInt, _>(&1)
        }
    }

    #[test]
    fn a_statement_can_be_embedded() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        let conn = &mut database.conn;
        let rows = counters(1..4, 5);
        for (limit, written) in [(9, 2), (5, 0)] {
            let statement = upsert(&rows)
                .update_if(counters::value.lt(limit))
                .statement()
                .unwrap();
            assert_eq!(Written(statement).get_result(conn), Ok(written));
        }
    }

    #[derive(Upsertable)]
    #[diesel(table_name = counters)]
    #[upsert(target_where = level.gt(5))]
    struct OfHighLevel {
        #[conflict_key]
        value: i32,
        #[on_conflict(update)]
        id: i32,
        level: i32,
    }

    #[test]
    fn several_rows_are_an_array_for_each_column() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        let conn = &mut database.conn;
        let recorder = Recorder::of(conn);
        assert_eq!(upsert(counters(0..3, 1)).execute(conn).unwrap(), 3);
        let expected = "INSERT INTO \"counters\" (\"id\", \"value\") \
             SELECT pg_catalog.unnest($1), pg_catalog.unnest($2) \
             ON CONFLICT (\"id\") DO UPDATE SET \"value\" = excluded.\"value\"";
        assert_eq!(recorder.take_upserts(), [expected]);
        assert_eq!(rows(conn), [(0, 1, 7), (1, 1, 7), (2, 1, 7)]);
    }

    fn rows(conn: &mut PgConnection) -> Vec<(i32, i32, i32)> {
        counters::table.order(counters::id).load(conn).unwrap()
    }

    /// From the sixth execution on PostgreSQL plans a prepared statement for any
    /// parameter, and an index predicate has to be implied by one without.
    #[test]
    fn a_partial_index_is_found_again_and_again() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        database.run("CREATE UNIQUE INDEX ON counters (value) WHERE level > 5");
        for setting in ["auto", "force_generic_plan"] {
            database.run(&format!("SET plan_cache_mode = {setting}"));
            for id in 0..8 {
                let row = OfHighLevel {
                    value: 1,
                    id,
                    level: 6,
                };
                assert_eq!(row.upsert(&mut database.conn).unwrap(), 1);
            }
        }
        assert_eq!(
            counters::table.load(&mut database.conn),
            Ok(vec![(7, 1, 6)])
        );
    }
}

//! What a call says that it would do is what it does.

use diesel::prelude::*;
use upsert_core::{Duplicates, Error, PlannedStatement, Strategy};

use crate::api::{COPIES, Upsertable, upsert, wait};
use crate::support::{Event, Recorder, on_every_database};

diesel::table! {
    levels (id) {
        id -> Integer,
        value -> Integer,
        level -> Integer,
    }
}

const CREATE: &str = "CREATE TABLE levels (id INTEGER NOT NULL PRIMARY KEY, \
     value INTEGER NOT NULL, level INTEGER NOT NULL DEFAULT 7)";

/// Has two shapes.
#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = levels)]
struct Player {
    #[conflict_key]
    id: i32,
    #[on_conflict(add)]
    value: i32,
    #[on_conflict(update)]
    level: Option<i32>,
}

/// Only the last row with a key is sent.
#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = levels)]
#[upsert(update_all)]
struct Value {
    #[conflict_key]
    id: i32,
    value: i32,
}

on_every_database! {
    shared {
        fn table(conn: &mut Conn) -> Vec<(i32, i32, i32)> {
            levels::table.order(levels::id).load(conn).unwrap()
        }

        /// The statements that insert, among those since the last time.
        fn inserts(recorder: &Recorder) -> Vec<String> {
            let events = recorder.take().into_iter();
            let sql = events.filter_map(|event| match event {
                Event::Query(sql) => Some(sql),
                _ => None,
            });
            sql.filter(|sql| sql.starts_with("INSERT")).collect()
        }
    }

    #[test]
    fn a_call_does_what_it_says(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let recorder = Recorder::of(conn);
        let shapes: [fn(i32) -> Option<i32>; 2] = [|_| None, |id| (id % 3 == 0).then_some(id)];
        let mut strategies = vec![None, Some(Strategy::Values)];
        if system::SYSTEM.is_postgres() {
            strategies.push(Some(Strategy::Unnest));
            if COPIES {
                strategies.push(Some(Strategy::Copy));
            }
        }
        for strategy in strategies {
            for (count, chunk_size, shape) in [
                (1, None, shapes[0]),
                (2, None, shapes[0]),
                (300, None, shapes[1]),
                (300, Some(7), shapes[0]),
                (9000, None, shapes[0]),
                (70_000, None, shapes[0]),
            ] {
                let rows: Vec<_> = (0..count)
                    .map(|i| i * 7919 % count)
                    .map(|id| Player { id, value: 1, level: shape(id) })
                    .collect();
                macro_rules! call {
                    () => {{
                        let mut call = upsert(&rows);
                        if let Some(strategy) = strategy {
                            call = call.strategy(strategy);
                        }
                        match chunk_size {
                            Some(rows) => call.chunk_size(rows),
                            None => call,
                        }
                    }};
                }
                let explanation = wait(call!().explain(conn)).unwrap();
                assert_eq!(inserts(&recorder), [""; 0]);
                assert_eq!(table(conn), []);
                let written = wait(call!().execute(conn)).unwrap();
                let sent = inserts(&recorder);
                let said: Vec<_> = explanation.statements.iter().map(|it| &*it.sql).collect();
                assert!(said == sent, "{strategy:?} {count} {chunk_size:?}: {explanation}");
                let rows = usize::try_from(count).unwrap();
                assert_eq!(written, rows);
                assert_eq!((explanation.rows, explanation.sent), (rows, rows));
                assert_eq!(explanation.statements.iter().map(|it| it.rows).sum::<usize>(), rows);
                assert!(explanation.is_sorted || sent.len() == 1);
                let copies = |it: &PlannedStatement| it.strategy == Strategy::Copy;
                let has_copy = explanation.statements.iter().any(copies);
                assert_eq!(explanation.in_transaction, sent.len() > 1 || has_copy);
                let is_large = strategy.is_none() && count > 16_384;
                let is_worth_it = is_large && system::SYSTEM.is_postgres() && COPIES;
                assert_eq!(has_copy, is_worth_it || strategy == Some(Strategy::Copy));
                let is_so = |it: Strategy| strategy.is_none_or(|strategy| strategy == it);
                assert!(explanation.statements.iter().all(|it| is_so(it.strategy)));
                diesel::delete(levels::table).execute(conn).unwrap();
                recorder.take();
            }
        }
    }

    #[test]
    fn rows_that_are_not_sent(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let rows: Vec<_> = (0..10).map(|i| Value { id: 1 + i % 4, value: i }).collect();
        let explanation = wait(upsert(&rows).chunk_size(3).explain(conn)).unwrap();
        assert_eq!((explanation.rows, explanation.sent), (10, 4));
        let explanation = wait(upsert(&rows[..0]).explain(conn)).unwrap();
        assert_eq!((explanation.rows, explanation.statements.len()), (0, 0));
        let shown = explanation.to_string();
        assert_eq!(shown, "upsert into `levels` on conflict (id): 0 of 0 rows, as given");
        let repeated = upsert(&rows).on_duplicate(Duplicates::Reject).explain(conn);
        assert!(matches!(wait(repeated), Err(Error::RepeatedKey { .. })));
    }

    #[test]
    fn a_long_statement_is_shown_in_parts(database) {
        database.run(CREATE);
        let rows: Vec<_> = (0..5000).map(|id| Value { id, value: id }).collect();
        let call = upsert(&rows).strategy(Strategy::Values);
        let explanation = wait(call.explain(&mut database.conn)).unwrap();
        let shown = explanation.to_string();
        assert!(explanation.statements.iter().any(|it| it.sql.len() > 1000));
        for line in shown.lines().skip(1) {
            assert!(line.len() < 1100, "{} characters", line.len());
            assert!(line.contains("INSERT INTO ") && line.contains("UPDATE"), "{line}");
        }
    }

    #[test]
    fn a_strategy_that_cannot_send_the_rows(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let rows = [Value { id: 1, value: 1 }, Value { id: 2, value: 1 }];
        let call = || upsert(&rows).strategy(Strategy::Unnest);
        let refused = |result: upsert_core::Result<()>, why: &str| {
            let error = result.unwrap_err();
            assert!(matches!(error, Error::Refused { .. }), "{error:?}");
            let shown = error.to_string();
            assert!(shown.contains("`strategy(Strategy::Unnest)` cannot send"), "{shown}");
            assert!(shown.contains(why), "{shown}");
        };
        if system::SYSTEM.is_postgres() {
            let outcome = wait(call().outcome(conn)).map(drop);
            refused(outcome, "`outcome` and `returning` number the rows");
        } else {
            let why = "the database takes nothing else than `VALUES`";
            refused(wait(call().execute(conn)).map(drop), why);
        }
        if !system::SYSTEM.is_postgres() || !COPIES {
            let call = upsert(&rows).strategy(Strategy::Copy);
            let error = wait(call.execute(conn)).unwrap_err().to_string();
            assert!(error.contains("`strategy(Strategy::Copy)`"), "{error}");
        }
        assert_eq!(table(conn), []);
    }
}

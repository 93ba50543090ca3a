//! Streams of rows.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use diesel::connection::InstrumentationEvent;
use diesel::prelude::*;
use upsert_core::Error;

use crate::api::{Upsertable, stream, upsert_stream, upsert_try_stream, wait};
use crate::support::{Event, Recorder, on_every_database};

diesel::table! {
    words (id) {
        id -> Integer,
        label -> Text,
        uses -> Integer,
    }
}

const CREATE: &str = "CREATE TABLE words (id INTEGER NOT NULL PRIMARY KEY, \
     label VARCHAR(20) NOT NULL, uses INTEGER NOT NULL, CHECK (uses >= 0))";

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Upsertable)]
#[diesel(table_name = words)]
struct Word {
    #[conflict_key]
    id: i32,
    #[on_conflict(update)]
    label: String,
    #[on_conflict(add)]
    uses: i32,
}

/// How many rows of a stream are in memory at a time.
const BUFFER: usize = 16 * 1024;

fn word(id: i32, version: usize) -> Word {
    Word {
        id,
        label: format!("word {id} {version}"),
        uses: 1,
    }
}

/// An error of a stream's own.
#[derive(Debug)]
enum ImportError {
    Line(usize),
    Upsert(Error),
}

impl From<Error> for ImportError {
    fn from(error: Error) -> Self {
        Self::Upsert(error)
    }
}

on_every_database! {
    shared {
        fn table(conn: &mut Conn) -> Vec<Word> {
            words::table.order(words::id).load(conn).unwrap()
        }
    }

    /// Three buffers, in which every key is twice: in the same one or in two.
    #[test]
    fn more_rows_than_are_in_memory(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let keys = i32::try_from(BUFFER).unwrap() * 5 / 4;
        let ids = (0..keys).chain((0..keys).rev());
        let rows = stream(ids.enumerate().map(|(i, id)| word(id, i)));
        let written = wait(Word::bulk_upsert_stream(conn, rows)).unwrap();
        assert_eq!(written, usize::try_from(2 * keys).unwrap());
        let expected: Vec<_> = (0..keys)
            .map(|id| Word { uses: 2, ..word(id, usize::try_from(2 * keys - 1 - id).unwrap()) })
            .collect();
        // Not `assert_eq`, which would print them all.
        assert!(table(conn) == expected);
    }

    #[test]
    fn as_many_rows_as_are_in_memory(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let keys = i32::try_from(BUFFER).unwrap();
        for (uses, count) in (1..).zip([keys, keys - 1, keys + 1]) {
            let rows = stream((0..count).map(|id| word(id, 7)));
            let written = wait(Word::bulk_upsert_stream(conn, rows)).unwrap();
            assert_eq!(i32::try_from(written), Ok(count));
            let table = table(conn);
            assert_eq!(i32::try_from(table.len()), Ok(keys.max(count)));
            assert_eq!(table[0], Word { uses, ..word(0, 7) });
        }
    }

    #[test]
    fn a_stream_without_rows_sends_nothing(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let recorder = Recorder::of(conn);
        assert_eq!(wait(Word::bulk_upsert_stream(conn, stream(std::iter::empty::<Word>()))).unwrap(), 0);
        assert_eq!(recorder.take(), []);
        assert_eq!(table(conn), []);
    }

    #[test]
    fn an_error_of_the_stream_leaves_nothing(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        for line in [0, 10, BUFFER - 1, BUFFER, 2 * BUFFER + 5] {
            let rows = (0..).map(|i| {
                if i == line {
                    Err(ImportError::Line(i))
                } else {
                    Ok(word(i32::try_from(i).unwrap(), 0))
                }
            });
            let result = wait(Word::bulk_upsert_try_stream(conn, stream(rows)));
            assert!(matches!(result, Err(ImportError::Line(number)) if number == line));
            assert_eq!(table(conn), []);
        }
        // The connection goes on.
        assert_eq!(wait(word(1, 0).upsert(conn)).unwrap(), 1);
        assert_eq!(table(conn), [word(1, 0)]);
    }

    #[test]
    fn a_row_that_fails_is_named_by_its_place_in_the_stream(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let failing = BUFFER + 100;
        let rows = (0..BUFFER + 200).map(|i| {
            let row = word(i32::try_from(i).unwrap(), 0);
            Ok(if i == failing { Word { uses: -1, ..row } } else { row })
        });
        let result = wait(Word::bulk_upsert_try_stream(conn, stream(rows)));
        match result.unwrap_err() {
            ImportError::Upsert(Error::Statement { place, .. }) => {
                let rows = place.rows;
                assert!(rows.contains(&failing), "{rows:?}");
                assert!(rows.iter().all(|row| *row >= BUFFER), "{rows:?}");
            }
            error => panic!("{error:?}"),
        }
        assert_eq!(table(conn), []);
    }

    #[test]
    fn in_the_callers_transaction(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let rows = |count| (0..count).map(|id| word(id, 0));
        let count = i32::try_from(BUFFER).unwrap() + 1;
        conn.transaction(|conn| {
            wait(word(-1, 0).upsert(conn))?;
            let failing = rows(count).map(Ok).chain([Err(ImportError::Line(1))]);
            let result = wait(Word::bulk_upsert_try_stream(conn, stream(failing)));
            assert!(matches!(result, Err(ImportError::Line(1))));
            wait(Word::bulk_upsert_stream(conn, stream(rows(10))))
        })
        .unwrap();
        let expected: Vec<_> = (-1..10).map(|id| word(id, 0)).collect();
        assert_eq!(table(conn), expected);
    }

    /// No more rows are taken than can be sent: when a statement is sent, at most one
    /// buffer of rows has been taken that no statement before had.
    #[test]
    fn rows_are_taken_when_they_can_be_sent(database) {
        database.run(CREATE);
        let taken = Arc::new(AtomicUsize::new(0));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (counter, log) = (Arc::clone(&taken), Arc::clone(&seen));
        let conn = &mut database.conn;
        Connection::set_instrumentation(conn, move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::StartQuery { query, .. } = event {
                if query.to_string().starts_with("INSERT INTO") {
                    log.lock().unwrap().push(counter.load(Ordering::Relaxed));
                }
            }
        });
        let rows = (0..100_000).map(|id| {
            taken.fetch_add(1, Ordering::Relaxed);
            word(id, 0)
        });
        assert_eq!(wait(Word::bulk_upsert_stream(conn, stream(rows))).unwrap(), 100_000);
        let mut seen = seen.lock().unwrap().clone();
        seen.dedup();
        let mut expected: Vec<_> = (BUFFER..100_000).step_by(BUFFER).collect();
        expected.push(100_000);
        assert_eq!(seen, expected);
    }

    #[test]
    fn the_whole_stream_is_one_transaction(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let recorder = Recorder::of(conn);
        let rows = stream((0..40_000).map(|id| word(id, 0)));
        assert_eq!(wait(Word::bulk_upsert_stream(conn, rows)).unwrap(), 40_000);
        let mut depth = 0;
        let mut transactions = 0;
        for event in recorder.take() {
            match &event {
                Event::Begin => depth += 1,
                Event::Commit | Event::Rollback => depth -= 1,
                Event::Query(sql) => assert!(depth > 0 || !sql.starts_with("INSERT"), "{sql}"),
                Event::Cache(_) => {}
            }
            transactions += usize::from(event == Event::Commit && depth == 0);
        }
        assert_eq!(transactions, 1);
    }

    /// What is committed is always the first rows, whatever order they are sent in; and
    /// the others can follow.
    #[test]
    fn commits_every_so_many_rows(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        // Half of the size of a buffer, the size, more than it; in each several chunks.
        for (every, failing, committed) in [
            (1000, 3500, 3000),
            (BUFFER, 2 * BUFFER, 2 * BUFFER),
            (20_000, 45_000, 40_000),
            (1, 3, 3),
            (0, 2, 2),
            (1000, 999, 0),
        ] {
            let count = if every < 1000 { 10 } else { 50_000 };
            let id = |i: usize| i32::try_from(i * 7919 % count).unwrap();
            let rows = |fails| {
                (0..count).map(move |i| {
                    let uses = if fails && i == failing { -1 } else { 1 };
                    Word { uses, ..word(id(i), i) }
                })
            };
            let mut reported = Vec::new();
            let call = upsert_stream(stream(rows(true)))
                .chunk_size(700)
                .commit_every(every)
                .on_progress(|it| reported.push((it.committed, it.rows)));
            let error = wait(call.execute(conn)).unwrap_err();
            let shown = error.to_string();
            match error {
                Error::Interrupted { committed: it, source } => {
                    assert_eq!(it, committed);
                    assert!(source.place().unwrap().rows.contains(&failing));
                    assert!(shown.contains(&format!("the first {it} rows")), "{shown}");
                }
                Error::Statement { .. } => assert_eq!(committed, 0),
                error => panic!("{error:?}"),
            }
            let last = reported.last().map_or(0, |it| it.0);
            assert_eq!(last, committed);
            assert!(reported.is_sorted());
            let is_begun = |(committed, rows): &(usize, usize)| {
                rows >= committed && (committed % every.max(1) == 0)
            };
            assert!(reported.iter().all(is_begun), "{reported:?}");
            let expected = |count| {
                let mut rows: Vec<_> = (0..count).map(|i| word(id(i), i)).collect();
                rows.sort_by_key(|row| row.id);
                rows
            };
            assert!(table(conn) == expected(committed), "{every}");

            let rest = stream(rows(false).skip(committed));
            let call = upsert_stream(rest).commit_every(every);
            assert_eq!(wait(call.execute(conn)).unwrap(), count - committed);
            assert!(table(conn) == expected(count), "{every}");
            diesel::delete(words::table).execute(conn).unwrap();
        }
    }

    #[test]
    fn an_error_of_the_stream_leaves_what_is_committed(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let rows = (0..10).map(|id| if id == 7 { Err(ImportError::Line(7)) } else { Ok(word(id, 0)) });
        let mut committed = 0;
        let call = upsert_try_stream(stream(rows))
            .commit_every(3)
            .on_progress(|it| committed = it.committed);
        let result = wait(call.execute(conn));
        assert!(matches!(result, Err(ImportError::Line(7))));
        assert_eq!(committed, 6);
        let expected: Vec<_> = (0..6).map(|id| word(id, 0)).collect();
        assert_eq!(table(conn), expected);
    }

    /// In a transaction that is not the call's, nothing can be committed.
    #[test]
    fn commit_every_is_refused_in_a_transaction(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        conn.transaction(|conn| {
            let call = upsert_stream(stream((0..10).map(|id| word(id, 0)))).commit_every(3);
            let error = wait(call.execute(conn)).unwrap_err();
            assert!(matches!(&error, Error::Refused { .. }), "{error:?}");
            assert!(error.to_string().contains("leave out `commit_every(..)`"), "{error}");
            wait(word(1, 0).upsert(conn))
        })
        .unwrap();
        assert_eq!(table(conn), [word(1, 0)]);
    }

    #[test]
    fn progress_of_a_stream(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let count = BUFFER + 100;
        let mut reports = Vec::new();
        let rows = (0..count).map(|id| word(i32::try_from(id).unwrap(), 0));
        let call = upsert_stream(stream(rows)).on_progress(|it| reports.push(it));
        assert_eq!(wait(call.execute(conn)).unwrap(), count);
        let last = reports.last().unwrap();
        assert_eq!((last.rows, last.total, last.committed), (count, None, 0));
        assert_eq!(last.chunks, reports.len());
        assert!(last.rows_per_second() > 0.0);
        assert!(reports.is_sorted_by_key(|it| (it.rows, it.chunks, it.elapsed)));
    }

    /// What a call overrides holds for a stream too.
    #[test]
    fn a_stream_with_another_rule(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        for _ in 0..2 {
            let rows = stream((0..3).map(|id| word(id, 0)));
            let call = upsert_stream(rows).rule(words::uses, upsert_core::rule::Keep);
            assert_eq!(wait(call.execute(conn)).unwrap(), 3);
        }
        let expected: Vec<_> = (0..3).map(|id| word(id, 0)).collect();
        assert_eq!(table(conn), expected);
    }
}

//! Streams of rows.

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use diesel::connection::InstrumentationEvent;
use diesel::prelude::*;
use diesel_async::AsyncConnection;
use futures_util::{StreamExt, stream};
use upsert_core::Error;
use upsert_core::asynchronous::Upsertable;

use super::pools::connect;
use crate::api::{RUNTIME, wait};
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
        type AsyncConn = <Conn as Deref>::Target;

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
        let rows = stream::iter(ids.enumerate().map(|(i, id)| word(id, i)));
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
            let rows = stream::iter((0..count).map(|id| word(id, 7)));
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
        assert_eq!(wait(Word::bulk_upsert_stream(conn, stream::empty::<Word>())).unwrap(), 0);
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
            let result = wait(Word::bulk_upsert_try_stream(conn, stream::iter(rows)));
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
        let result = wait(Word::bulk_upsert_try_stream(conn, stream::iter(rows)));
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
        RUNTIME.block_on(async {
            let mut conn = connect::<AsyncConn>(database.url()).await;
            let rows = |count| stream::iter((0..count).map(|id| word(id, 0)));
            let count = i32::try_from(BUFFER).unwrap() + 1;
            conn.transaction(async |conn| {
                word(-1, 0).upsert(conn).await?;
                let failing = rows(count).map(Ok).chain(stream::iter([Err(ImportError::Line(1))]));
                let result = Word::bulk_upsert_try_stream(conn, failing).await;
                assert!(matches!(result, Err(ImportError::Line(1))));
                Word::bulk_upsert_stream(conn, rows(10)).await
            })
            .await
            .unwrap();
        });
        let expected: Vec<_> = (-1..10).map(|id| word(id, 0)).collect();
        assert_eq!(table(&mut database.conn), expected);
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
        let rows = stream::iter((0..100_000).map(|id| word(id, 0)));
        let rows = rows.inspect(|_| {
            taken.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(wait(Word::bulk_upsert_stream(conn, rows)).unwrap(), 100_000);
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
        let rows = stream::iter((0..40_000).map(|id| word(id, 0)));
        assert_eq!(wait(Word::bulk_upsert_stream(conn, rows)).unwrap(), 40_000);
        let events = recorder.take();
        let mut depth = 0;
        for (i, event) in events.iter().enumerate() {
            match event {
                Event::Begin => depth += 1,
                Event::Commit => depth -= 1,
                _ => {}
            }
            assert_eq!(depth == 0, i + 1 == events.len(), "{event:?}");
        }
        assert_eq!(events.last(), Some(&Event::Commit));
    }
}

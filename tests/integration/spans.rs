//! The spans of the feature `tracing`.

use std::ops::RangeInclusive;
use std::sync::OnceLock;

use diesel::prelude::*;
use upsert_core::{Upsertable, upsert, upsert_stream};

use crate::log::{Log, subscriber};
use crate::support::{System, on_every_database};

diesel::table! {
    notes (id) {
        id -> Integer,
        body -> Text,
    }
}

const CREATE: &str = "CREATE TABLE notes (id INTEGER NOT NULL PRIMARY KEY, \
     body VARCHAR(40) NOT NULL)";

#[derive(Debug, Upsertable)]
#[diesel(table_name = notes)]
#[upsert(update_all)]
struct Note {
    id: i32,
    body: String,
}

/// What all threads write that have no subscriber of their own.
fn global_log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        tracing::subscriber::set_global_default(subscriber(&log)).unwrap();
        log
    })
}

impl Log {
    /// The spans that have begun, with those around them.
    fn begun(&self) -> Vec<String> {
        let text = self.text();
        let begun = text.lines().filter_map(|line| line.strip_suffix(": new"));
        begun.map(str::to_owned).collect()
    }
}

fn notes(count: i32) -> Vec<Note> {
    let note = |id| Note {
        id,
        body: format!("secret {id}"),
    };
    (0..count).map(note).collect()
}

/// The rows of the spans of statements, together.
fn rows_of_chunks(spans: &[String]) -> usize {
    let rows = spans.iter().filter_map(|span| {
        let (_, rows) = span.split_once(":chunk{rows=")?;
        rows.split([' ', '}']).next()?.parse::<usize>().ok()
    });
    rows.sum()
}

/// The rows of the statements for 10 rows in small calls: on MySQL they are sent again where
/// the connection does not recall what the catalog says.
fn small_calls(system: System) -> RangeInclusive<usize> {
    match system {
        #[cfg(feature = "mysql")]
        System::Mysql => 10..=20,
        _ => 10..=10,
    }
}

on_every_database! {
    /// A span for the call, and one for each statement; no values.
    #[test]
    fn a_span_for_each_statement(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let log = Log::default();
        let rows = notes(10);
        tracing::subscriber::with_default(subscriber(&log), || {
            upsert(&rows).chunk_size(4).execute(conn).unwrap();
        });
        let spans = log.begun();
        let call = "upsert{table=\"notes\" rows=10";
        assert!(spans.iter().all(|span| span.contains(call)), "{spans:?}");
        let strategy = if system::SYSTEM.is_postgres() { "unnest" } else { "VALUES" };
        let chunks: Vec<_> = spans.iter().filter(|span| span.contains(":chunk{")).collect();
        assert!(chunks.iter().all(|span| span.contains(strategy)), "{spans:?}");
        assert!(chunks[0].contains("sorted=true"), "{spans:?}");
        assert_eq!(rows_of_chunks(&spans), 10);
        assert!(!log.text().contains("secret"), "{}", log.text());
        let bodies: Vec<String> = notes::table.order(notes::id).select(notes::body).load(conn).unwrap();
        assert!(bodies.iter().eq(rows.iter().map(|row| &row.body)));
    }

    /// Calls with results have the same spans.
    #[test]
    fn a_span_for_each_statement_with_results(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let rows = notes(10);
        for returns in [false, true] {
            let log = Log::default();
            tracing::subscriber::with_default(subscriber(&log), || {
                let call = upsert(&rows).chunk_size(4);
                if returns {
                    let ids: Vec<i32> = call.returning(notes::id).get_results(conn).unwrap();
                    assert!(ids.into_iter().eq(0..10));
                } else {
                    assert_eq!(call.outcome(conn).unwrap().inserted(), 10);
                }
            });
            let spans = log.begun();
            let call = "upsert{table=\"notes\" rows=10";
            assert!(spans.iter().all(|span| span.contains(call)), "{spans:?}");
            assert_eq!(rows_of_chunks(&spans), 10, "{spans:?}");
        }
    }

    /// A call whose rows come from a query is one statement, and has one span.
    #[test]
    fn a_span_for_a_query(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        Note::bulk_upsert(conn, notes(10)).unwrap();
        let log = Log::default();
        tracing::subscriber::with_default(subscriber(&log), || {
            let query = notes::table.filter(notes::id.lt(4));
            Note::upsert_from(query.select((notes::id, notes::body))).execute(conn).unwrap();
        });
        let spans = log.begun();
        assert!(spans.len() == 1 && spans[0].contains("upsert{table=\"notes\"}"), "{spans:?}");
    }

    /// A stream has a span around those of its batches.
    #[test]
    fn a_span_for_a_stream(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let log = Log::default();
        tracing::subscriber::with_default(subscriber(&log), || {
            upsert_stream(notes(10)).commit_every(4).execute(conn).unwrap();
        });
        let spans = log.begun();
        let call = "upsert_stream{table=\"notes\"}";
        assert!(spans.iter().all(|span| span.contains(call)), "{spans:?}");
        assert!(small_calls(system::SYSTEM).contains(&rows_of_chunks(&spans)), "{spans:?}");
    }

    /// The calls of all connections are inside of the caller's span.
    #[test]
    fn spans_of_several_connections(database) {
        database.run(CREATE);
        let log = global_log();
        let mut connections = [database.connect(), database.connect()];
        let import = database.url();
        tracing::info_span!("import", import).in_scope(|| {
            for partition in upsert(notes(10)).execute_parallel(&mut connections).unwrap() {
                assert_eq!(partition.result.unwrap(), 5);
            }
        });
        let inside = format!(
            "import{{import={import:?}}}:upsert_parallel{{table=\"notes\" rows=10}}:upsert{{"
        );
        let spans: Vec<_> = log.begun().into_iter().filter(|it| it.contains(&inside)).collect();
        assert!(small_calls(system::SYSTEM).contains(&rows_of_chunks(&spans)), "{spans:?}");
    }
}

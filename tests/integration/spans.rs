//! The spans of the feature `tracing`.

use std::io;
use std::sync::{Arc, Mutex};

use diesel::prelude::*;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;
use upsert_core::{Upsertable, upsert};

use crate::support::on_every_database;

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

/// What is written about the spans.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

on_every_database! {
    /// A span for the call, and one for each statement; no values.
    #[test]
    fn a_span_for_each_statement(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let log = Log::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_span_events(FmtSpan::NEW | FmtSpan::CLOSE)
            .with_ansi(false)
            .with_writer(log.clone())
            .finish();
        let rows: Vec<_> = (0..10).map(|id| Note { id, body: format!("secret {id}") }).collect();
        tracing::subscriber::with_default(subscriber, || {
            upsert(&rows).chunk_size(4).execute(conn).unwrap();
        });
        let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let opened: Vec<_> = log.lines().filter(|line| line.ends_with(": new")).collect();
        let call = "upsert{table=\"notes\" rows=10";
        assert!(opened.iter().all(|line| line.contains(call)), "{log}");
        let strategy = if system::SYSTEM.is_postgres() { "unnest" } else { "VALUES" };
        let chunks: Vec<_> = opened.iter().filter(|line| line.contains(":chunk{")).collect();
        assert!(chunks.iter().all(|line| line.contains(strategy)), "{log}");
        assert!(chunks[0].contains("sorted=true"), "{log}");
        let sizes = chunks.iter().map(|line| {
            let rows = line.split(":chunk{rows=").nth(1).unwrap();
            rows.split([' ', '}']).next().unwrap().parse::<usize>().unwrap()
        });
        assert_eq!(sizes.sum::<usize>(), 10);
        assert!(!log.contains("secret"), "{log}");
        let bodies: Vec<String> = notes::table.order(notes::id).select(notes::body).load(conn).unwrap();
        assert!(bodies.iter().eq(rows.iter().map(|row| &row.body)));
    }
}

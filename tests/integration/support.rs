//! A database for each test, on every database system that is built in.

use std::sync::{Arc, Mutex};

use diesel::backend::Backend;
use diesel::connection::{Connection, InstrumentationEvent, SimpleConnection};
use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel::serialize::{self, Output, ToSql};

use crate::api;

/// Runs each function as a test on SQLite, PostgreSQL and MySQL.
///
/// `database` is a `TestDatabase` of the system's module; the functions are
/// compiled once for each system. The items in `shared { .. }`, if there are
/// any, are too, with `Conn` for the system's connection: diesel's queries run
/// on a connection that is known, and are hard to write for any.
macro_rules! on_every_database {
    (
        $(shared { $($item:item)* })?
        $($(#[$meta:meta])* fn $name:ident($database:ident) $body:block)*
    ) => {
        mod on_sqlite {
            #[allow(unused_imports)]
            use super::*;
            #[allow(unused_imports)]
            use crate::support::sqlite::{self as system, Conn};
            $($($item)*)?
            $($(#[$meta])* fn $name() {
                #[allow(unused_mut, unused_variables)]
                let mut $database = system::TestDatabase::new();
                $body
            })*
        }
        #[cfg(feature = "postgres")]
        mod on_postgres {
            #[allow(unused_imports)]
            use super::*;
            #[allow(unused_imports)]
            use crate::support::postgres::{self as system, Conn};
            $($($item)*)?
            $($(#[$meta])* fn $name() {
                #[allow(unused_mut, unused_variables)]
                let mut $database = system::TestDatabase::new();
                $body
            })*
        }
        #[cfg(feature = "mysql")]
        mod on_mysql {
            #[allow(unused_imports)]
            use super::*;
            #[allow(unused_imports)]
            use crate::support::mysql::{self as system, Conn};
            $($($item)*)?
            $($(#[$meta])* fn $name() {
                #[allow(unused_mut, unused_variables)]
                let mut $database = system::TestDatabase::new();
                $body
            })*
        }
    };
}
pub(crate) use on_every_database;

/// A database system, where a test differs from one to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum System {
    Sqlite,
    #[cfg(feature = "postgres")]
    Postgres,
    #[cfg(feature = "mysql")]
    Mysql,
}

impl System {
    pub(crate) fn is_postgres(self) -> bool {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres => true,
            _ => false,
        }
    }
}

/// A text, or a panic.
#[derive(Debug, Clone, Copy, AsExpression)]
#[diesel(sql_type = diesel::sql_types::Text)]
pub(crate) struct PanickingText(pub(crate) bool);

impl<DB> ToSql<diesel::sql_types::Text, DB> for PanickingText
where
    DB: Backend,
    str: ToSql<diesel::sql_types::Text, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        assert!(self.0, "a value that panics");
        "new".to_sql(out)
    }
}

/// A text that cannot be written, and says so with its value.
#[derive(Debug, Clone, diesel::expression::AsExpression)]
#[diesel(sql_type = diesel::sql_types::Text)]
pub(crate) struct Unwritable(pub(crate) String);

impl<DB: Backend> ToSql<diesel::sql_types::Text, DB> for Unwritable {
    fn to_sql<'b>(&'b self, _: &mut Output<'b, '_, DB>) -> serialize::Result {
        Err(format!("`{}` cannot be written", self.0).into())
    }
}

/// What a connection did, as diesel's instrumentation sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// A statement was sent; its text, without binds.
    Query(String),
    /// A statement was prepared, to be kept.
    Cache(String),
    /// A transaction began, or a savepoint was set.
    Begin,
    /// A transaction was committed, or a savepoint released.
    Commit,
    /// A transaction or a savepoint was rolled back.
    Rollback,
}

impl Event {
    /// On asynchronous connections a call begins and ends its transactions with
    /// statements of its own, of which Diesel tells nothing else.
    fn of(sql: &str) -> Self {
        if !api::SENDS_TRANSACTIONS {
            return Self::Query(sql.to_owned());
        }
        let words = sql.split_ascii_whitespace().take(2).collect::<Vec<_>>();
        match words[..] {
            ["BEGIN" | "SAVEPOINT", ..] => Self::Begin,
            ["COMMIT" | "RELEASE", ..] => Self::Commit,
            ["ROLLBACK", ..] => Self::Rollback,
            _ => Self::Query(sql.to_owned()),
        }
    }
}

/// The events of a connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recorder(Arc<Mutex<Vec<Event>>>);

impl Recorder {
    /// Records what `conn` does from now on.
    pub(crate) fn of<C: Connection>(conn: &mut C) -> Self {
        let recorder = Self::default();
        let events = Arc::clone(&recorder.0);
        conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            let event = match event {
                InstrumentationEvent::StartQuery { query, .. } => {
                    let query = query.to_string();
                    let sql = query.split(" -- binds: ").next().unwrap_or_default();
                    Event::of(sql)
                }
                InstrumentationEvent::CacheQuery { sql, .. } => Event::Cache(sql.to_owned()),
                InstrumentationEvent::BeginTransaction { .. } => Event::Begin,
                InstrumentationEvent::CommitTransaction { .. } => Event::Commit,
                InstrumentationEvent::RollbackTransaction { .. } => Event::Rollback,
                _ => return,
            };
            events.lock().unwrap().push(event);
        });
        recorder
    }

    /// The events since the last time.
    pub(crate) fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// The statements that write rows, since the last time.
    pub(crate) fn take_upserts(&self) -> Vec<String> {
        let events = self.take().into_iter();
        let upserts = events.filter_map(|event| match event {
            Event::Query(sql) if sql.starts_with("INSERT INTO") => Some(sql),
            _ => None,
        });
        upserts.collect()
    }

    /// The upserts that were prepared to be kept, since the last time.
    pub(crate) fn take_cached(&self) -> Vec<String> {
        let events = self.take().into_iter();
        let cached = events.filter_map(|event| match event {
            Event::Cache(sql) if sql.starts_with("INSERT INTO") => Some(sql),
            _ => None,
        });
        cached.collect()
    }
}

/// Numbers that look random and are the same in every run.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % bound as u64).unwrap()
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

/// A number that no other test of this machine has.
#[cfg(any(feature = "postgres", feature = "mysql"))]
fn unique_name() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let time = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |time| time.subsec_nanos());
    format!("upsert_{}_{time}_{number}", std::process::id())
}

/// The address of a server, which `bin/test` provides.
#[cfg(any(feature = "postgres", feature = "mysql"))]
fn server(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "this test needs a server: set `{variable}`, or run `bin/test`, which starts one, or \
             build without the feature of that database to leave the test out"
        )
    })
}

/// The one number that a query selects.
#[cfg(any(feature = "postgres", feature = "mysql"))]
#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    number: i64,
}

/// Waits until a condition holds.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) fn until(mut holds: impl FnMut() -> bool) {
    use std::time::Duration;
    for _ in 0..200 {
        // MariaDB looks at its transactions anew only if it has not been asked for a tenth of a
        // second.
        std::thread::sleep(Duration::from_millis(150));
        if holds() {
            return;
        }
    }
    panic!("it does not wait");
}

pub(crate) mod sqlite {
    use super::*;

    pub(crate) const SYSTEM: System = System::Sqlite;

    /// How many cases a property is tried with.
    pub(crate) const CASES: u32 = 500 / api::SHARE;

    pub(crate) use crate::api::SqliteConnection as Conn;

    /// A database file of its own, removed at the end.
    pub(crate) struct TestDatabase {
        pub(crate) conn: Conn,
        url: String,
        _directory: tempfile::TempDir,
    }

    impl TestDatabase {
        pub(crate) fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let url = directory.path().join("test.sqlite3");
            let url = url.to_str().unwrap().to_owned();
            let conn = connect(&url);
            Self {
                conn,
                url,
                _directory: directory,
            }
        }

        /// Where a pool finds this database.
        pub(crate) fn url(&self) -> &str {
            &self.url
        }

        /// One more connection to this database.
        pub(crate) fn connect(&self) -> Conn {
            connect(&self.url)
        }

        pub(crate) fn run(&mut self, sql: &str) {
            self.conn.batch_execute(sql).unwrap();
        }
    }

    impl Drop for TestDatabase {
        fn drop(&mut self) {
            #[derive(QueryableByName)]
            struct Check {
                #[diesel(sql_type = diesel::sql_types::Text)]
                integrity_check: String,
            }
            if !std::thread::panicking() {
                let check: Check = diesel::sql_query("PRAGMA integrity_check")
                    .get_result(&mut self.conn)
                    .unwrap();
                assert_eq!(check.integrity_check, "ok");
            }
        }
    }

    fn connect(url: &str) -> Conn {
        let mut conn: Conn = api::connect(url);
        conn.batch_execute(
            "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; \
             PRAGMA foreign_keys = ON;",
        )
        .unwrap();
        // For a run of the same tests under another setting.
        if let Ok(pragma) = std::env::var("UPSERT_SQLITE_PRAGMA") {
            conn.batch_execute(&format!("PRAGMA {pragma}")).unwrap();
        }
        conn
    }
}

#[cfg(feature = "postgres")]
pub(crate) mod postgres {
    use super::*;

    pub(crate) const SYSTEM: System = System::Postgres;

    /// How many cases a property is tried with.
    pub(crate) const CASES: u32 = 200 / api::SHARE;

    pub(crate) use crate::api::PgConnection as Conn;

    /// A schema of its own, dropped at the end.
    pub(crate) struct TestDatabase {
        pub(crate) conn: Conn,
        url: String,
        schema: String,
    }

    impl TestDatabase {
        pub(crate) fn new() -> Self {
            let schema = unique_name();
            let base = server("PG_DATABASE_URL");
            let mut conn: Conn = api::connect(&base);
            conn.batch_execute(&format!("CREATE SCHEMA {schema}"))
                .unwrap();
            let separator = if base.contains('?') { '&' } else { '?' };
            let url = format!("{base}{separator}options=-csearch_path%3D{schema}");
            Self {
                conn: api::connect(&url),
                url,
                schema,
            }
        }

        /// Where a pool finds this database.
        pub(crate) fn url(&self) -> &str {
            &self.url
        }

        /// One more connection to this database.
        pub(crate) fn connect(&self) -> Conn {
            api::connect(&self.url)
        }

        pub(crate) fn run(&mut self, sql: &str) {
            self.conn.batch_execute(sql).unwrap();
        }
    }

    /// What [`until_it_waits`] takes.
    pub(crate) fn connection_id(conn: &mut Conn) -> i64 {
        let query = diesel::sql_query("SELECT pg_backend_pid()::int8 AS number");
        query.get_result::<Number>(conn).unwrap().number
    }

    /// Does another connection wait for a lock?
    pub(crate) fn waits(watcher: &mut Conn, id: i64) -> bool {
        let sql = format!("SELECT cardinality(pg_blocking_pids({id}))::int8 AS number");
        let blocked_by: Number = diesel::sql_query(sql).get_result(watcher).unwrap();
        blocked_by.number > 0
    }

    /// Waits until another connection waits for a lock.
    pub(crate) fn until_it_waits(watcher: &mut Conn, id: i64) {
        until(|| waits(watcher, id));
    }

    /// Lets the other transaction of a deadlock be the one that is ended: it finds it first.
    pub(crate) fn be_patient(conn: &mut Conn) {
        conn.batch_execute("SET deadlock_timeout = '60s'").unwrap();
    }

    /// Keeps tests that need an extension apart: a database has it once, in one
    /// schema.
    ///
    /// To be taken before the test's database is made, so that it outlives it.
    pub(crate) struct ExtensionLock(Conn);

    impl ExtensionLock {
        pub(crate) fn take() -> Self {
            let mut conn = api::connect::<Conn>(&server("PG_DATABASE_URL"));
            conn.batch_execute("SELECT pg_advisory_lock(hashtext('upsert extensions'))")
                .unwrap();
            Self(conn)
        }

        /// Creates the extension in the schema of `database`, or makes the one
        /// known that is there.
        pub(crate) fn create(&mut self, extension: &str, database: &mut TestDatabase) {
            let schema = &database.schema;
            self.0
                .batch_execute(&format!(
                    "SET client_min_messages = warning; \
                     CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA {schema}",
                ))
                .unwrap();
            database.run(&format!(
                "SELECT set_config('search_path', '{schema}, ' || quote_ident(nspname), false) \
                 FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace \
                 WHERE extname = '{extension}'",
            ));
        }
    }

    impl Drop for TestDatabase {
        fn drop(&mut self) {
            // A connection of its own: the test may have left its in any state.
            let drop_schema = format!(
                "SET client_min_messages = warning; DROP SCHEMA {} CASCADE",
                self.schema
            );
            let _ = self.conn.batch_execute("ROLLBACK");
            let _ = api::connect::<Conn>(&self.url).batch_execute(&drop_schema);
        }
    }
}

#[cfg(feature = "mysql")]
pub(crate) mod mysql {
    use super::*;

    pub(crate) const SYSTEM: System = System::Mysql;

    /// How many cases a property is tried with.
    pub(crate) const CASES: u32 = 200 / api::SHARE;

    pub(crate) use crate::api::MysqlConnection as Conn;

    /// A database of its own, dropped at the end.
    pub(crate) struct TestDatabase {
        pub(crate) conn: Conn,
        url: String,
        name: String,
    }

    impl TestDatabase {
        pub(crate) fn new() -> Self {
            let name = unique_name();
            let base = server("MYSQL_DATABASE_URL");
            let mut conn: Conn = api::connect(&base);
            conn.batch_execute(&format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"))
                .unwrap();
            let (server, _) = base.rsplit_once('/').unwrap();
            let url = format!("{server}/{name}");
            Self {
                conn: api::connect(&url),
                url,
                name,
            }
        }

        /// Where a pool finds this database.
        pub(crate) fn url(&self) -> &str {
            &self.url
        }

        /// One more connection to this database.
        pub(crate) fn connect(&self) -> Conn {
            api::connect(&self.url)
        }

        pub(crate) fn run(&mut self, sql: &str) {
            self.conn.batch_execute(sql).unwrap();
        }
    }

    /// What [`until_it_waits`] takes.
    pub(crate) fn connection_id(conn: &mut Conn) -> i64 {
        let query = diesel::sql_query("SELECT CAST(CONNECTION_ID() AS SIGNED) AS number");
        query.get_result::<Number>(conn).unwrap().number
    }

    /// Does another connection wait for a lock?
    pub(crate) fn waits(watcher: &mut Conn, id: i64) -> bool {
        let sql = format!(
            "SELECT COUNT(*) AS number FROM information_schema.INNODB_TRX \
             WHERE trx_state = 'LOCK WAIT' AND trx_mysql_thread_id = {id}"
        );
        let waiting: Number = diesel::sql_query(sql).get_result(watcher).unwrap();
        waiting.number > 0
    }

    /// Waits until another connection waits for a lock.
    pub(crate) fn until_it_waits(watcher: &mut Conn, id: i64) {
        until(|| waits(watcher, id));
    }

    /// InnoDB ends the transaction that has changed fewer rows.
    pub(crate) fn be_patient(_: &mut Conn) {}

    impl Drop for TestDatabase {
        fn drop(&mut self) {
            let _ = self.conn.batch_execute("ROLLBACK");
            let drop_database = format!("DROP DATABASE {}", self.name);
            let _ = api::connect::<Conn>(&self.url).batch_execute(&drop_database);
        }
    }
}

//! The servers, and what is written to them.

use std::time::Duration;

use diesel::connection::{Connection, SimpleConnection};
use diesel::mysql::MysqlConnection;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use upsert_core::{Dialect, UpsertConnection, Upsertable};

use crate::Failed;

diesel::table! { stress_counters (id) { id -> BigInt, total -> BigInt, } }
diesel::table! { stress_pairs (id) { id -> BigInt, code -> BigInt, total -> BigInt, } }
diesel::table! { stress_moving (id) { id -> BigInt, place -> BigInt, total -> BigInt, } }
diesel::table! { stress_numbered (number) { number -> BigInt, id -> BigInt, total -> BigInt, } }
diesel::table! { stress_parents (id) { id -> BigInt, total -> BigInt, } }
diesel::table! { stress_children (id) { id -> BigInt, parent -> BigInt, total -> BigInt, } }
diesel::table! { stress_rows (id) { id -> BigInt, writer -> BigInt, } }
diesel::table! { stress_lists (id) { id -> BigInt, val -> Text, } }

diesel::define_sql_function! { fn concat(list: Text, comma: Text, rest: Text) -> Text; }

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = stress_counters)]
pub(crate) struct Counter {
    #[conflict_key]
    pub(crate) id: i64,
    #[on_conflict(add)]
    pub(crate) total: i64,
}

/// A row whose key determines its value in another unique index.
#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = stress_pairs)]
pub(crate) struct Paired {
    #[conflict_key]
    pub(crate) id: i64,
    #[on_conflict(update)]
    pub(crate) code: i64,
    #[on_conflict(add)]
    pub(crate) total: i64,
}

/// A row whose value in another unique index is another one each time.
#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = stress_moving)]
pub(crate) struct Moving {
    #[conflict_key]
    pub(crate) id: i64,
    #[on_conflict(update)]
    pub(crate) place: i64,
    #[on_conflict(add)]
    pub(crate) total: i64,
}

/// A row with a number of the database's.
#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = stress_numbered)]
pub(crate) struct Numbered {
    #[conflict_key]
    pub(crate) id: i64,
    #[on_conflict(add)]
    pub(crate) total: i64,
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = stress_parents)]
pub(crate) struct Parent {
    #[conflict_key]
    pub(crate) id: i64,
    #[on_conflict(add)]
    pub(crate) total: i64,
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = stress_children)]
pub(crate) struct Child {
    #[conflict_key]
    pub(crate) id: i64,
    #[on_conflict(update)]
    pub(crate) parent: i64,
    #[on_conflict(add)]
    pub(crate) total: i64,
}

/// A row that only one call writes.
#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = stress_rows)]
pub(crate) struct Plain {
    #[conflict_key]
    pub(crate) id: i64,
    #[on_conflict(update)]
    pub(crate) writer: i64,
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = stress_lists)]
pub(crate) struct Append {
    #[conflict_key]
    pub(crate) id: i64,
    #[on_conflict(set = concat(val, ",", excluded(val)))]
    pub(crate) val: String,
}

#[derive(QueryableByName)]
struct NumberRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    total: i64,
}

#[derive(QueryableByName)]
struct TextRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    val: String,
}

/// A connection to a server, with what the two differ in.
pub(crate) trait Server:
    UpsertConnection<Counter>
    + UpsertConnection<Paired>
    + UpsertConnection<Moving>
    + UpsertConnection<Numbered>
    + UpsertConnection<Parent>
    + UpsertConnection<Child>
    + UpsertConnection<Plain>
    + UpsertConnection<Append>
    + 'static
{
    const NAME: &'static str;
    /// The type of a column that the database numbers.
    const NUMBERED: &'static str;
    /// What a counter does that is written by hand.
    const ON_CONFLICT_ADD: &'static str;
    /// The statement that creates the table of tokens.
    const CREATE_TOKENS: &'static str;
    /// The query of the connection's own number.
    const NUMBER: &'static str;

    /// The beginning of the statement that sets the isolation level.
    const SET_ISOLATION: &'static str;

    /// Prepares a connection for deadlocks.
    fn find_deadlocks_soon(&mut self);

    /// The statement that ends the connection of that number.
    fn kill(number: i64) -> String;

    /// The rows of a query of the columns `id` and `total`.
    fn numbers(&mut self, sql: &str) -> QueryResult<Vec<(i64, i64)>>;

    /// The rows of a query of the columns `id` and `val`.
    fn texts(&mut self, sql: &str) -> QueryResult<Vec<(i64, String)>>;

    /// Prepares a connection to see what the other nodes of a cluster have committed.
    fn see_all(&mut self);

    /// Creates a table anew, of the columns `columns`.
    fn create(&mut self, table: &str, columns: &str) -> QueryResult<()> {
        self.batch_execute(&format!("DROP TABLE IF EXISTS {table}"))?;
        self.batch_execute(&format!("CREATE TABLE {table} ({columns})"))
    }

    fn create_tokens(&mut self) -> QueryResult<()> {
        self.batch_execute("DROP TABLE IF EXISTS upsert_tokens")?;
        self.batch_execute(Self::CREATE_TOKENS)
    }
}

macro_rules! queries {
    () => {
        fn numbers(&mut self, sql: &str) -> QueryResult<Vec<(i64, i64)>> {
            let rows: Vec<NumberRow> = diesel::sql_query(sql).load(self)?;
            Ok(rows.into_iter().map(|row| (row.id, row.total)).collect())
        }

        fn texts(&mut self, sql: &str) -> QueryResult<Vec<(i64, String)>> {
            let rows: Vec<TextRow> = diesel::sql_query(sql).load(self)?;
            Ok(rows.into_iter().map(|row| (row.id, row.val)).collect())
        }
    };
}

impl Server for PgConnection {
    const NAME: &'static str = "PostgreSQL";
    const NUMBERED: &'static str = "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY";
    const ON_CONFLICT_ADD: &'static str =
        "ON CONFLICT (id) DO UPDATE SET total = stress_counters.total + excluded.total";
    const CREATE_TOKENS: &'static str = <diesel::pg::Pg as Dialect>::CREATE_TOKENS;
    const SET_ISOLATION: &'static str =
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL";
    const NUMBER: &'static str = "SELECT pg_backend_pid()::int8 AS id, 0::int8 AS total";

    fn find_deadlocks_soon(&mut self) {
        // Not everybody may; then each takes a second.
        let _ = self.batch_execute("SET deadlock_timeout = '50ms'");
    }

    fn see_all(&mut self) {}

    fn kill(number: i64) -> String {
        format!("SELECT pg_terminate_backend({number})")
    }

    queries!();
}

impl Server for MysqlConnection {
    const NAME: &'static str = "MariaDB";
    const NUMBERED: &'static str = "BIGINT AUTO_INCREMENT PRIMARY KEY";
    const ON_CONFLICT_ADD: &'static str =
        "ON DUPLICATE KEY UPDATE total = stress_counters.total + VALUES(total)";
    const CREATE_TOKENS: &'static str = <diesel::mysql::Mysql as Dialect>::CREATE_TOKENS;
    const SET_ISOLATION: &'static str = "SET SESSION TRANSACTION ISOLATION LEVEL";
    const NUMBER: &'static str = "SELECT CAST(CONNECTION_ID() AS SIGNED) AS id, 0 AS total";

    fn find_deadlocks_soon(&mut self) {}

    fn see_all(&mut self) {
        // Only MariaDB that is built for clusters has it.
        let _ = self.batch_execute("SET SESSION wsrep_sync_wait = 1");
    }

    fn kill(number: i64) -> String {
        format!("KILL {number}")
    }

    queries!();
}

/// How to connect to a server.
pub(crate) type Connect<C> = fn(&str) -> Result<C, Failed>;

/// Connects, and tries again for a while, as a server that restarts refuses.
pub(crate) fn connect<C: Connection>(url: &str) -> Result<C, Failed> {
    let mut tries = 0;
    loop {
        match C::establish(url) {
            Ok(conn) => return Ok(conn),
            Err(error) if tries == 20 => return Err(error.into()),
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
        tries += 1;
    }
}

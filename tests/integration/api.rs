//! How the tests call the crate, and the connections that they call it with.

use std::cmp::Ordering;
use std::panic::UnwindSafe;

pub(crate) use diesel::SqliteConnection;
use diesel::connection::Connection;
#[cfg(feature = "mysql")]
pub(crate) use diesel::mysql::MysqlConnection;
#[cfg(feature = "postgres")]
pub(crate) use diesel::pg::PgConnection;
pub(crate) use upsert_core::{Upsert, Upsertable, upsert_stream, upsert_try_stream};

use crate::path::on_path;

/// A property is tried with one in so many of its cases and inputs.
pub(crate) const SHARE: u32 = 1;

/// Does a MySQL connection bind a decimal as a number?
#[cfg(feature = "mysql")]
pub(crate) const SENDS_DECIMALS: bool = true;

/// Does a call begin and end its transactions with statements of its own?
pub(crate) const SENDS_TRANSACTIONS: bool = false;

/// Has a PostgreSQL connection COPY?
pub(crate) const COPIES: bool = true;

/// Connects to the database at `url`.
pub(crate) fn connect<C: Connection>(url: &str) -> C {
    C::establish(url).unwrap()
}

/// Starts a call, on the path that is to be tried.
pub(crate) fn upsert<'f, I>(rows: I) -> Upsert<'f, I::Item, I::Item>
where
    I: IntoIterator<Item: Upsertable>,
{
    on_path(upsert_core::upsert(rows))
}

/// The rows of a stream.
pub(crate) fn stream<I: IntoIterator>(rows: I) -> I {
    rows
}

/// The result of a call; the asynchronous suite waits for it.
pub(crate) fn wait<T>(result: T) -> T {
    result
}

/// Makes a collation known to the connection, which SQLite does not have itself.
pub(crate) fn register_collation(
    conn: &mut SqliteConnection,
    name: &'static str,
    collation: impl Fn(&str, &str) -> Ordering + Send + UnwindSafe + 'static,
) {
    conn.register_collation(name, collation).unwrap();
}

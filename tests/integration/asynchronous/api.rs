//! How the tests call the crate, and the connections that they call it with.
//!
//! The connections are those of diesel-async, wrapped to be blocking ones too, so
//! that the tests' own queries need not be written twice.

use std::cmp::Ordering;
use std::panic::UnwindSafe;
use std::pin::Pin;
use std::sync::LazyLock;

use diesel::connection::Connection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
pub(crate) use futures_util::stream::iter as stream;
use tokio::runtime::{Builder, Runtime};
pub(crate) use upsert_core::asynchronous::{Upsert, Upsertable, upsert_stream, upsert_try_stream};

use crate::path::on_path;

pub(crate) type SqliteConnection =
    AsyncConnectionWrapper<SyncConnectionWrapper<diesel::SqliteConnection>>;
#[cfg(feature = "mysql")]
pub(crate) type MysqlConnection = AsyncConnectionWrapper<diesel_async::AsyncMysqlConnection>;
#[cfg(feature = "postgres")]
pub(crate) type PgConnection = AsyncConnectionWrapper<diesel_async::AsyncPgConnection>;

/// Connections that are asynchronous need one.
pub(crate) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build().unwrap()
});

/// A property is tried with one in so many of its cases and inputs: the planning is the same.
pub(crate) const SHARE: u32 = 8;

/// Does a MySQL connection bind a decimal as a number?
#[cfg(feature = "mysql")]
pub(crate) const SENDS_DECIMALS: bool = false;

/// Has a PostgreSQL connection COPY?
pub(crate) const COPIES: bool = false;

/// Does a call begin and end its transactions with statements of its own?
pub(crate) const SENDS_TRANSACTIONS: bool = true;

/// Connects to the database at `url`.
pub(crate) fn connect<C: Connection>(url: &str) -> C {
    let _entered = RUNTIME.enter();
    C::establish(url).unwrap()
}

/// Starts a call, on the path that is to be tried.
pub(crate) fn upsert<'f, I>(rows: I) -> Upsert<'f, I::Item, I::Item>
where
    I: IntoIterator<Item: Upsertable>,
{
    on_path(upsert_core::asynchronous::upsert(rows))
}

/// The result of a call, which can be awaited in any thread.
pub(crate) fn wait<F: Future + Send>(future: F) -> F::Output {
    // Boxed, as tokio would be compiled for each type of future.
    let future: Pin<Box<dyn Future<Output = F::Output> + Send>> = Box::pin(future);
    RUNTIME.block_on(future)
}

/// Makes a collation known to the connection, which SQLite does not have itself.
pub(crate) fn register_collation(
    conn: &mut SqliteConnection,
    name: &'static str,
    collation: impl Fn(&str, &str) -> Ordering + Send + UnwindSafe + 'static,
) {
    wait(conn.spawn_blocking(move |conn| conn.register_collation(name, collation))).unwrap();
}

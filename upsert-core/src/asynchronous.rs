//! The same calls on the connections of diesel-async.
//!
//! The names and what they mean are those of the crate's root. What differs is the
//! import, and `.await`:
//!
//! ```
//! use diesel::prelude::*;
//! use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
//! use diesel_async::{AsyncConnection, SimpleAsyncConnection};
//! use upsert_core::asynchronous::{Upsertable, upsert};
//!
//! diesel::table! {
//!     products (sku) {
//!         sku -> Text,
//!         name -> Text,
//!     }
//! }
//!
//! #[derive(Upsertable)]
//! #[diesel(table_name = products)]
//! struct Product {
//!     #[conflict_key]
//!     sku: String,
//!     #[on_conflict(update)]
//!     name: String,
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut conn = SyncConnectionWrapper::<SqliteConnection>::establish(":memory:").await?;
//! # conn.batch_execute("CREATE TABLE products (sku TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL)").await?;
//! let rows = [Product { sku: "a".into(), name: "Apple".into() }];
//!
//! let written = Product::bulk_upsert(&mut conn, &rows).await?;
//! assert_eq!(written, 1);
//!
//! let outcome = upsert(&rows).skip_unchanged(true).outcome(&mut conn).await?;
//! assert_eq!(outcome.unchanged(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! `conn` is an `AsyncPgConnection`, an `AsyncMysqlConnection`, a
//! `SyncConnectionWrapper<SqliteConnection>`, or one of them from a pool.
//!
//! # Dropped futures
//!
//! A future may be dropped wherever it waits, by `tokio::time::timeout` or
//! `tokio::select!` for example. All of its call is then in the table or nothing,
//! and its transaction is rolled back:
//!
//! - On PostgreSQL a `ROLLBACK` is sent behind the statement that is on its way, as
//!   soon as the runtime goes on with the connection's task. The connection can be used
//!   at once, and goes back to its pool; what is sent on it waits until the statement
//!   has ended. Where that may take long, because it waits for a lock, a `lock_timeout`
//!   or `statement_timeout` of the server ends it.
//! - On SQLite dropping the future waits for the statement that is on its way, and
//!   for the `ROLLBACK`. A statement that waits for another connection's lock does
//!   so for the `busy_timeout`. A runtime of several threads moves its other tasks to
//!   another thread meanwhile; one of a single thread stands still. Where the runtime
//!   itself ends before the call, the transaction lasts until the connection is
//!   dropped.
//! - On MySQL and MariaDB the connection is not usable any more, as its next
//!   statement would read the answer to the one that was dropped. It is marked as
//!   broken, so that a pool replaces it and neither Diesel nor this crate begins
//!   anything on it; the server rolls back when it is closed. **Drop it, or give it
//!   back: a statement of your own may seem to succeed on it, and is lost.**
//!
//! **Whether it is all or nothing may only be decided after the drop**: a single
//! statement that waits for a lock, and a `COMMIT` that is on its way, may still
//! succeed. Whoever calls again may have the rows applied twice, which matters to
//! `add` and `set`.
//!
//! With `commit_every` and in `execute_parallel` that holds for each of the transactions: what
//! was committed before the drop stays.
//!
//! In a transaction of the caller's, only the call is undone on PostgreSQL and
//! SQLite; on MySQL and MariaDB the transaction cannot be committed any more.
//!
//! # Bounds
//!
//! Rows have to be `Send` and `Sync`. Where the compiler says that
//! `diesel::Connection` is not implemented for an asynchronous connection, the
//! import is `upsert_core::Upsertable` or `upsert_core::upsert` in place of this
//! module's. A function for any connection, or for any model, says:
//!
//! ```
//! use upsert_core::asynchronous::{UpsertConnection, upsert};
//! use upsert_core::Upsertable;
//!
//! async fn save<C, R>(conn: &mut C, rows: &[R]) -> upsert_core::Result<usize>
//! where
//!     C: UpsertConnection<R>,
//!     R: Upsertable<Converted: Send + Sync> + Sync,
//! {
//!     upsert(rows).execute(conn).await
//! }
//! ```
//!
//! For `outcome` and `returning` the connection is an
//! [`OutcomeConnection`], and to return the expression `E` it [`Loads<E, U>`](Loads).

use std::borrow::Borrow;
use std::future::{self, Future};
use std::pin::{Pin, pin};

use diesel::deserialize::FromSqlRow;
use diesel::expression::{Expression, QueryMetadata};
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::query_dsl::CompatibleType;
use diesel::result::{Error as DieselError, QueryResult};
use diesel::sql_types::BigInt;
use diesel_async::AsyncConnection;
use futures_util::{Stream, StreamExt, TryStreamExt};

use crate::batch::{Batch, ModelBatch, Part};
use crate::builder::{Options, Prepared};
use crate::dialect::{Catalog, Dialect, Outcomes};
use crate::engine::stream::{self, Source};
use crate::engine::{self, results};
use crate::error::{Error, Result};
use crate::explain::Explanation;
use crate::model::Model;
use crate::outcome::{Action, Change, Outcome};
use crate::overrides::{Overriding, Writes};
use crate::parallel::{Partition, in_transaction, no_connections, options_of, shared};
use crate::returning::{Loaded, Nothing, Number, Returned, Slot, Unread, Wanted};
use crate::select::Selects;
use crate::session::Session;
use crate::session::asynchronous::AsyncSession;
use crate::statement::ResultQuery;
use crate::trace;
use crate::upsertable::{Fields, Upserts};
use crate::verify::Verification;

pub use upsert_derive::Upsertable;

/// A call on an asynchronous connection, one of diesel-async's.
#[derive(Debug)]
pub enum Asynchronous {}

/// A call that inserts or updates rows; [`upsert`] starts one.
pub type Upsert<'f, B, R, O = ()> = crate::Upsert<'f, B, R, O, Asynchronous>;

/// A call that inserts or updates the rows of a stream; [`upsert_stream`] starts one.
pub type UpsertStream<'f, S, R, O = ()> = crate::UpsertStream<'f, S, R, O, Asynchronous>;

/// A call that returns something of each row.
pub type Returning<'f, B, R, O, E> = crate::Returning<'f, B, R, O, E, Asynchronous>;

/// A call that returns something of each row before and after it.
pub type ReturningOld<'f, B, R, O, E> = crate::ReturningOld<'f, B, R, O, E, Asynchronous>;

/// A call that inserts or updates the rows of a query.
pub type UpsertFrom<'f, Q, R, O = ()> = crate::UpsertFrom<'f, Q, R, O, Asynchronous>;

/// Starts a call that inserts or updates `rows`, to be given options and then
/// executed; [`upsert`](crate::upsert) for asynchronous connections.
pub fn upsert<'f, I>(rows: I) -> Upsert<'f, I::Item, I::Item>
where
    I: IntoIterator<Item: crate::Upsertable>,
{
    Upsert::new(rows.into_iter().collect())
}

/// The calls of a model on asynchronous connections;
/// [`Upsertable`](trait@crate::Upsertable) has them for blocking ones.
pub trait Upsertable: crate::Upsertable {
    /// Inserts `rows`, or updates the existing rows that have their conflict keys,
    /// all or none, and returns how many.
    ///
    /// The same as [`bulk_upsert`](crate::Upsertable::bulk_upsert).
    ///
    /// # Errors
    ///
    /// Any [`Error`]; nothing of the call is then in the table.
    fn bulk_upsert<C: UpsertConnection<Self>, I: IntoRows<Self>>(
        conn: &mut C,
        rows: I,
    ) -> impl Future<Output = Result<usize>> + Send
    where
        Self: Fields<Converted: Send + Sync>,
    {
        let call: Upsert<'_, I::Item, Self> = Upsert::new(rows.into_iter().collect());
        call.execute(conn)
    }

    /// Inserts the rows of a stream, or updates the existing rows that have their
    /// conflict keys, all or none, and returns how many.
    ///
    /// Rows are asked for when they can be sent, and at most 16 384 of them are in
    /// memory at a time. All of them are sent in one transaction, in which the table
    /// ends as if the rows had been upserted one by one. It stays open while the
    /// stream is waited for.
    ///
    /// **Two streams that write the same rows at the same time may deadlock on
    /// PostgreSQL and MySQL**, as only the rows that are in memory can be sorted;
    /// the database then fails one of them, of which nothing is in the table.
    ///
    /// [`bulk_upsert_try_stream`](Upsertable::bulk_upsert_try_stream) takes rows that
    /// may be errors.
    ///
    /// # Errors
    ///
    /// Any [`Error`]; nothing of the call is then in the table.
    fn bulk_upsert_stream<C, S>(conn: &mut C, rows: S) -> impl Future<Output = Result<usize>> + Send
    where
        C: UpsertConnection<Self>,
        Self: Fields<Converted: Send + Sync>,
        S: Stream<Item: Borrow<Self> + Send + Sync> + Send,
    {
        <Self as Upsertable>::bulk_upsert_try_stream(conn, rows.map(Ok))
    }

    /// Inserts the rows of a stream, or updates the existing rows that have their
    /// conflict keys, all or none, and returns how many.
    ///
    /// The same as [`bulk_upsert_stream`](Upsertable::bulk_upsert_stream), but the
    /// first error ends the call.
    ///
    /// ```
    /// # include!("doctest_setup_async.rs");
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mut conn = connection().await;
    /// use futures_util::stream;
    ///
    /// let lines = ["a,Apple", "b,Bread", "a line"];
    /// let rows = lines.map(|line| match line.split_once(',') {
    ///     Some((sku, name)) => Ok(Product { sku, name }),
    ///     None => Err(format!("no comma in `{line}`").into()),
    /// });
    /// let written: Result<usize, Box<dyn std::error::Error + Send + Sync>> =
    ///     Product::bulk_upsert_try_stream(&mut conn, stream::iter(rows)).await;
    /// assert_eq!(written.unwrap_err().to_string(), "no comma in `a line`");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The stream's own, or any [`Error`]; nothing of the call is then in the table.
    fn bulk_upsert_try_stream<C, S, B, E>(
        conn: &mut C,
        rows: S,
    ) -> impl Future<Output = core::result::Result<usize, E>> + Send
    where
        C: UpsertConnection<Self>,
        Self: Fields<Converted: Send + Sync>,
        S: Stream<Item = core::result::Result<B, E>> + Send,
        B: Borrow<Self> + Send + Sync,
        E: From<Error> + Send,
    {
        let call: UpsertStream<'_, S, Self> = UpsertStream::new(rows);
        call.execute(conn)
    }

    /// Asks the database whether the model fits its table, and says what does not.
    ///
    /// The same as [`verify`](crate::Upsertable::verify) on a blocking connection.
    ///
    /// ```
    /// # include!("doctest_setup_async.rs");
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mut conn = connection().await;
    /// Product::verify(&mut conn).await?.assert_ok();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// An [`Error`] of the connection, or [`Refused`](Error::Refused) if the model cannot be
    /// written as SQL.
    fn verify<C>(conn: &mut C) -> impl Future<Output = Result<Verification>> + Send
    where
        C: OutcomeConnection<Self, Backend: Catalog>,
    {
        let model = Model::of::<Self>(Overriding::of(()));
        async {
            let model = model?;
            let mut session = AsyncSession::of(conn).map_err(Error::Connection)?;
            let found = engine::verify(&mut session, model).await;
            session.leave();
            found
        }
    }

    /// Inserts this row, or updates the one that has its conflict key.
    ///
    /// The same as [`upsert`](crate::Upsertable::upsert).
    ///
    /// # Errors
    ///
    /// Any [`Error`].
    fn upsert<C>(&self, conn: &mut C) -> impl Future<Output = Result<usize>> + Send
    where
        C: UpsertConnection<Self>,
        Self: Fields<Converted: Send + Sync> + Sync,
    {
        <Self as Upsertable>::bulk_upsert(conn, [self])
    }

    /// Starts a call that inserts or updates the rows that `query` selects.
    ///
    /// The same as [`upsert_from`](crate::Upsertable::upsert_from).
    fn upsert_from<'f, Q: Selects<Self>>(query: Q) -> UpsertFrom<'f, Q::Query, Self> {
        UpsertFrom::new(query.as_query())
    }
}

impl<R: crate::Upsertable> Upsertable for R {}

/// Rows of the model `R`, or references to them, that another thread may have.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not yield rows of `{R}` that are `Send` and `Sync`",
    label = "consider an array, a `Vec` or an iterator of `{R}` or of `&{R}`",
    note = "on an asynchronous connection each field of `{R}` has to be `Send` and `Sync`: an \
            `Arc` in place of an `Rc`"
)]
pub trait IntoRows<R>: IntoIterator<Item: Borrow<R> + Send + Sync> {}

#[diagnostic::do_not_recommend]
impl<R, I: IntoIterator<Item: Borrow<R> + Send + Sync>> IntoRows<R> for I {}

/// An asynchronous connection to a database on which rows of the model `R` can be
/// upserted, whatever the database.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an asynchronous connection on which `{R}` can be upserted",
    note = "a blocking connection has the calls of `upsert_core` itself: import `Upsertable` or \
            `upsert` from there, and not from `upsert_core::asynchronous`"
)]
pub trait UpsertConnection<R: Fields, O = ()>:
    AsyncConnection<Backend: Dialect + Upserts<R::Model> + Writes<O>>
{
}

impl<C, R, O> UpsertConnection<R, O> for C
where
    C: AsyncConnection<Backend: Dialect + Upserts<R::Model> + Writes<O>>,
    R: Fields,
{
}

/// Rows that cannot be errors, as those of a stream that can.
pub type Sure<S> =
    futures_util::stream::Map<S, fn(<S as Stream>::Item) -> Result<<S as Stream>::Item>>;

/// Starts a call that inserts or updates the rows of a stream of any length, in constant
/// memory; [`upsert_stream`](crate::upsert_stream) for asynchronous connections.
pub fn upsert_stream<'f, S>(rows: S) -> UpsertStream<'f, Sure<S>, S::Item>
where
    S: Stream<Item: crate::Upsertable>,
{
    UpsertStream::new(rows.map(Ok))
}

/// Starts a call that inserts or updates the rows of a stream which may yield errors;
/// [`upsert_try_stream`](crate::upsert_try_stream) for asynchronous connections.
pub fn upsert_try_stream<'f, S, B, E>(rows: S) -> UpsertStream<'f, S, B>
where
    S: Stream<Item = core::result::Result<B, E>>,
    B: crate::Upsertable,
    E: From<Error>,
{
    UpsertStream::new(rows)
}

impl<'f, S, B, E, R, O: 'f> UpsertStream<'f, S, R, O>
where
    S: Stream<Item = core::result::Result<B, E>> + Send,
    B: Borrow<R> + Send + Sync,
    E: From<Error> + Send,
    R: crate::Upsertable<Converted: Send + Sync>,
{
    /// Sends the rows, and returns how many of them were inserted or updated.
    ///
    /// # Errors
    ///
    /// The stream's own, or any [`Error`]; without `commit_every` nothing of the call is
    /// then in the table.
    pub fn execute<C>(
        mut self,
        conn: &mut C,
    ) -> impl Future<Output = core::result::Result<usize, E>> + Send
    where
        C: UpsertConnection<R, O>,
    {
        let model = Model::of::<R>(Overriding::<'f>::of(self.overrides));
        async move {
            let model = model?;
            self.options.check_token(|| model.plain_table())?;
            let mut session = AsyncSession::of(conn).map_err(Error::Connection)?;
            let rows = pin!(self.rows);
            let mut source = SharedSource(rows);
            let (options, commit_every) = (&mut self.options, self.commit_every);
            let written =
                stream::run::<_, _, R>(&mut session, &mut source, &model, options, commit_every);
            let written = trace::inside(trace::stream(&model.table), written).await;
            session.leave();
            written
        }
    }
}

/// Rows from a stream.
struct SharedSource<'s, S>(Pin<&'s mut S>);

impl<S, B, E, R> Source<R> for SharedSource<'_, S>
where
    S: Stream<Item = core::result::Result<B, E>>,
    B: Borrow<R> + Send + Sync,
    E: From<Error>,
    R: Fields<Converted: Send + Sync>,
{
    type Row = B;
    type Error = E;

    async fn next(&mut self) -> core::result::Result<Option<B>, E> {
        self.0.next().await.transpose()
    }

    async fn upsert<A>(
        session: &mut A,
        batch: &ModelBatch<B, R>,
        model: &Model<'_, A::Backend>,
        options: &mut Options<'_>,
    ) -> Result<usize>
    where
        A: Session,
        A::Backend: Upserts<R::Model>,
    {
        let batch: &(dyn Batch<A::Backend> + Send + Sync) = batch;
        engine::run(session, batch, model, options).await
    }
}

impl<'f, B, R, O: 'f> Upsert<'f, B, R, O>
where
    B: Borrow<R> + Send + Sync,
    R: crate::Upsertable<Converted: Send + Sync>,
{
    /// Sends the rows, and returns how many of them were inserted or updated.
    ///
    /// See [`Upsertable::bulk_upsert`](crate::Upsertable::bulk_upsert) for what is
    /// promised, and [the module](self) for what becomes of a dropped future.
    ///
    /// ```
    /// # include!("doctest_setup_async.rs");
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mut conn = connection().await;
    /// let rows = [Product { sku: "a", name: "Apple" }, Product { sku: "b", name: "Bread" }];
    /// assert_eq!(upsert(&rows).do_nothing().execute(&mut conn).await?, 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Any [`Error`]; nothing of the call is then in the table.
    pub fn execute<C: UpsertConnection<R, O>>(
        self,
        conn: &mut C,
    ) -> impl Future<Output = Result<usize>> + Send {
        let prepared = self.prepare::<C::Backend>();
        async {
            let Some(mut call) = prepared? else {
                return Ok(0);
            };
            let mut session = AsyncSession::of(conn).map_err(Error::Connection)?;
            let batch: &(dyn Batch<C::Backend> + Send + Sync) = &call.batch;
            let (model, options) = (&call.model, &mut call.options);
            let written = engine::run(&mut session, batch, model, options).await;
            session.leave();
            written
        }
    }

    /// What [`execute`](Upsert::execute) would do.
    ///
    /// The same as [`explain`](crate::Upsert::explain) on a blocking connection.
    ///
    /// ```
    /// # include!("doctest_setup_async.rs");
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mut conn = connection().await;
    /// let explanation = upsert([Product { sku: "a", name: "Apple" }]).explain(&mut conn).await?;
    /// assert_eq!(explanation.statements.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Any [`Error`] that `execute` would find before it writes.
    pub fn explain<C: UpsertConnection<R, O>>(
        self,
        conn: &mut C,
    ) -> impl Future<Output = Result<Explanation>> + Send {
        let prepared = self.prepared::<C::Backend>();
        async {
            let mut call = prepared?;
            let mut session = AsyncSession::of(conn).map_err(Error::Connection)?;
            let batch: &(dyn Batch<C::Backend> + Send + Sync) = &call.batch;
            let explanation =
                engine::explain(&mut session, batch, &call.model, &mut call.options).await;
            session.leave();
            explanation
        }
    }

    /// Sends the rows over several connections at once, each in a transaction of its own,
    /// and says of each what it did.
    ///
    /// The same as [`execute_parallel`](crate::Upsert::execute_parallel) on blocking
    /// connections, in one task: the server works in parallel.
    ///
    /// ```
    /// # include!("doctest_setup_async.rs");
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mut connections = [connection().await];
    /// let rows = [Product { sku: "a", name: "Apple" }, Product { sku: "b", name: "Bread" }];
    /// for partition in upsert(&rows).execute_parallel(&mut connections).await? {
    ///     match partition.result {
    ///         Ok(written) => println!("{written} rows"),
    ///         Err(error) => println!("{} rows are to be sent again: {error}", partition.rows.len()),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Any [`Error`] that is found before rows are sent; then nothing of the call is in the
    /// table. An error of a partition is its `result`.
    pub fn execute_parallel<C>(
        self,
        connections: &mut [C],
    ) -> impl Future<Output = Result<Vec<Partition>>> + Send
    where
        C: UpsertConnection<R, O>,
    {
        let prepared = self.prepared::<C::Backend>();
        async {
            let Prepared {
                batch,
                model,
                mut options,
            } = prepared?;
            let batch: &(dyn Batch<C::Backend> + Send + Sync) = &batch;
            options.check_for("execute_parallel", || model.plain_table())?;
            let count = connections.len();
            let span = &trace::parallel(&model.table, batch.len());
            for conn in &mut *connections {
                let mut session = AsyncSession::of(conn).map_err(Error::Connection)?;
                let is_in_transaction = session.is_in_transaction();
                session.leave();
                if is_in_transaction.map_err(Error::Connection)? {
                    return Err(in_transaction(model.plain_table()));
                }
            }
            let Some(first) = connections.first_mut() else {
                return Err(no_connections(model.plain_table()));
            };
            let mut session = AsyncSession::of(first).map_err(Error::Connection)?;
            let divided = engine::partition(&mut session, batch, &model, &mut options, count);
            let rows = trace::inside(span.clone(), divided).await;
            session.leave();
            let rows = rows?;
            let (model, total) = (&model, batch.len());
            let shared = &shared(options, rows.len());
            let partitions = rows.into_iter().zip(connections).enumerate();
            let writes = partitions.map(|(i, (rows, conn))| async move {
                let part = Part { batch, rows };
                let erased: &(dyn Batch<C::Backend> + Send + Sync) = &part;
                let mut options = options_of(shared, i, total);
                let result = match AsyncSession::of(conn) {
                    Ok(mut session) => {
                        let written = engine::run(&mut session, erased, model, &mut options);
                        let result = trace::inside(span.clone(), written).await;
                        session.leave();
                        result
                    }
                    Err(error) => Err(Error::Connection(error)),
                };
                Partition {
                    rows: part.rows,
                    result,
                }
            });
            Ok(futures_util::future::join_all(writes).await)
        }
    }

    /// Sends the rows, and returns what became of each of them, in the order of
    /// the input: inserted, updated, unchanged or skipped.
    ///
    /// The same as [`outcome`](crate::Upsert::outcome) on a blocking connection.
    ///
    /// ```
    /// # include!("doctest_setup_async.rs");
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mut conn = connection().await;
    /// use upsert_core::Action;
    ///
    /// let outcome = upsert([Product { sku: "a", name: "Apple" }]).outcome(&mut conn).await?;
    /// assert_eq!(outcome.actions(), [Action::Inserted]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Any [`Error`]; nothing of the call is then in the table.
    pub fn outcome<C: OutcomeConnection<R, O>>(
        self,
        conn: &mut C,
    ) -> impl Future<Output = Result<Outcome>> + Send {
        let slots = self.results::<C, _, Unread>(conn, Nothing, Wanted::ACTIONS);
        async { Ok(slots.await?.into_iter().map(|slot| slot.action).collect()) }
    }

    fn results<C, E, U>(
        self,
        conn: &mut C,
        returning: E,
        wanted: Wanted,
    ) -> impl Future<Output = Result<Vec<Slot<U>>>> + Send
    where
        C: OutcomeConnection<R, O> + Loads<E, U>,
        E: Send + Sync,
        U: Send,
    {
        let prepared = self.prepare::<C::Backend>();
        async move {
            let Some(mut call) = prepared? else {
                return Ok(Vec::new());
            };
            let (model, options) = (&call.model, &mut call.options);
            options.check_for("outcome` and `returning", || model.plain_table())?;
            let mut session = AsyncSession::of(conn).map_err(Error::Connection)?;
            let batch: &(dyn Batch<C::Backend> + Send + Sync) = &call.batch;
            let returned = Returned::<Asynchronous, C, E, U>::new(&returning);
            let slots = results::run(&mut session, batch, model, options, &returned, wanted);
            let slots = slots.await;
            session.leave();
            slots
        }
    }
}

impl<'f, B, R, O: 'f, E> Returning<'f, B, R, O, E>
where
    B: Borrow<R> + Send + Sync,
    R: crate::Upsertable<Converted: Send + Sync>,
{
    /// Sends the rows, and returns for each input row, in the order of the input,
    /// what the table holds for it.
    ///
    /// The same as [`get_results`](crate::Returning::get_results) on a blocking
    /// connection.
    ///
    /// ```
    /// # include!("doctest_setup_async.rs");
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mut conn = connection().await;
    /// let rows = [Product { sku: "a", name: "Apple" }, Product { sku: "b", name: "Bread" }];
    /// let names = upsert(&rows).returning(products::name);
    /// let names: Vec<String> = names.get_results(&mut conn).await?;
    /// assert_eq!(names, ["Apple", "Bread"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Any [`Error`]; nothing of the call is then in the table.
    pub fn get_results<U, C>(self, conn: &mut C) -> impl Future<Output = Result<Vec<U>>> + Send
    where
        U: Loaded + Send,
        C: OutcomeConnection<R, O> + Loads<E, U>,
        E: Send + Sync,
    {
        let slots = self.call.results(conn, self.returning, Wanted::ROWS);
        async { slots.await?.into_iter().map(Slot::row).collect() }
    }

    /// Sends the row, and returns what the table holds for it.
    ///
    /// # Errors
    ///
    /// Any [`Error`]; [`Refused`](Error::Refused) if the call has not exactly one
    /// row.
    pub fn get_result<U, C>(self, conn: &mut C) -> impl Future<Output = Result<U>> + Send
    where
        U: Loaded + Send,
        C: OutcomeConnection<R, O> + Loads<E, U>,
        E: Send + Sync,
    {
        let is_one_row = self.call.check_is_one_row::<C::Backend>();
        let slots = self.call.results(conn, self.returning, Wanted::ROWS);
        async {
            is_one_row?;
            Slot::only(slots.await?)
        }
    }

    /// Sends the rows, and returns for each input row, in the order of the input,
    /// what became of it and what the table holds for it.
    ///
    /// # Errors
    ///
    /// Any [`Error`]; nothing of the call is then in the table.
    pub fn outcome<U, C>(
        self,
        conn: &mut C,
    ) -> impl Future<Output = Result<Vec<(Action, U)>>> + Send
    where
        U: Loaded + Send,
        C: OutcomeConnection<R, O> + Loads<E, U>,
        E: Send + Sync,
    {
        let wanted = Wanted::ROWS_AND_ACTIONS;
        let slots = self.call.results(conn, self.returning, wanted);
        async { slots.await?.into_iter().map(Slot::pair).collect() }
    }
}

impl<'f, B, R, O: 'f, E> ReturningOld<'f, B, R, O, E>
where
    B: Borrow<R> + Send + Sync,
    R: crate::Upsertable<Converted: Send + Sync>,
{
    /// Sends the rows, and returns for each input row, in the order of the input,
    /// what became of it, and what the table held and holds for it.
    ///
    /// # Errors
    ///
    /// Any [`Error`]; nothing of the call is then in the table.
    pub fn get_results<U, C>(
        self,
        conn: &mut C,
    ) -> impl Future<Output = Result<Vec<Change<U>>>> + Send
    where
        U: Loaded + Send,
        C: OutcomeConnection<R, O> + Loads<E, U>,
        E: Send + Sync,
    {
        let slots = self.call.results(conn, self.returning, Wanted::CHANGES);
        async { slots.await?.into_iter().map(Slot::change).collect() }
    }
}

/// An asynchronous connection that can tell what became of each row of the model
/// `R`, and return it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a connection that can tell what became of rows of `{R}`",
    note = "where the connection is a type parameter `C`, the bound to write is \
            `C: upsert_core::asynchronous::OutcomeConnection<Model>`"
)]
pub trait OutcomeConnection<R: Fields, O = ()>: UpsertConnection<R, O, Backend: Outcomes> {}

impl<C, R, O> OutcomeConnection<R, O> for C
where
    C: UpsertConnection<R, O, Backend: Outcomes>,
    R: Fields,
{
}

/// An asynchronous connection that can load the expression `E` into `U`.
#[diagnostic::on_unimplemented(
    message = "`{E}` cannot be loaded into `{U}`",
    note = "a column is loaded into a type that Diesel reads its SQL type into, an `Option` where \
            it can be NULL; several into a tuple, or a struct with `#[derive(Queryable)]`, that \
            has as many fields",
    note = "where the connection is a type parameter `C`, the bound to write is \
            `C: upsert_core::asynchronous::Loads<{E}, {U}>`"
)]
pub trait Loads<E, U>: AsyncConnection {
    #[doc(hidden)]
    fn walk<'b>(returning: &'b E, out: AstPass<'_, 'b, Self::Backend>) -> QueryResult<()>;

    #[doc(hidden)]
    fn load_rows(
        conn: &mut Self,
        query: &dyn QueryFragment<Self::Backend>,
    ) -> impl Future<Output = QueryResult<Vec<(Number, U)>>> + Send;
}

#[diagnostic::do_not_recommend]
impl<C, E, U, ST> Loads<E, U> for C
where
    C: AsyncConnection<Backend: Dialect + QueryMetadata<(BigInt, E::SqlType)>>,
    E: Expression<SqlType: 'static> + QueryFragment<C::Backend>,
    (BigInt, E::SqlType): CompatibleType<(Number, U), C::Backend, SqlType = ST>,
    (Number, U): FromSqlRow<ST, C::Backend>,
    U: Send,
{
    fn walk<'b>(returning: &'b E, out: AstPass<'_, 'b, Self::Backend>) -> QueryResult<()> {
        returning.walk_ast(out)
    }

    fn load_rows(
        conn: &mut Self,
        query: &dyn QueryFragment<Self::Backend>,
    ) -> impl Future<Output = QueryResult<Vec<(Number, U)>>> + Send {
        let query = ResultQuery::<C::Backend, (BigInt, E::SqlType)>::new(query);
        let rows = conn.load(query);
        async {
            let read = |row| {
                let read = <(Number, U)>::build_from_row(&row);
                future::ready(read.map_err(DieselError::DeserializationError))
            };
            rows.await?.and_then(read).try_collect().await
        }
    }
}

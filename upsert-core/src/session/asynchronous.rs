//! The connections of diesel-async.
//!
//! A future may be dropped wherever it waits, in the middle of a statement too,
//! and diesel-async leaves an open transaction open then. So for the time of a
//! call Diesel's status of the connection says that it is broken, which keeps
//! whatever happens from going unnoticed: a pool replaces a broken connection,
//! and Diesel begins no transaction on it. Only a call that has come to its end,
//! or that can be undone when it is dropped, puts the status back.

use std::future::{self, Future};
use std::marker::PhantomData;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker, ready};
use std::thread::{self, Thread};

use diesel::connection::TransactionManagerStatus;
use diesel::query_builder::{QueryFragment, QueryId};
use diesel::result::{DatabaseErrorKind, Error, QueryResult};
use diesel::sql_types::Untyped;
use diesel_async::{AsyncConnection, TransactionManager};
use futures_util::TryStreamExt;

use super::{LoadSession, LoadsFrom, Session, Texts, texts};
use crate::asynchronous::Loads;
use crate::dialect::{Dialect, Dropped, Outcomes};
use crate::error::message;
use crate::returning::Number;
use crate::statement::ResultQuery;

/// An asynchronous connection.
pub(crate) struct AsyncSession<'c, C: AsyncConnection<Backend: Dialect>> {
    conn: &'c mut C,
    /// Diesel's status before the call; `None` once it is back.
    before: Option<TransactionManagerStatus>,
    is_in_transaction: bool,
    /// The transactions and savepoints that are open, or about to be, of the
    /// call's.
    depth: usize,
    /// Is the outermost of them being committed?
    commits: bool,
    /// Has the database refused to go on with the transaction?
    is_doomed: bool,
}

impl<'c, C> AsyncSession<'c, C>
where
    C: AsyncConnection<Backend: Dialect>,
{
    /// Takes the connection for a call.
    ///
    /// # Errors
    ///
    /// `BrokenTransactionManager` if the connection is already broken.
    pub(crate) fn of(conn: &'c mut C) -> QueryResult<Self> {
        let status = status(conn);
        let is_in_transaction = status.transaction_depth()?.is_some();
        let before = mem::replace(status, TransactionManagerStatus::InError);
        Ok(Self {
            conn,
            before: Some(before),
            is_in_transaction,
            depth: 0,
            commits: false,
            is_doomed: false,
        })
    }

    /// Gives the connection back, unless the call has left it in an unknown
    /// state.
    pub(crate) fn leave(mut self) {
        if self.depth == 0 {
            self.restore();
        }
        self.before = None;
    }

    fn restore(&mut self) {
        let Some(mut before) = self.before.take() else {
            return;
        };
        if self.is_doomed {
            before.set_requires_rollback_maybe_up_to_top_level(true);
        }
        *status(self.conn) = before;
    }

    /// Rolls back to where the `depth`th transaction or savepoint of the call's
    /// began.
    async fn undo(&mut self, depth: usize) -> QueryResult<()> {
        let is_transaction = depth == 1 && !self.is_in_transaction;
        let undone = if is_transaction {
            self.conn.batch_execute("ROLLBACK").await
        } else {
            let sql = format!("ROLLBACK TO SAVEPOINT upsert_{depth}");
            self.conn.batch_execute(&sql).await
        };
        match undone {
            // The database itself has ended the transaction, as SQLite does where
            // a disk is full, or MySQL after a deadlock.
            Err(error) if is_transaction && has_ended(&error) => Ok(()),
            Err(_) if !is_transaction && self.is_doomed => Ok(()),
            undone => undone,
        }
    }
}

/// Remembers what Diesel's status would, were it not broken.
fn note<T>(is_doomed: &mut bool, result: QueryResult<T>) -> QueryResult<T> {
    if let Err(Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _)) = &result {
        *is_doomed = true;
    }
    result
}

/// Has SQLite no transaction to roll back?
fn has_ended(error: &Error) -> bool {
    message(error).is_some_and(|message| message.contains("no transaction is active"))
}

fn status<C: AsyncConnection>(conn: &mut C) -> &mut TransactionManagerStatus {
    C::TransactionManager::transaction_manager_status_mut(conn)
}

impl<C> Drop for AsyncSession<'_, C>
where
    C: AsyncConnection<Backend: Dialect>,
{
    /// The call's future was dropped, or has panicked.
    fn drop(&mut self) {
        if self.before.is_none() || C::Backend::DROPPED == Dropped::Breaks {
            return;
        }
        // A transaction whose end is on its way is left to it.
        let is_undone = match C::Backend::DROPPED {
            // A value that panicked while it was written has poisoned diesel-async's
            // mutex, which panics again where Diesel's status is looked at. A
            // statement clears it.
            Dropped::Finishes if self.depth == 0 && thread::panicking() => {
                block_on(pin!(self.conn.batch_execute("SELECT 1"))).is_some()
            }
            _ if self.depth == 0 => true,
            Dropped::Finishes => {
                let commits = self.commits;
                block_on(pin!(self.undo(1))).is_some_and(|undone| undone.is_ok() || commits)
            }
            _ if self.commits => true,
            _ => {
                // It is sent when it is polled first, and what is sent later
                // comes after it.
                let mut context = Context::from_waker(Waker::noop());
                !matches!(pin!(self.undo(1)).poll(&mut context), Poll::Ready(Err(_)))
            }
        };
        if is_undone {
            self.restore();
        }
    }
}

impl<C> Session for AsyncSession<'_, C>
where
    C: AsyncConnection<Backend: Dialect>,
{
    type Backend = C::Backend;

    fn execute<Q>(&mut self, query: &Q) -> impl Future<Output = QueryResult<usize>>
    where
        Q: QueryFragment<C::Backend> + QueryId,
    {
        // The query, which need not be `Sync`, is not needed any more.
        let executed = self.conn.execute_returning_count(query);
        let executed = Statement::<C, _>::new(executed);
        let is_doomed = &mut self.is_doomed;
        async { note(is_doomed, executed.await) }
    }

    async fn batch_execute(&mut self, sql: &str) -> QueryResult<()> {
        let result = Statement::<C, _>::new(self.conn.batch_execute(sql)).await;
        note(&mut self.is_doomed, result)
    }

    fn is_in_transaction(&mut self) -> QueryResult<bool> {
        Ok(self.is_in_transaction || self.depth > 0)
    }

    async fn begin(&mut self) -> QueryResult<()> {
        let is_outermost = !self.is_in_transaction()?;
        self.depth += 1;
        let begun = if is_outermost {
            self.batch_execute(C::Backend::BEGIN).await
        } else {
            let savepoint = format!("SAVEPOINT upsert_{}", self.depth);
            self.batch_execute(&savepoint).await
        };
        if begun.is_err() {
            self.depth -= 1;
        }
        begun
    }

    async fn commit(&mut self) -> QueryResult<()> {
        self.commits = self.depth == 1;
        let committed = if self.commits && !self.is_in_transaction {
            self.batch_execute("COMMIT").await
        } else {
            let release = format!("RELEASE SAVEPOINT upsert_{}", self.depth);
            self.batch_execute(&release).await
        };
        self.commits = false;
        match committed {
            Ok(()) => self.depth -= 1,
            // SQLite keeps a transaction that it cannot commit.
            Err(_) => drop(self.rollback().await),
        }
        committed
    }

    async fn rollback(&mut self) -> QueryResult<()> {
        let undone = Statement::<C, _>::new(self.undo(self.depth)).await;
        if undone.is_ok() {
            self.depth -= 1;
        }
        undone
    }
}

impl<C> LoadSession for AsyncSession<'_, C>
where
    C: AsyncConnection<Backend: Outcomes>,
{
    fn load_texts(
        &mut self,
        query: &dyn QueryFragment<C::Backend>,
    ) -> impl Future<Output = QueryResult<Vec<Texts>>> {
        let query = ResultQuery::<C::Backend, Untyped>::new(query);
        let loaded = self.conn.load(query);
        Statement::<C, _>::new(async {
            let rows = loaded.await?;
            rows.and_then(|row| future::ready(texts(&row)))
                .try_collect()
                .await
        })
    }
}

impl<C, E, U> LoadsFrom<AsyncSession<'_, C>, U> for E
where
    C: AsyncConnection<Backend: Dialect>,
    E: Loads<C, U>,
    U: Send,
{
    fn load_from(
        query: &dyn QueryFragment<C::Backend>,
        session: &mut AsyncSession<'_, C>,
    ) -> impl Future<Output = QueryResult<Vec<(Number, U)>>> {
        Statement::<C, _>::new(E::load(query, session.conn))
    }
}

/// A statement on its way.
///
/// Where a statement that was sent goes on in another thread, it is waited for
/// when it is dropped, so that it is not still running when the connection is
/// used again.
struct Statement<C, F>
where
    C: AsyncConnection<Backend: Dialect>,
    F: Future<Output: Send> + Send,
{
    /// `None` once it has ended.
    future: Option<Pin<Box<F>>>,
    is_sent: bool,
    connection: PhantomData<fn() -> C>,
}

impl<C, F> Statement<C, F>
where
    C: AsyncConnection<Backend: Dialect>,
    F: Future<Output: Send> + Send,
{
    fn new(future: F) -> Self {
        Self {
            future: Some(Box::pin(future)),
            is_sent: false,
            connection: PhantomData,
        }
    }
}

impl<C, F> Future for Statement<C, F>
where
    C: AsyncConnection<Backend: Dialect>,
    F: Future<Output: Send> + Send,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.is_sent = true;
        let Some(future) = &mut self.future else {
            return Poll::Pending;
        };
        let result = ready!(future.as_mut().poll(context));
        self.future = None;
        Poll::Ready(result)
    }
}

impl<C, F> Drop for Statement<C, F>
where
    C: AsyncConnection<Backend: Dialect>,
    F: Future<Output: Send> + Send,
{
    fn drop(&mut self) {
        if self.is_sent && C::Backend::DROPPED == Dropped::Finishes {
            if let Some(future) = &mut self.future {
                block_on(future.as_mut());
            }
        }
    }
}

/// Waits for a future that another thread brings to its end; `None` if that is
/// not possible.
///
/// In a thread of its own: a runtime may not let a task go on that has had its
/// share, and this one is not going to give way.
fn block_on<F>(mut future: Pin<&mut F>) -> Option<F::Output>
where
    F: Future<Output: Send> + Send,
{
    thread::scope(|scope| {
        let wait = move || {
            let waker = Arc::new(Unpark(thread::current())).into();
            let mut context = Context::from_waker(&waker);
            loop {
                if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
                    return result;
                }
                thread::park();
            }
        };
        let thread = thread::Builder::new().spawn_scoped(scope, wait).ok()?;
        thread.join().ok()
    })
}

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

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
use std::panic::{self, AssertUnwindSafe};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker, ready};
use std::thread::{self, Thread};
use std::time::Duration;

use diesel::connection::TransactionManagerStatus;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::{DatabaseErrorKind, Error, QueryResult};
use diesel::sql_types::Untyped;
use diesel_async::{AsyncConnection, TransactionManager};
use futures_util::TryStreamExt;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task;

use super::{Executed, LoadSession, LoadsFrom, Session, Texts, texts};
use crate::asynchronous::{Asynchronous, Loads};
use crate::dialect::{Dialect, Dropped, Outcomes};
use crate::error::message;
use crate::returning::{Number, Returned};
use crate::statement::ResultQuery;

/// How many calls there were.
static CALLS: AtomicU64 = AtomicU64::new(0);

/// An asynchronous connection.
pub(crate) struct AsyncSession<'c, C: AsyncConnection<Backend: Dialect>> {
    conn: &'c mut C,
    /// Diesel's status before the call; `None` once it is back.
    before: Option<TransactionManagerStatus>,
    /// Tells the savepoints of this call from those of others.
    number: u64,
    /// Has a statement been sent?
    is_used: bool,
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
        status.transaction_depth()?;
        let before = mem::replace(status, TransactionManagerStatus::InError);
        Ok(Self {
            conn,
            before: Some(before),
            number: CALLS.fetch_add(1, Ordering::Relaxed),
            is_used: false,
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
        let is_transaction = depth == 1 && !self.is_in_callers_transaction();
        let undone = if is_transaction {
            self.conn.batch_execute("ROLLBACK").await
        } else {
            // What is left of it could be rolled back to by mistake.
            let savepoint = self.savepoint(depth);
            let sql = format!("ROLLBACK TO SAVEPOINT {savepoint}; RELEASE SAVEPOINT {savepoint}");
            self.conn.batch_execute(&sql).await
        };
        match undone {
            // The database itself has ended the transaction, as SQLite does where
            // a disk is full, or MySQL after a deadlock.
            Err(error) if has_ended(&error) => {
                self.is_doomed = !is_transaction;
                if is_transaction { Ok(()) } else { Err(error) }
            }
            undone if self.is_doomed && !is_transaction => undone,
            undone => {
                self.is_doomed &= !is_transaction;
                undone
            }
        }
    }

    fn is_in_callers_transaction(&self) -> bool {
        let before = self.before.as_ref();
        before.is_some_and(|status| matches!(status.transaction_depth(), Ok(Some(_))))
    }

    fn savepoint(&self, depth: usize) -> String {
        format!("upsert_{}_{depth}", self.number)
    }
}

/// Remembers what Diesel's status would, were it not broken.
fn note<T>(is_doomed: &mut bool, result: QueryResult<T>) -> QueryResult<T> {
    if let Err(Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _)) = &result {
        *is_doomed = true;
    }
    result
}

/// Is there no transaction to roll back, or no savepoint in it any more?
///
/// The words are SQLite's, and MySQL's error 1305.
fn has_ended(error: &Error) -> bool {
    message(error).is_some_and(|message| {
        message.contains("no transaction is active")
            || message.contains("no such savepoint")
            || message.starts_with("SAVEPOINT")
    })
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
        if self.before.is_none() || C::Backend::DROPPED == Dropped::Breaks && self.is_used {
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
                let undone = block_on(pin!(self.undo(1)));
                undone.is_some_and(|undone| undone.is_ok() || commits || self.is_doomed)
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

    fn execute(
        &mut self,
        query: &dyn QueryFragment<C::Backend>,
    ) -> impl Future<Output = QueryResult<usize>> {
        self.is_used = true;
        // The query, which need not be `Sync`, is not needed any more.
        let executed = self.conn.execute_returning_count(Executed(query));
        let executed = Statement::<C, _>::new(executed);
        let is_doomed = &mut self.is_doomed;
        async { note(is_doomed, executed.await) }
    }

    async fn batch_execute(&mut self, sql: &str) -> QueryResult<()> {
        self.is_used = true;
        let result = Statement::<C, _>::new(self.conn.batch_execute(sql)).await;
        note(&mut self.is_doomed, result)
    }

    fn is_in_transaction(&mut self) -> QueryResult<bool> {
        Ok(self.depth > 0 || self.is_in_callers_transaction())
    }

    async fn begin(&mut self) -> QueryResult<()> {
        let is_outermost = !self.is_in_transaction()?;
        self.depth += 1;
        let begun = if is_outermost {
            self.batch_execute(C::Backend::BEGIN).await
        } else {
            let savepoint = self.savepoint(self.depth);
            self.batch_execute(&format!("SAVEPOINT {savepoint}")).await
        };
        if begun.is_err() {
            self.depth -= 1;
        }
        begun
    }

    async fn commit(&mut self) -> QueryResult<()> {
        self.commits = self.depth == 1;
        let committed = if self.commits && !self.is_in_callers_transaction() {
            self.batch_execute("COMMIT").await
        } else {
            let savepoint = self.savepoint(self.depth);
            self.batch_execute(&format!("RELEASE SAVEPOINT {savepoint}"))
                .await
        };
        self.commits = false;
        match committed {
            Ok(()) => {
                self.depth -= 1;
                Ok(())
            }
            // SQLite keeps a transaction that it cannot commit.
            Err(commit_error) => match self.rollback().await {
                Ok(()) => Err(commit_error),
                Err(rollback_error) => Err(Error::RollbackErrorOnCommit {
                    rollback_error: Box::new(rollback_error),
                    commit_error: Box::new(commit_error),
                }),
            },
        }
    }

    /// In a thread of its own, as a runtime need not have a timer; it ends when the call is
    /// dropped.
    async fn sleep(&mut self, delay: Duration) {
        if Handle::try_current().is_err() {
            return thread::sleep(delay);
        }
        let (dropped, ends) = mpsc::channel::<()>();
        let _ = task::spawn_blocking(move || ends.recv_timeout(delay)).await;
        drop(dropped);
    }

    async fn rollback(&mut self) -> QueryResult<()> {
        let undone = Statement::<C, _>::new(self.undo(self.depth)).await;
        if undone.is_ok() || self.is_doomed {
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
        self.is_used = true;
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

impl<C, E, U> QueryFragment<C::Backend> for Returned<'_, Asynchronous, C, E, U>
where
    C: Loads<E, U>,
{
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, C::Backend>) -> QueryResult<()> {
        C::walk(self.returning, out)
    }
}

impl<C, E, U> LoadsFrom<AsyncSession<'_, C>, U> for Returned<'_, Asynchronous, C, E, U>
where
    C: AsyncConnection<Backend: Dialect> + Loads<E, U>,
    U: Send,
{
    fn load_from(
        query: &dyn QueryFragment<C::Backend>,
        session: &mut AsyncSession<'_, C>,
    ) -> impl Future<Output = QueryResult<Vec<(Number, U)>>> {
        session.is_used = true;
        Statement::<C, _>::new(C::load_rows(session.conn, query))
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
/// The other tasks of a thread that a runtime of several threads has lent go on in
/// another one: what is waited for may be a lock that one of them holds.
fn block_on<F>(mut future: Pin<&mut F>) -> Option<F::Output>
where
    F: Future<Output: Send> + Send,
{
    let is_lent = Handle::try_current()
        .is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    if !is_lent || thread::panicking() {
        return block_on_thread(future);
    }
    let mut result = None;
    // It panics in a `LocalSet`, whose tasks cannot leave their thread.
    let waited = panic::catch_unwind(AssertUnwindSafe(|| {
        task::block_in_place(|| result = block_on_thread(future.as_mut()));
    }));
    match waited {
        Ok(()) => result,
        Err(_) => block_on_thread(future),
    }
}

/// Waits in a thread of its own: a runtime may not let a task go on that has had its
/// share, and this one is not going to give way.
fn block_on_thread<F>(mut future: Pin<&mut F>) -> Option<F::Output>
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

//! Diesel's own connections.

use std::future::{Future, ready};
use std::num::NonZeroU32;
use std::thread;
use std::time::Duration;

use diesel::connection::{Connection, LoadConnection, TransactionManager};
use diesel::expression::QueryMetadata;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::QueryResult;
use diesel::sql_types::Untyped;

use super::{Executed, LoadSession, LoadsFrom, NO_COPY, Session, Texts, texts};
use crate::builder::Blocking;
use crate::dialect::{BEGIN, Copier, Dialect, NoTable, Outcomes};
use crate::error::refuse;
use crate::field::Supplied;
use crate::returning::{Loads, Number, Returned};
use crate::statement::ResultQuery;

/// A connection as one with COPY, if it is one.
type AsCopier<C> = fn(&mut C) -> Option<&mut dyn Copier<<C as Connection>::Backend>>;

/// A blocking connection.
pub(crate) struct BlockingSession<'c, C: Connection> {
    conn: &'c mut C,
    copier: AsCopier<C>,
    table: Option<CopyTable>,
    /// What it was when each of the open transactions and savepoints began.
    tables: Vec<Option<CopyTable>>,
    /// The transactions and savepoints that are open.
    depth: usize,
}

/// A table for the rows of a COPY.
#[derive(Debug, Clone, Copy)]
struct CopyTable {
    columns: Supplied,
    /// The transaction or savepoint that it belongs to.
    depth: usize,
    is_empty: bool,
}

impl<'c, C> BlockingSession<'c, C>
where
    C: Connection<Backend: Dialect>,
{
    pub(crate) fn of(conn: &'c mut C) -> Self {
        Self {
            conn,
            copier: |_| None,
            table: None,
            tables: Vec::new(),
            depth: 0,
        }
    }

    /// The same, for calls that may use COPY.
    pub(crate) fn with_copy(conn: &'c mut C) -> Self
    where
        C: 'static,
    {
        let mut session = Self::of(conn);
        session.copier = |conn| C::Backend::copier(conn);
        session
    }

    /// Drops the table of a COPY before it becomes a part of the caller's transaction. The
    /// end of the call's own drops it anyway.
    fn drop_table(&mut self) -> QueryResult<()> {
        if self.depth > 1 || self.table.take().is_none() {
            return Ok(());
        }
        let depth = depth(self.conn)?.map_or(0, NonZeroU32::get);
        match (self.copier)(self.conn) {
            Some(copier) if depth > 1 => copier.drop(),
            _ => Ok(()),
        }
    }

    /// Empties the table of a COPY when a savepoint has been released: in the next one its
    /// rows could not be removed, only hidden.
    fn empty_table(&mut self) -> QueryResult<()> {
        let Some(table) = &mut self.table else {
            return Ok(());
        };
        table.depth = table.depth.min(self.depth);
        if table.is_empty || table.depth < self.depth {
            return Ok(());
        }
        table.is_empty = true;
        (self.copier)(self.conn).map_or(Ok(()), Copier::truncate)
    }

    /// Begins the transaction that the dialect asks for, in place of the one
    /// that Diesel has just begun, which holds no lock yet.
    fn begin_again(&mut self) -> QueryResult<()> {
        let begin = C::Backend::BEGIN;
        if begin == BEGIN {
            return Ok(());
        }
        let result = self.conn.batch_execute(&format!("COMMIT; {begin}"));
        if result.is_err() {
            // Diesel will roll back, and expects a transaction to be there. Some
            // of its versions see by themselves that there is none, others do
            // not.
            if is_in_transaction(self.conn)? {
                self.conn.batch_execute(BEGIN)?;
            } else {
                C::TransactionManager::begin_transaction(self.conn)?;
            }
        }
        result
    }
}

impl<C: Connection> Drop for BlockingSession<'_, C> {
    /// Rolls back what is open if the caller's code has panicked: an iterator of rows, or
    /// a value that is written.
    fn drop(&mut self) {
        for _ in 0..self.depth {
            // Diesel's status of the connection says where it cannot be rolled back.
            let _ = C::TransactionManager::rollback_transaction(self.conn);
        }
    }
}

impl<C> Session for BlockingSession<'_, C>
where
    C: Connection<Backend: Dialect>,
{
    type Backend = C::Backend;

    fn execute(
        &mut self,
        query: &dyn QueryFragment<C::Backend>,
    ) -> impl Future<Output = QueryResult<usize>> {
        ready(self.conn.execute_returning_count(&Executed(query)))
    }

    fn batch_execute(&mut self, sql: &str) -> impl Future<Output = QueryResult<()>> {
        ready(self.conn.batch_execute(sql))
    }

    fn copies(&mut self) -> bool {
        (self.copier)(self.conn).is_some()
    }

    fn copier(
        &mut self,
        row: &dyn QueryFragment<C::Backend>,
        columns: Supplied,
    ) -> Result<&mut dyn Copier<C::Backend>, NoTable> {
        let Some(copier) = (self.copier)(self.conn) else {
            return Err(NoTable::Refused(refuse(NO_COPY)));
        };
        let before = self.table.take();
        let made = match before {
            Some(table) if table.columns == columns && table.is_empty => true,
            Some(table) if table.columns == columns && table.depth == self.depth => {
                copier.truncate()?;
                true
            }
            _ => false,
        };
        if !made {
            if before.is_some() {
                copier.drop()?;
            }
            if let Err(error) = copier.create(row, columns.inserted().len()) {
                if matches!(error, NoTable::Refused(_)) {
                    // It would refuse again.
                    self.copier = |_| None;
                }
                return Err(error);
            }
        }
        self.table = Some(CopyTable {
            columns,
            depth: before
                .filter(|_| made)
                .map_or(self.depth, |table| table.depth),
            is_empty: false,
        });
        Ok(copier)
    }

    fn is_in_transaction(&mut self) -> QueryResult<bool> {
        is_in_transaction(self.conn)
    }

    async fn begin(&mut self) -> QueryResult<()> {
        let is_outermost = !is_in_transaction(self.conn)?;
        C::TransactionManager::begin_transaction(self.conn)?;
        self.depth += 1;
        self.tables.push(self.table);
        if !is_outermost {
            return Ok(());
        }
        let begun = self.begin_again();
        if begun.is_err() {
            // What has failed first tells more.
            let _ = self.rollback().await;
        }
        begun
    }

    async fn commit(&mut self) -> QueryResult<()> {
        if let Err(error) = self.drop_table() {
            let _ = self.rollback().await;
            return Err(error);
        }
        let before = depth(self.conn)?;
        let committed = C::TransactionManager::commit_transaction(self.conn);
        // Diesel leaves a savepoint open that it cannot release.
        if committed.is_err() && depth(self.conn).is_ok_and(|after| after == before) {
            let _ = C::TransactionManager::rollback_transaction(self.conn);
        }
        self.depth -= 1;
        self.tables.pop();
        committed?;
        self.empty_table()
    }

    fn sleep(&mut self, delay: Duration) -> impl Future<Output = ()> {
        thread::sleep(delay);
        ready(())
    }

    async fn rollback(&mut self) -> QueryResult<()> {
        self.table = self.tables.pop().flatten();
        self.depth -= 1;
        C::TransactionManager::rollback_transaction(self.conn)
    }
}

impl<C> LoadSession for BlockingSession<'_, C>
where
    C: LoadConnection<Backend: Outcomes>,
{
    fn load_texts(
        &mut self,
        query: &dyn QueryFragment<C::Backend>,
    ) -> impl Future<Output = QueryResult<Vec<Texts>>> {
        ready(load_texts(self.conn, query))
    }
}

fn load_texts<C>(conn: &mut C, query: &dyn QueryFragment<C::Backend>) -> QueryResult<Vec<Texts>>
where
    C: LoadConnection<Backend: Outcomes + QueryMetadata<Untyped>>,
{
    let rows = conn.load(ResultQuery::<C::Backend, Untyped>::new(query))?;
    rows.map(|row| texts(&row?)).collect()
}

impl<C, E, U> QueryFragment<C::Backend> for Returned<'_, Blocking, C, E, U>
where
    C: Loads<E, U>,
{
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, C::Backend>) -> QueryResult<()> {
        C::walk(self.returning, out)
    }
}

impl<C, E, U> LoadsFrom<BlockingSession<'_, C>, U> for Returned<'_, Blocking, C, E, U>
where
    C: Connection<Backend: Dialect> + Loads<E, U>,
{
    fn load_from(
        query: &dyn QueryFragment<C::Backend>,
        session: &mut BlockingSession<'_, C>,
    ) -> impl Future<Output = QueryResult<Vec<(Number, U)>>> {
        ready(C::load_rows(session.conn, query))
    }
}

fn is_in_transaction<C: Connection>(conn: &mut C) -> QueryResult<bool> {
    Ok(depth(conn)?.is_some())
}

/// How many transactions and savepoints are open.
fn depth<C: Connection>(conn: &mut C) -> QueryResult<Option<NonZeroU32>> {
    C::TransactionManager::transaction_manager_status_mut(conn).transaction_depth()
}

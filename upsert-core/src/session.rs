//! A connection as the engine sees it.
//!
//! The engine is written once, as asynchronous functions over a [`Session`]. On
//! a blocking connection no function ever waits, so [`now`] runs it to its end.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use diesel::backend::Backend;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::row::{Field, Row};

use crate::dialect::{Copier, Dialect, NoTable, Outcomes, Question};
use crate::error::refuse;
use crate::field::Supplied;
use crate::returning::Number;

#[cfg(feature = "async")]
pub(crate) mod asynchronous;
pub(crate) mod blocking;

/// The engine asks for COPY only where there is one.
const NO_COPY: &str = "the connection has no COPY";

/// The columns of a row, as texts.
pub(crate) type Texts = Vec<Option<String>>;

/// A connection, blocking or asynchronous, for the time of a call.
///
/// Whether a future is `Send` depends on the session, so the engine's are where
/// the session's are.
pub(crate) trait Session {
    type Backend: Dialect;

    /// Runs a statement, and returns its row count.
    ///
    /// Its type is not known here, so that what a connection does with it is
    /// compiled once.
    fn execute(
        &mut self,
        query: &dyn QueryFragment<Self::Backend>,
    ) -> impl Future<Output = QueryResult<usize>>;

    /// Runs statements without parameters.
    fn batch_execute(&mut self, sql: &str) -> impl Future<Output = QueryResult<()>>;

    /// Has the connection COPY?
    fn copies(&mut self) -> bool {
        false
    }

    /// The connection's COPY, with an empty table for rows that supply these columns, of
    /// which `row` is one.
    fn copier(
        &mut self,
        row: &dyn QueryFragment<Self::Backend>,
        columns: Supplied,
    ) -> Result<&mut dyn Copier<Self::Backend>, NoTable> {
        let _ = (row, columns);
        Err(NoTable::Refused(refuse(NO_COPY)))
    }

    /// Is there a transaction, the caller's or the call's?
    fn is_in_transaction(&mut self) -> QueryResult<bool>;

    /// Begins a transaction, inside of another one a savepoint.
    fn begin(&mut self) -> impl Future<Output = QueryResult<()>>;

    /// Commits the innermost transaction or savepoint.
    ///
    /// If it cannot be committed it is rolled back, and if that fails too the error is
    /// [`RollbackErrorOnCommit`](diesel::result::Error::RollbackErrorOnCommit).
    fn commit(&mut self) -> impl Future<Output = QueryResult<()>>;

    /// Waits before the next attempt.
    fn sleep(&mut self, delay: Duration) -> impl Future<Output = ()>;

    /// Rolls the innermost transaction or savepoint back.
    fn rollback(&mut self) -> impl Future<Output = QueryResult<()>>;

    /// Asks the database for a number.
    fn ask(
        &mut self,
        question: Question<'_, Self::Backend>,
    ) -> impl Future<Output = QueryResult<usize>> {
        async move {
            let answer = match question {
                Question::Rows(query) => self.execute(&query).await,
                Question::Statements(sql) => self.batch_execute(&sql).await.map(|()| 0),
            };
            Self::Backend::answer(answer)
        }
    }
}

/// A session whose connection returns rows.
pub(crate) trait LoadSession: Session<Backend: Outcomes> {
    /// Loads the rows of a query whose columns are texts.
    fn load_texts(
        &mut self,
        query: &dyn QueryFragment<Self::Backend>,
    ) -> impl Future<Output = QueryResult<Vec<Texts>>>;

    /// Loads the text of a query of one row, which may be NULL.
    fn load_text(
        &mut self,
        query: &dyn QueryFragment<Self::Backend>,
    ) -> impl Future<Output = QueryResult<Option<String>>> {
        let texts = self.load_texts(query);
        async {
            let row = texts.await?.into_iter().next();
            Ok(row.and_then(|texts| texts.into_iter().next()).flatten())
        }
    }
}

/// An expression whose rows a session loads into `U`, each behind its number.
pub(crate) trait LoadsFrom<S: Session, U>: QueryFragment<S::Backend> {
    fn load_from(
        query: &dyn QueryFragment<S::Backend>,
        session: &mut S,
    ) -> impl Future<Output = QueryResult<Vec<(Number, U)>>>;
}

/// The columns of a row, as texts.
fn texts<'r, DB: Outcomes>(row: &impl Row<'r, DB>) -> QueryResult<Texts> {
    let text = |column| {
        let field = row.get(column);
        let value = field.as_ref().and_then(Field::value);
        value.map(DB::read_text).transpose()
    };
    (0..row.field_count())
        .map(text)
        .collect::<Result<_, _>>()
        .map_err(diesel::result::Error::DeserializationError)
}

/// A statement, which Diesel may keep prepared by its text.
struct Executed<'q, DB>(&'q dyn QueryFragment<DB>);

impl<DB> QueryId for Executed<'_, DB> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<DB: Backend> QueryFragment<DB> for Executed<'_, DB> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }
}

/// The result of a future that never waits.
///
/// # Panics
///
/// If it does: a blocking session is never pending.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("a blocking connection does not wait"),
    }
}

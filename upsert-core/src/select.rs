//! Rows that come from a query.

use core::fmt;
use core::marker::PhantomData;

use diesel::RunQueryDsl;
use diesel::query_builder::{AsQuery, AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;

#[cfg(feature = "async")]
use crate::asynchronous::{self, Asynchronous};
use crate::builder::Blocking;
use crate::connection::UpsertConnection;
use crate::dialect::{ConflictClause, Dialect};
use crate::engine;
use crate::error::{Error, Result};
use crate::field::Supplied;
use crate::model::Model;
use crate::overrides::{Overriding, Writes};
#[cfg(feature = "async")]
use crate::session::asynchronous::AsyncSession;
use crate::session::blocking::BlockingSession;
use crate::session::now;
use crate::statement::push_insert_into;
use crate::upsertable::{Upsertable, Upserts};

use UpsertFrom as Builder;
#[path = "override_methods.rs"]
mod methods;

/// The SQL types of a model's columns, as a query selects them.
///
/// `#[derive(Upsertable)]` implements it for models without `embed` fields.
pub trait SelectFields {
    /// The SQL type of the column, or the tuple of those of the columns, in the
    /// order of the fields.
    type SqlType;
}

/// A query that selects the columns of the model `R`, in the order of its fields.
#[diagnostic::on_unimplemented(
    message = "the query does not select the columns of `{R}`",
    label = "selects other columns, or in another order than that of the fields of `{R}`",
    note = "`upsert_from` takes a query of as many columns as `{R}` has, with their SQL types; \
            a model with `embed` fields needs another one beside it that has their columns itself"
)]
pub trait Selects<R>: AsQuery {}

#[diagnostic::do_not_recommend]
impl<R, Q> Selects<R> for Q
where
    R: SelectFields,
    Q: AsQuery<SqlType = R::SqlType>,
{
}

/// A call that inserts or updates the rows of a query;
/// [`upsert_from`](Upsertable::upsert_from) starts one.
///
/// It has no `outcome` and no `returning`, as its rows have no place in an input.
///
/// `O` is the list of what the call overrides; it is always inferred.
#[must_use = "a call does nothing until it is executed"]
pub struct UpsertFrom<'f, Q, R, O = (), M = Blocking> {
    query: Q,
    overrides: O,
    types: PhantomData<(R, M, &'f ())>,
}

impl<Q, R: Upsertable, M> UpsertFrom<'_, Q, R, (), M> {
    pub(crate) const fn new(query: Q) -> Self {
        Self {
            query,
            overrides: (),
            types: PhantomData,
        }
    }
}

impl<'f, Q, R: Upsertable, O, M> UpsertFrom<'f, Q, R, O, M> {
    fn with<Next>(self, next: Next) -> UpsertFrom<'f, Q, R, (O, Next), M> {
        UpsertFrom {
            query: self.query,
            overrides: (self.overrides, next),
            types: PhantomData,
        }
    }
}

impl<'f, Q, R: Upsertable, O: 'f, M> UpsertFrom<'f, Q, R, O, M> {
    /// The statement, for the database `DB`, to be printed, embedded or run.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if the call cannot be written as SQL.
    pub fn statement<DB>(self) -> Result<UpsertFromStatement<'f, DB, Q>>
    where
        DB: Dialect + Upserts<R::Model> + Writes<O>,
        Q: QueryFragment<DB>,
    {
        let model = Model::of::<R>(Overriding::of(self.overrides))?;
        UpsertFromStatement::of(model, self.query)
    }
}

impl<'f, Q, R: Upsertable, O: 'f> UpsertFrom<'f, Q, R, O> {
    /// Runs the statement, and returns how many rows were inserted or updated.
    ///
    /// Inside of a transaction the statement has a savepoint of its own.
    ///
    /// # Errors
    ///
    /// Any [`Error`]; nothing of the call is then in the table.
    pub fn execute<C>(self, conn: &mut C) -> Result<usize>
    where
        C: UpsertConnection<R, O>,
        Q: QueryFragment<C::Backend>,
    {
        let mut statement = self.statement::<C::Backend>()?;
        let mut session = BlockingSession::of(conn);
        now(engine::run_select(&mut session, &mut statement))
    }
}

#[cfg(feature = "async")]
impl<'f, Q, R: Upsertable, O: 'f> UpsertFrom<'f, Q, R, O, Asynchronous> {
    /// Runs the statement, and returns how many rows were inserted or updated, on
    /// an asynchronous connection.
    ///
    /// Inside of a transaction the statement has a savepoint of its own. If the
    /// future is dropped, all of the call is in the table or nothing.
    ///
    /// # Errors
    ///
    /// Any [`Error`]; nothing of the call is then in the table.
    pub fn execute<C>(self, conn: &mut C) -> impl Future<Output = Result<usize>> + Send
    where
        C: asynchronous::UpsertConnection<R, O>,
        Q: QueryFragment<C::Backend> + Send,
    {
        let statement = self.statement::<C::Backend>();
        async {
            let mut statement = statement?;
            let mut session = AsyncSession::of(conn).map_err(Error::Connection)?;
            let written = engine::run_select(&mut session, &mut statement).await;
            session.leave();
            written
        }
    }
}

impl<Q, R, O, M> fmt::Debug for UpsertFrom<'_, Q, R, O, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpsertFrom").finish_non_exhaustive()
    }
}

/// The statement of a call whose rows come from a query;
/// [`UpsertFrom::statement`] makes one.
#[must_use = "a statement does nothing until it is executed"]
pub struct UpsertFromStatement<'f, DB, Q> {
    pub(crate) model: Model<'f, DB>,
    query: Q,
}

impl<'f, DB, Q> UpsertFromStatement<'f, DB, Q>
where
    DB: Dialect,
    Q: QueryFragment<DB>,
{
    pub(crate) fn of(model: Model<'f, DB>, query: Q) -> Result<Self> {
        model
            .clause(all_columns(&model), false)
            .map_err(|source| Error::of_building(model.plain_table(), source))?;
        Ok(Self { model, query })
    }

    pub(crate) fn conflict(&self) -> QueryResult<ConflictClause<'_, DB>> {
        self.model.conflict(all_columns(&self.model))
    }
}

fn all_columns<DB: Dialect>(model: &Model<'_, DB>) -> Supplied {
    let mut supplied = Supplied::default();
    for position in 0..model.columns.len() {
        supplied.insert(position);
    }
    supplied
}

impl<DB, Q> QueryFragment<DB> for UpsertFromStatement<'_, DB, Q>
where
    DB: Dialect,
    Q: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let names = self.model.columns.iter().map(|column| column.name);
        push_insert_into(&self.model.table, names, &mut out)?;
        DB::push_select(&self.query, self.model.columns.len(), out.reborrow())?;
        let conflict = self.conflict()?;
        DB::push_conflict_clause(&conflict, &mut out)
    }
}

impl<DB, Q> QueryId for UpsertFromStatement<'_, DB, Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<DB, Q, Conn> RunQueryDsl<Conn> for UpsertFromStatement<'_, DB, Q> {}

impl<DB, Q> fmt::Debug for UpsertFromStatement<'_, DB, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpsertFromStatement")
            .finish_non_exhaustive()
    }
}

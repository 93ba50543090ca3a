//! Rows that come from a query.

use core::fmt;
use core::marker::PhantomData;

use diesel::RunQueryDsl;
use diesel::connection::Connection;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;

use crate::dialect::Dialect;
use crate::engine;
use crate::error::{Error, Result};
use crate::field::Supplied;
use crate::model::Model;
use crate::overrides::{Overrides, Overriding, override_methods};
use crate::statement::push_insert_into;
use crate::upsertable::{BindFields, Upsertable};

/// The SQL types of a model's columns, as a query selects them.
///
/// `#[derive(Upsertable)]` implements it for models without `embed` fields.
#[diagnostic::on_unimplemented(
    message = "a query cannot be matched with the columns of `{Self}`",
    note = "`upsert_from` needs a model without `embed` fields: write a model that has their \
            columns itself"
)]
pub trait SelectFields {
    /// The SQL type of the column, or the tuple of those of the columns, in the
    /// order of the fields.
    type SqlType;
}

/// A call that inserts or updates the rows of a query;
/// [`upsert_from`](Upsertable::upsert_from) starts one.
///
/// It has no `outcome` and no `returning`, as its rows have no place in an input.
///
/// `O` is the list of what the call overrides; it is always inferred.
#[must_use = "a call does nothing until it is executed"]
pub struct UpsertFrom<'f, Q, R, O = ()> {
    query: Q,
    overrides: O,
    model: PhantomData<(R, &'f ())>,
}

impl<Q, R: Upsertable> UpsertFrom<'_, Q, R> {
    pub(crate) const fn new(query: Q) -> Self {
        Self {
            query,
            overrides: (),
            model: PhantomData,
        }
    }
}

impl<'f, Q, R: Upsertable, O> UpsertFrom<'f, Q, R, O> {
    fn with<Next>(self, next: Next) -> UpsertFrom<'f, Q, R, (O, Next)> {
        UpsertFrom {
            query: self.query,
            overrides: (self.overrides, next),
            model: PhantomData,
        }
    }

    override_methods!(UpsertFrom<'f, Q, R>);

    /// Runs the statement, and returns how many rows were inserted or updated.
    ///
    /// Inside of a transaction the statement has a savepoint of its own.
    ///
    /// # Errors
    ///
    /// Any [`Error`]; nothing of the call is then in the table.
    pub fn execute<C>(self, conn: &mut C) -> Result<usize>
    where
        C: Connection,
        C::Backend: Dialect,
        R: BindFields<C::Backend>,
        Q: QueryFragment<C::Backend>,
        O: Overrides<'f, C::Backend>,
    {
        let statement = self.statement::<C::Backend>()?;
        let conflict = statement
            .model
            .conflict(all_columns(&statement.model))
            .map_err(Error::Connection)?;
        engine::run_select(conn, &statement.model, &conflict, &statement)
    }

    /// The statement, for the database `DB`, to be printed, embedded or run.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if the call cannot be written as SQL.
    pub fn statement<DB>(self) -> Result<UpsertFromStatement<'f, DB, Q>>
    where
        DB: Dialect,
        R: BindFields<DB>,
        Q: QueryFragment<DB>,
        O: Overrides<'f, DB>,
    {
        let model = Model::of::<R>(Overriding::of(self.overrides))?;
        model
            .clause(all_columns(&model), false)
            .map_err(|source| Error::of_building(model.plain_table(), source))?;
        Ok(UpsertFromStatement {
            model,
            query: self.query,
        })
    }
}

impl<Q, R, O> fmt::Debug for UpsertFrom<'_, Q, R, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpsertFrom").finish_non_exhaustive()
    }
}

/// The statement of a call whose rows come from a query;
/// [`UpsertFrom::statement`] makes one.
#[must_use = "a statement does nothing until it is executed"]
pub struct UpsertFromStatement<'f, DB, Q> {
    model: Model<'f, DB>,
    query: Q,
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
        let conflict = self.model.conflict(all_columns(&self.model))?;
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

//! Calls that return what they wrote.

use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;

use diesel::RunQueryDsl;
use diesel::connection::Connection;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::{Expression, NonAggregate, SelectableExpression};
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::query_dsl::methods::LoadQuery;
use diesel::result::{Error as DieselError, QueryResult};
use diesel::sql_types::BigInt;

use crate::builder::{Blocking, Upsert};
use crate::connection::OutcomeConnection;
use crate::dialect::{Dialect, Outcomes};
use crate::error::{Error, Result, refuse};
use crate::outcome::{Action, Change};
use crate::statement::ResultQuery;
use crate::upsertable::Upsertable;

/// A call that returns `E` of each row;
/// [`Upsert::returning`] makes one.
#[must_use = "a call does nothing until its results are asked for, by `get_results` for example"]
pub struct Returning<'f, B, R: Upsertable, O, E, M = Blocking> {
    pub(crate) call: Upsert<'f, B, R, O, M>,
    pub(crate) returning: E,
}

impl<'f, B, R, O: 'f, E> Returning<'f, B, R, O, E>
where
    B: Borrow<R>,
    R: Upsertable,
{
    /// Sends the rows, and returns for each input row, in the order of the input,
    /// what the table holds for it.
    ///
    /// A row that was not written, by `do_nothing` or a guard, is returned as it
    /// is in the table. Where input rows have the same key, each is returned as
    /// it was when it had been applied.
    ///
    /// `U` is what Diesel loads the expression into; `get_results::<i32, _>(conn)`
    /// names it, where it is not known from elsewhere.
    ///
    /// # Errors
    ///
    /// Any [`Error`](crate::Error); nothing of the call is then in the table.
    pub fn get_results<U: Loaded, C: OutcomeConnection<R, O> + Loads<E, U>>(
        self,
        conn: &mut C,
    ) -> Result<Vec<U>> {
        let slots = self.call.results(conn, &self.returning, Wanted::ROWS)?;
        slots.into_iter().map(Slot::row).collect()
    }

    /// Sends the row, and returns what the table holds for it.
    ///
    /// # Errors
    ///
    /// Any [`Error`](crate::Error); [`Refused`](crate::Error::Refused) if the call
    /// has not exactly one row.
    pub fn get_result<U: Loaded, C: OutcomeConnection<R, O> + Loads<E, U>>(
        self,
        conn: &mut C,
    ) -> Result<U> {
        self.call.check_is_one_row::<C::Backend>()?;
        let slots = self.call.results(conn, &self.returning, Wanted::ROWS)?;
        Slot::only(slots)
    }

    /// Sends the rows, and returns for each input row, in the order of the input,
    /// what became of it and what the table holds for it.
    ///
    /// # Errors
    ///
    /// Any [`Error`](crate::Error); nothing of the call is then in the table.
    pub fn outcome<U: Loaded, C: OutcomeConnection<R, O> + Loads<E, U>>(
        self,
        conn: &mut C,
    ) -> Result<Vec<(Action, U)>> {
        let slots = self
            .call
            .results(conn, &self.returning, Wanted::ROWS_AND_ACTIONS)?;
        slots.into_iter().map(Slot::pair).collect()
    }
}

impl<B, R: Upsertable, O, E, M> fmt::Debug for Returning<'_, B, R, O, E, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Returning").finish_non_exhaustive()
    }
}

/// A call that returns `E` of each row before and after it;
/// [`Upsert::returning_old`] makes one.
#[must_use = "a call does nothing until its results are asked for, by `get_results` for example"]
pub struct ReturningOld<'f, B, R: Upsertable, O, E, M = Blocking> {
    pub(crate) call: Upsert<'f, B, R, O, M>,
    pub(crate) returning: E,
}

impl<'f, B, R, O: 'f, E> ReturningOld<'f, B, R, O, E>
where
    B: Borrow<R>,
    R: Upsertable,
{
    /// Sends the rows, and returns for each input row, in the order of the input,
    /// what became of it, and what the table held and holds for it.
    ///
    /// # Errors
    ///
    /// Any [`Error`](crate::Error); nothing of the call is then in the table.
    pub fn get_results<U: Loaded, C: OutcomeConnection<R, O> + Loads<E, U>>(
        self,
        conn: &mut C,
    ) -> Result<Vec<Change<U>>> {
        let slots = self.call.results(conn, &self.returning, Wanted::CHANGES)?;
        slots.into_iter().map(Slot::change).collect()
    }
}

impl<B, R: Upsertable, O, E, M> fmt::Debug for ReturningOld<'_, B, R, O, E, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReturningOld").finish_non_exhaustive()
    }
}

/// An expression over a row of the table `Tab`: of one row, not of many.
#[diagnostic::on_unimplemented(
    message = "not an expression over a row of the table `{Tab}`",
    label = "has something else in it than columns of `{Tab}`, or is an aggregate",
    note = "`returning(..)` and `returning_old(..)` take a column of the table, a tuple of its \
            columns, or `Model::as_returning()`"
)]
pub trait OfRow<Tab> {}

#[diagnostic::do_not_recommend]
impl<Tab, E> OfRow<Tab> for E where E: SelectableExpression<Tab> + NonAggregate {}

/// A connection that can load the expression `E` into `U`.
#[diagnostic::on_unimplemented(
    message = "`{E}` cannot be loaded into `{U}`",
    note = "a column is loaded into a type that Diesel reads its SQL type into, an `Option` where \
            it can be NULL; several into a tuple, or a struct with `#[derive(Queryable)]`, that \
            has as many fields",
    note = "where the connection is a type parameter `C`, the bound to write is \
            `C: upsert_core::Loads<{E}, {U}>`"
)]
pub trait Loads<E, U>: Connection {
    #[doc(hidden)]
    fn walk<'b>(returning: &'b E, out: AstPass<'_, 'b, Self::Backend>) -> QueryResult<()>;

    #[doc(hidden)]
    fn load_rows(
        conn: &mut Self,
        query: &dyn QueryFragment<Self::Backend>,
    ) -> QueryResult<Vec<(Number, U)>>;
}

#[diagnostic::do_not_recommend]
impl<C, E, U> Loads<E, U> for C
where
    C: Connection<Backend: Dialect>,
    E: Expression + QueryFragment<C::Backend>,
    for<'q> ResultQuery<'q, C::Backend, (BigInt, E::SqlType)>: LoadQuery<'q, C, (Number, U)>,
{
    fn walk<'b>(returning: &'b E, out: AstPass<'_, 'b, Self::Backend>) -> QueryResult<()> {
        returning.walk_ast(out)
    }

    fn load_rows(
        conn: &mut Self,
        query: &dyn QueryFragment<Self::Backend>,
    ) -> QueryResult<Vec<(Number, U)>> {
        ResultQuery::<C::Backend, (BigInt, E::SqlType)>::new(query).load(conn)
    }
}

/// The expression `E`, which the connection `C` loads into `U`. `M` is whether it is a
/// blocking one.
pub(crate) struct Returned<'e, M, C, E, U> {
    pub(crate) returning: &'e E,
    types: PhantomData<fn(M, C) -> U>,
}

impl<'e, M, C, E, U> Returned<'e, M, C, E, U> {
    pub(crate) fn new(returning: &'e E) -> Self {
        Self {
            returning,
            types: PhantomData,
        }
    }
}

/// What rows can be loaded into: any type. It is asked for first, so that a
/// result whose type is not said is an error that says so.
pub trait Loaded {}

impl<U> Loaded for U {}

/// A number that stands beside a row.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, FromSqlRow)]
pub struct Number(pub(crate) i64);

impl<DB: Outcomes> FromSql<BigInt, DB> for Number {
    fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
        DB::read_number(value).map(Self)
    }
}

/// What is loaded of a row of which nothing is returned.
#[derive(Debug, Clone, Copy, FromSqlRow)]
pub(crate) struct Unread;

impl<DB: Outcomes> FromSql<BigInt, DB> for Unread {
    fn from_sql(_: DB::RawValue<'_>) -> deserialize::Result<Self> {
        Ok(Self)
    }
}

/// Returns nothing of a row.
#[derive(Debug, Clone, Copy, QueryId)]
pub(crate) struct Nothing;

impl Expression for Nothing {
    type SqlType = BigInt;
}

impl<DB: Dialect> QueryFragment<DB> for Nothing {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("0");
        Ok(())
    }
}

/// What is wanted of each row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) action: bool,
    pub(crate) new: bool,
    pub(crate) old: bool,
}

impl Wanted {
    pub(crate) const ACTIONS: Self = Self {
        action: true,
        new: false,
        old: false,
    };
    pub(crate) const ROWS: Self = Self {
        action: false,
        new: true,
        old: false,
    };
    pub(crate) const ROWS_AND_ACTIONS: Self = Self {
        action: true,
        new: true,
        old: false,
    };
    pub(crate) const CHANGES: Self = Self {
        action: true,
        new: true,
        old: true,
    };
}

/// What is known of a row.
#[derive(Debug)]
pub(crate) struct Slot<U> {
    pub(crate) action: Action,
    pub(crate) old: Option<U>,
    pub(crate) new: Option<U>,
}

impl<U> Slot<U> {
    /// The row, which the engine has put into each slot, or failed.
    pub(crate) fn row(self) -> Result<U> {
        Ok(self.change()?.new)
    }

    pub(crate) fn only(slots: Vec<Self>) -> Result<U> {
        let missing = || Error::Connection(DieselError::NotFound);
        slots.into_iter().next().ok_or_else(missing)?.row()
    }

    pub(crate) fn pair(self) -> Result<(Action, U)> {
        let change = self.change()?;
        Ok((change.action, change.new))
    }

    pub(crate) fn change(self) -> Result<Change<U>> {
        match self.new {
            Some(new) => Ok(Change {
                action: self.action,
                old: self.old,
                new,
            }),
            None => Err(Error::Connection(refuse(
                "a row is missing from what was returned",
            ))),
        }
    }
}

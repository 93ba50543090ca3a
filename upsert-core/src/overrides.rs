//! What a call says instead of its model: the types in the list `O` of
//! [`Upsert`](crate::Upsert), for functions that return a call.
//!
//! ```
//! # include!("doctest_setup.rs");
//! # fn main() {
//! use upsert_core::Upsert;
//! use upsert_core::overrides::WithSkipUnchanged;
//!
//! fn import<'r>(
//!     rows: &'r [Product<'r>],
//! ) -> Upsert<'r, &'r Product<'r>, &'r Product<'r>, ((), WithSkipUnchanged)> {
//!     upsert_core::upsert(rows).skip_unchanged(true)
//! }
//! # let _ = import(&[]);
//! # }
//! ```

use core::fmt;

use diesel::expression::TypedExpressionType;
use diesel::prelude::Column;
use diesel::query_builder::QueryFragment;
use diesel::sql_types::{SingleValue, SqlType};

use crate::dialect::Dialect;
use crate::expression::Fragment;
use crate::field::ColumnDef;
use crate::target::ChosenTarget;
use crate::value::Nullability;

pub use crate::target::{FilterTarget, OnColumns};

/// A database on which the overrides `O` of a call can be written.
///
/// `O` is a list of them, each known by its type, so that an expression that a
/// database cannot have is an error when the call is compiled.
#[diagnostic::on_unimplemented(
    message = "what this call overrides cannot be written on `{Self}`",
    note = "`on_constraint` is for PostgreSQL, `filter_target` for PostgreSQL and SQLite, and an \
            expression needs functions and operators that the database has",
    note = "where the connection is a type parameter `C`, its bound names what is overridden: \
            `C: upsert_core::UpsertConnection<Model, {O}>`"
)]
pub trait Writes<O>: Dialect {
    #[doc(hidden)]
    fn apply<'o>(overrides: O, into: &mut Overriding<'o, Self>)
    where
        O: 'o;
}

#[diagnostic::do_not_recommend]
impl<DB: Dialect> Writes<()> for DB {
    fn apply<'o>((): (), _: &mut Overriding<'o, Self>)
    where
        (): 'o,
    {
    }
}

#[diagnostic::do_not_recommend]
impl<DB, Before, Last> Writes<(Before, Last)> for DB
where
    DB: Writes<Before>,
    Last: Override<DB>,
{
    fn apply<'o>((before, last): (Before, Last), into: &mut Overriding<'o, Self>)
    where
        (Before, Last): 'o,
    {
        DB::apply(before, into);
        last.apply(into);
    }
}

/// One override.
#[doc(hidden)]
pub trait Override<DB: Dialect> {
    fn apply<'o>(self, into: &mut Overriding<'o, DB>)
    where
        Self: 'o;
}

/// All overrides of a call.
#[doc(hidden)]
pub struct Overriding<'f, DB> {
    pub(crate) target: Option<ChosenTarget>,
    pub(crate) target_where: Option<Fragment<'f, DB>>,
    /// Later ones win.
    pub(crate) columns: Vec<(ColumnDef, Option<Fragment<'f, DB>>)>,
    pub(crate) update_if: Option<Fragment<'f, DB>>,
    pub(crate) skip_unchanged: Option<bool>,
    pub(crate) do_nothing: bool,
}

impl<'f, DB: Dialect> Overriding<'f, DB> {
    pub(crate) fn of<O: 'f>(overrides: O) -> Self
    where
        DB: Writes<O>,
    {
        let mut this = Self {
            target: None,
            target_where: None,
            columns: Vec::new(),
            update_if: None,
            skip_unchanged: None,
            do_nothing: false,
        };
        DB::apply(overrides, &mut this);
        this
    }
}

impl<DB> fmt::Debug for Overriding<'_, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overriding").finish_non_exhaustive()
    }
}

/// Another rule for a column.
#[derive(Debug, Clone, Copy)]
pub struct WithRule {
    pub(crate) column: ColumnDef,
}

impl<DB: Dialect> Override<DB> for WithRule {
    fn apply<'o>(self, into: &mut Overriding<'o, DB>)
    where
        Self: 'o,
    {
        into.columns.push((self.column, None));
    }
}

/// An expression for a column.
#[derive(Debug, Clone, Copy)]
pub struct WithExpression<E> {
    pub(crate) column: ColumnDef,
    pub(crate) expression: E,
}

impl<DB, E> Override<DB> for WithExpression<E>
where
    DB: Dialect,
    E: QueryFragment<DB> + Send + Sync,
{
    fn apply<'o>(self, into: &mut Overriding<'o, DB>)
    where
        Self: 'o,
    {
        into.columns
            .push((self.column, Some(Box::new(self.expression))));
    }
}

/// Another guard.
#[derive(Debug, Clone, Copy)]
pub struct WithGuard<E>(pub(crate) E);

impl<DB, E> Override<DB> for WithGuard<E>
where
    DB: Dialect,
    E: QueryFragment<DB> + Send + Sync,
{
    fn apply<'o>(self, into: &mut Overriding<'o, DB>)
    where
        Self: 'o,
    {
        into.update_if = Some(Box::new(self.0));
    }
}

/// `skip_unchanged` or not.
#[derive(Debug, Clone, Copy)]
pub struct WithSkipUnchanged(pub(crate) bool);

impl<DB: Dialect> Override<DB> for WithSkipUnchanged {
    fn apply<'o>(self, into: &mut Overriding<'o, DB>)
    where
        Self: 'o,
    {
        into.skip_unchanged = Some(self.0);
    }
}

/// `do_nothing`.
#[derive(Debug, Clone, Copy)]
pub struct WithDoNothing;

impl<DB: Dialect> Override<DB> for WithDoNothing {
    fn apply<'o>(self, into: &mut Overriding<'o, DB>)
    where
        Self: 'o,
    {
        into.do_nothing = true;
    }
}

/// A column of the table `Tab`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a column of the table `{Tab}`",
    label = "not a column of `{Tab}`"
)]
pub trait ColumnOf<Tab>: Column<Table = Tab, SqlType: ColumnType> {}

#[diagnostic::do_not_recommend]
impl<Tab, C: Column<Table = Tab, SqlType: ColumnType>> ColumnOf<Tab> for C {}

/// The SQL type of a column that can be written.
pub trait ColumnType: SqlType<IsNull: Nullability> + SingleValue + TypedExpressionType {}

impl<ST> ColumnType for ST where ST: SqlType<IsNull: Nullability> + SingleValue + TypedExpressionType
{}

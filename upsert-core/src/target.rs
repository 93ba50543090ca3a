//! Conflict targets: those of a model, and those chosen for one call.

use diesel::prelude::Column;
use diesel::query_builder::QueryFragment;

use crate::dialect::{Dialect, SupportsConstraintTarget, SupportsPartialTarget};
use crate::expression::Fragment;
use crate::field::{FieldDef, has_columns};
use crate::overrides::{Override, Overriding};

/// A model's conflict target, as far as it is known without a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TargetDef {
    /// The columns marked `#[conflict_key]`, or the table's primary key.
    Columns,
    /// `#[upsert(constraint = "..")]`
    Constraint(&'static str),
    /// `#[upsert(target = ..)]`; the expressions are in
    /// [`BindFields::expressions`](crate::BindFields::expressions).
    Expressions,
}

/// A conflict target for the table `Tab`, for
/// [`Upsert::on_conflict`](crate::Upsert::on_conflict).
///
/// Columns are one, tuples of columns of one table, and what
/// [`on_constraint`] returns. `How` keeps columns and tuples of them apart; it is
/// always inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a conflict target on the table `{Tab}`",
    note = "a conflict target is a column of the table, a tuple of its columns, or \
            `on_constraint(\"..\")`"
)]
pub trait ConflictTarget<Tab, How> {
    /// The columns' names; none for a constraint.
    const COLUMNS: &'static [&'static str];

    #[doc(hidden)]
    type Override;

    #[doc(hidden)]
    fn into_override(self) -> Self::Override;
}

#[diagnostic::do_not_recommend]
impl<Tab, C: Column<Table = Tab>> ConflictTarget<Tab, One> for C {
    const COLUMNS: &'static [&'static str] = &[C::NAME];

    type Override = OnColumns;

    fn into_override(self) -> OnColumns {
        OnColumns(&[C::NAME])
    }
}

macro_rules! column_tuples {
    ($first:ident $($rest:ident)*) => {
        #[diagnostic::do_not_recommend]
        impl<Tab, $first, $($rest),*> ConflictTarget<Tab, Many> for ($first, $($rest,)*)
        where
            $first: Column<Table = Tab>,
            $($rest: Column<Table = Tab>,)*
        {
            const COLUMNS: &'static [&'static str] = &[$first::NAME, $($rest::NAME),*];

            type Override = OnColumns;

            fn into_override(self) -> OnColumns {
                OnColumns(<Self as ConflictTarget<Tab, Many>>::COLUMNS)
            }
        }
        column_tuples!($($rest)*);
    };
    () => {};
}

// No database has a longer key: 32 columns on PostgreSQL, 16 on MySQL.
column_tuples!(
    C1 C2 C3 C4 C5 C6 C7 C8 C9 C10 C11 C12 C13 C14 C15 C16
    C17 C18 C19 C20 C21 C22 C23 C24 C25 C26 C27 C28 C29 C30 C31 C32
);

/// The conflict target that is the constraint `name`.
///
/// PostgreSQL only. It has to be a constraint; a unique index made by
/// `CREATE UNIQUE INDEX` has none, so its columns are named instead.
///
/// ```sql
/// ON CONFLICT ON CONSTRAINT "name"
/// ```
pub fn on_constraint(name: impl Into<String>) -> OnConstraint {
    OnConstraint(name.into())
}

/// See [`on_constraint`].
#[derive(Debug, Clone)]
pub struct OnConstraint(String);

#[diagnostic::do_not_recommend]
impl<Tab> ConflictTarget<Tab, One> for OnConstraint {
    const COLUMNS: &'static [&'static str] = &[];

    type Override = Self;

    fn into_override(self) -> Self {
        self
    }
}

impl<DB: Dialect + SupportsConstraintTarget> Override<DB> for OnConstraint {
    fn apply<'o>(self, into: &mut Overriding<'o, DB>)
    where
        Self: 'o,
    {
        into.target = Some(ChosenTarget::Constraint(self.0));
        into.target_where = None;
    }
}

/// Columns as the conflict target of a call.
#[derive(Debug, Clone, Copy)]
pub struct OnColumns(&'static [&'static str]);

impl<DB: Dialect> Override<DB> for OnColumns {
    fn apply<'o>(self, into: &mut Overriding<'o, DB>)
    where
        Self: 'o,
    {
        into.target = Some(ChosenTarget::Columns(self.0));
        into.target_where = None;
    }
}

/// The predicate of the index, for a call.
#[derive(Debug, Clone, Copy)]
pub struct FilterTarget<P>(pub(crate) P);

impl<DB, P> Override<DB> for FilterTarget<P>
where
    DB: Dialect + SupportsPartialTarget,
    P: QueryFragment<DB> + Send + Sync,
{
    fn apply<'o>(self, into: &mut Overriding<'o, DB>)
    where
        Self: 'o,
    {
        let predicate: Fragment<'o, DB> = Box::new(self.0);
        into.target_where = Some(predicate);
    }
}

/// Stops the compilation where one of `columns` is not among `fields`.
// Without the tracking, rustc would show the inside of `assert!`.
#[track_caller]
pub(crate) const fn check_columns(fields: &[FieldDef], columns: &[&str]) {
    assert!(
        has_columns(fields, columns),
        "a column in `on_conflict(..)` is not a column of the model\nhelp: name columns that the \
         model has fields for"
    );
}

/// One column, or anything that is no tuple. See [`ConflictTarget`].
#[derive(Debug)]
#[doc(hidden)]
pub struct One;

/// A tuple of columns. See [`ConflictTarget`].
#[derive(Debug)]
#[doc(hidden)]
pub struct Many;

/// The target that a call chose.
#[derive(Debug)]
pub(crate) enum ChosenTarget {
    Columns(&'static [&'static str]),
    Constraint(String),
}

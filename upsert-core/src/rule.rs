#![doc = include_str!("rule.md")]

use diesel::sql_types::ops::Add as SqlAdd;
use diesel::sql_types::{SqlOrd, SqlType, is_nullable};

use crate::field::Rule;

/// A rule that can be applied to a column of the SQL type `ST`.
#[diagnostic::on_unimplemented(
    message = "the rule `{Self}` cannot be applied to a column of the SQL type `{ST}`",
    note = "`add` needs a number, `max`, `min`, `newer_by` and `not_older_by` need a type that \
            has an order, `fill` needs a column that is `Nullable`",
    note = "write `#[on_conflict(update)]` for the new value, `keep` for the old one, or \
            `set = ..` for an expression"
)]
pub trait RuleFor<ST> {
    /// The rule.
    const RULE: Rule;
}

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident $(where [$($bound:tt)+])?;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        #[allow(clippy::exhaustive_structs)] // it is written as a value
        pub struct $name;

        #[diagnostic::do_not_recommend]
        impl<ST> RuleFor<ST> for $name $(where $($bound)+)? {
            const RULE: Rule = Rule::$name;
        }
    )*};
}

rules! {
    /// Inserted, never updated.
    Keep;
    /// The new value.
    Update;
    /// Old + new; a NULL on one side counts as nothing.
    Add where [ST: SqlAdd<Rhs = ST, Output = ST>];
    /// The larger; a NULL never wins.
    Max where [ST: SqlOrd];
    /// The smaller; a NULL never wins.
    Min where [ST: SqlOrd];
    /// The new value, unless it is NULL: then the old one.
    Coalesce;
    /// The old value, unless it is NULL: then the new one.
    Fill where [ST: SqlType<IsNull = is_nullable::IsNullable>];
    /// The new value, but only where a compared column really changes.
    Touch;
}

/// The guards `newer_by` and `not_older_by`, for the check of their column.
#[derive(Debug, Clone, Copy)]
#[doc(hidden)]
pub struct Newer;

#[diagnostic::do_not_recommend]
impl<ST: SqlOrd> RuleFor<ST> for Newer {
    const RULE: Rule = Rule::Update;
}

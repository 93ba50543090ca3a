//! What generated code refers to. No part of the public interface.

pub use core;

pub use diesel;

pub use crate::dialect::Dialect;
pub use crate::field::{
    ColumnDef, ColumnSet, FieldDef, Rule, count_columns, has_columns, has_rule,
};
pub use crate::upsertable::{BindFields, Fields, Upsertable};
pub use crate::value::{AsPlain, AsUnknown, Bind, Nullability, Plain, Probe, ValueVisitor, Whole};

use diesel::backend::Backend;
use diesel::prelude::Column;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::QueryResult;

/// The names of a table's primary key columns.
///
/// `How` keeps the implementation for a column and those for tuples of columns
/// apart; it is always inferred.
pub trait PrimaryKey<How> {
    /// The names, in the order of `table!`.
    const NAMES: &'static [&'static str];
}

/// See [`PrimaryKey`].
#[derive(Debug)]
pub struct One;

/// See [`PrimaryKey`].
#[derive(Debug)]
pub struct Many;

impl<C: Column> PrimaryKey<One> for C {
    const NAMES: &'static [&'static str] = &[C::NAME];
}

macro_rules! primary_key_tuples {
    ($first:ident $($rest:ident)*) => {
        impl<$first: Column, $($rest: Column),*> PrimaryKey<Many> for ($first, $($rest,)*) {
            const NAMES: &'static [&'static str] = &[$first::NAME, $($rest::NAME),*];
        }
        primary_key_tuples!($($rest)*);
    };
    () => {};
}

// No database has a longer key: 32 columns on PostgreSQL, 16 on MySQL.
primary_key_tuples!(
    C1 C2 C3 C4 C5 C6 C7 C8 C9 C10 C11 C12 C13 C14 C15 C16
    C17 C18 C19 C20 C21 C22 C23 C24 C25 C26 C27 C28 C29 C30 C31 C32
);

/// A query fragment that cannot be made, for models whose attributes are wrong.
#[derive(Debug)]
pub enum Never {}

impl<DB: Backend> QueryFragment<DB> for Never {
    fn walk_ast<'b>(&'b self, _: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        match *self {}
    }
}

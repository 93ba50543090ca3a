//! What generated code refers to. No part of the public interface.

pub use core;

pub use diesel;

pub use crate::attributes;
pub use crate::dialect::{
    Dialect, SupportsConstraintTarget, SupportsExpressionTarget, SupportsPartialTarget,
};
pub use crate::expression::{
    AsFragment, Expressions, NoFragment, Written, assigned, condition, constant as literal,
    excluded, target_part,
};
pub use crate::field::{
    ColumnDef, ColumnSet, FieldDef, Rule, Supplied, count_columns, has_columns, has_compared,
    has_key, has_update, repeats_column,
};
pub use crate::rule::{self, RuleFor};
pub use crate::select::SelectFields;
pub use crate::target::{ConflictTarget, TargetDef};
pub use crate::upsertable::{BindFields, Embeds, Fields, NewerBy, Upsertable, Upserts};
pub use crate::value::{
    AsPlain, AsUnknown, Bind, BindOnAny, IsBind, IsNotBind, Nullability, Plain, Probe,
    ValueVisitor, Whole,
};

/// A part of a statement that is known only at run time.
pub type Fragment<DB> = crate::expression::Fragment<'static, DB>;

/// The methods of Diesel's expressions, for those in attributes.
pub mod expression_methods {
    pub use diesel::expression_methods::*;
}

/// Repeats items for the backend of each database feature, which
/// `__UpsertBackend` names in them.
#[doc(hidden)]
#[macro_export]
macro_rules! __on_each_backend {
    ($($items:tt)*) => {
        $crate::__on_sqlite! { $($items)* }
        $crate::__on_postgres! { $($items)* }
        $crate::__on_mysql! { $($items)* }
    };
}
pub use crate::__on_each_backend as on_each_backend;

/// Can values of the type `$ty` be written on one of the databases of the crate's
/// features? Without a database, it cannot be told.
#[doc(hidden)]
#[macro_export]
macro_rules! __binds_on_any {
    ($ty:ty, $st:ty, $how:ty) => {{
        #[allow(unused_imports)]
        use $crate::__private::IsNotBind as _;

        $crate::__private::IsBind::<$ty, $st, $how, $crate::__private::Sqlite>::__UPSERT_IS
            || $crate::__private::IsBind::<$ty, $st, $how, $crate::__private::Postgres>::__UPSERT_IS
            || $crate::__private::IsBind::<$ty, $st, $how, $crate::__private::Mysql>::__UPSERT_IS
            || $crate::__private::NO_BACKEND
    }};
}
pub use crate::__binds_on_any as binds_on_any;

/// The database of a feature that is not enabled.
#[derive(Debug)]
pub enum Disabled {}

#[cfg(feature = "mysql")]
pub use diesel::mysql::Mysql;
#[cfg(feature = "postgres")]
pub use diesel::pg::Pg as Postgres;
#[cfg(feature = "sqlite")]
pub use diesel::sqlite::Sqlite;

#[cfg(not(feature = "mysql"))]
pub type Mysql = Disabled;
#[cfg(not(feature = "postgres"))]
pub type Postgres = Disabled;
#[cfg(not(feature = "sqlite"))]
pub type Sqlite = Disabled;

/// Is no database enabled?
pub const NO_BACKEND: bool = !cfg!(any(
    feature = "sqlite",
    feature = "postgres",
    feature = "mysql"
));

/// Of the databases of the crate's features, the one that has every kind of conflict
/// target that one of them has.
#[cfg(feature = "postgres")]
pub type MostCapable = Postgres;
#[cfg(all(feature = "sqlite", not(feature = "postgres")))]
pub type MostCapable = Sqlite;
#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
pub type MostCapable = Mysql;

impl SupportsConstraintTarget for Disabled {}
impl SupportsExpressionTarget for Disabled {}
impl SupportsPartialTarget for Disabled {}

macro_rules! on_backend {
    ($d:tt $name:ident if $feature:literal: $($backend:tt)*) => {
        #[cfg(feature = $feature)]
        #[doc(hidden)]
        #[macro_export]
        macro_rules! $name {
                    ($d($d items:tt)*) => {
                        const _: () = {
                            type __UpsertBackend = $crate::__private::$($backend)*;
                            $d($d items)*
                        };
                    };
                }

        #[cfg(not(feature = $feature))]
        #[doc(hidden)]
        #[macro_export]
        macro_rules! $name {
            ($d($d items:tt)*) => {};
        }
    };
}

on_backend!($ __on_sqlite if "sqlite": diesel::sqlite::Sqlite);
on_backend!($ __on_postgres if "postgres": diesel::pg::Pg);
on_backend!($ __on_mysql if "mysql": diesel::mysql::Mysql);

use diesel::backend::Backend;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::QueryResult;

/// A query fragment that cannot be made, for models whose attributes are wrong.
#[derive(Debug)]
pub enum Never {}

impl<DB: Backend> QueryFragment<DB> for Never {
    fn walk_ast<'b>(&'b self, _: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        match *self {}
    }
}

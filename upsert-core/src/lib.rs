#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
// Without a database, what the databases share is unused.
#![cfg_attr(
    not(any(feature = "sqlite", feature = "postgres", feature = "mysql")),
    allow(dead_code, unused_macros)
)]

#[cfg(feature = "async")]
pub mod asynchronous;
mod batch;
mod builder;
mod chunk;
pub mod dialect;
mod engine;
mod error;
mod expression;
mod field;
mod key;
mod model;
mod outcome;
pub mod overrides;
mod plan;
mod returning;
pub mod rule;
mod select;
mod session;
mod sql;
mod statement;
mod target;
mod upsertable;
mod value;

pub use builder::{Blocking, Duplicates, Progress, Upsert, upsert};
pub use dialect::Dialect;
pub use error::{Error, Place, Result};
pub use expression::{Excluded, Expressions, Fragment, Literal, LiteralOf, excluded, literal};
pub use field::{ColumnDef, ColumnSet, FieldDef, Rule, Supplied};
pub use outcome::{Action, Change, Outcome};
pub use overrides::Overrides;
pub use returning::{Loaded, Loads, Number, OfRow, Returning, ReturningOld};
pub use select::{SelectFields, UpsertFrom, UpsertFromStatement};
pub use statement::UpsertStatement;
pub use target::{ConflictTarget, OnConstraint, TargetDef, on_constraint};
pub use upsert_derive::Upsertable;
pub use upsertable::{BindFields, Fields, NewerBy, Upsertable};
pub use value::{Bind, Plain, ValueVisitor, Whole};

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
// Without a database, what the databases share is unused.
#![cfg_attr(
    not(any(feature = "sqlite", feature = "postgres", feature = "mysql")),
    allow(dead_code, unused_macros)
)]
// Each builder has the methods of `override_methods.rs`.
#![allow(clippy::duplicate_mod)]

#[cfg(feature = "async")]
pub mod asynchronous;
pub mod attributes;
mod batch;
mod builder;
mod chunk;
mod connection;
pub mod dialect;
mod engine;
mod error;
mod explain;
mod expression;
mod field;
#[cfg(all(
    any(test, fuzzing),
    feature = "copy",
    feature = "mysql",
    feature = "sqlite"
))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "csv")]
pub mod import;
mod key;
mod model;
mod on_error;
mod outcome;
pub mod overrides;
mod parallel;
mod plan;
mod progress;
mod retry;
mod returning;
pub mod rule;
mod select;
mod session;
mod sql;
mod statement;
mod stream;
mod target;
mod token;
mod trace;
mod upsertable;
mod value;
mod verify;

pub use builder::{Blocking, Duplicates, Strategy, Upsert, upsert};
pub use connection::{OutcomeConnection, UpsertConnection};
pub use dialect::Dialect;
pub use error::{CommitOutcome, Contention, Error, FailedRow, Place, Result};
pub use explain::{Explanation, PlannedStatement};
pub use expression::{
    ColumnToExclude, Condition, Excluded, Expressions, Fragment, Literal, LiteralOf, OnTable,
    ValueOf, excluded, literal,
};
pub use field::{ColumnDef, ColumnSet, FieldDef, Rule, Supplied};
pub use on_error::OnError;
pub use outcome::{Action, Change, Counts, Outcome};
pub use overrides::Writes;
pub use parallel::Partition;
pub use progress::Progress;
pub use retry::Retry;
pub use returning::{Loaded, Loads, Number, OfRow, Returning, ReturningOld};
pub use select::{SelectFields, Selects, UpsertFrom, UpsertFromStatement};
pub use statement::UpsertStatement;
pub use stream::{Sure, UpsertStream, upsert_stream, upsert_try_stream};
pub use target::{ConflictTarget, OnConstraint, TargetDef, on_constraint};
pub use upsert_derive::Upsertable;
pub use upsertable::{BindFields, Embeds, Fields, IntoRows, NewerBy, Upsertable, Upserts};
pub use value::{Bind, BindOnAny, Plain, ValueVisitor, Whole};
pub use verify::{Finding, UniqueIndex, Verification};

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
// Without a database, what the databases share is unused.
#![cfg_attr(
    not(any(feature = "sqlite", feature = "postgres", feature = "mysql")),
    allow(dead_code, unused_macros)
)]

mod builder;

mod chunk;
pub mod dialect;
mod engine;
mod error;
mod field;
mod key;
mod model;
mod plan;
mod statement;
mod upsertable;
mod value;

pub use builder::{Duplicates, Progress, Upsert, upsert};
pub use dialect::Dialect;
pub use error::{Error, Place, Result};
pub use field::{ColumnDef, ColumnSet, FieldDef, Rule};
pub use statement::UpsertStatement;
pub use upsert_derive::Upsertable;
pub use upsertable::{BindFields, Fields, Upsertable};
pub use value::{Bind, Plain, ValueVisitor, Whole};

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

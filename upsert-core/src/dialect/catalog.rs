//! What a database's catalog says of a table.

use diesel::query_builder::AstPass;

use super::Outcomes;
use crate::expression::Fragment;

/// A database whose catalog can be read, for
/// [`Upsertable::verify`](crate::Upsertable::verify).
///
/// All columns of the queries are texts.
#[diagnostic::on_unimplemented(
    message = "the catalog of `{Self}` cannot be read",
    note = "`verify` is for the databases of the crate's features, and dialects with \
            `upsert_core::dialect::Catalog`"
)]
pub trait Catalog: Outcomes {
    /// What stands before a statement that is not to be run, but looked at.
    const EXPLAIN: &'static str = "EXPLAIN ";

    /// What stands before the names of the unique indexes in the answer to it, between commas;
    /// `None` where the answer does not have them.
    const ARBITER: Option<&'static str> = None;

    /// Does the statement itself fail if no unique index is on the target?
    const NEEDS_INDEX: bool = true;

    /// Writes, behind `FROM`, what has the columns of `table`: by default the table, which takes
    /// the right to read it.
    fn push_columns_of(table: &str, out: &mut AstPass<'_, '_, Self>) {
        out.push_sql(table);
    }

    /// The query for what is to be said of the table `table`, a name as SQL, in rows of two
    /// texts: [`Fact`]'s names and values. It has at least one row where there is the table.
    fn facts(table: &str) -> Fragment<'_, Self>;

    /// The query for the columns of a table: the name, and as `yes` or `no` whether it takes
    /// NULL, whether it has a DEFAULT and whether the database computes it.
    fn columns(table: &str) -> Fragment<'_, Self>;

    /// The query for the parts of the unique indexes of a table, in their order, the primary
    /// key first: the index's name, the column or NULL for an expression, the index's
    /// predicate, and as `yes` or `no` whether it is valid, whether it is deferrable, whether
    /// the part is the beginning of the column only, and whether NULL equals NULL.
    fn unique_indexes(table: &str) -> Fragment<'_, Self>;
}

/// The names of [`Catalog::facts`].
#[derive(Debug, Clone, Copy)]
#[allow(clippy::exhaustive_structs)] // a dialect writes them
pub struct Fact;

impl Fact {
    /// `table` or `view`.
    pub const KIND: &'static str = "kind";
    /// The `sql_mode`, where it is not strict.
    pub const NOT_STRICT: &'static str = "not strict";
    /// The storage engine, where it has no transactions.
    pub const NO_TRANSACTIONS: &'static str = "no transactions";
    /// `REPLACE`, `IGNORE` or `FAIL`, where a constraint of the table says `ON CONFLICT` and that.
    pub const DECLARED: &'static str = "declared";
    /// `yes` where a trigger may give columns their values before a row is inserted.
    pub const TRIGGER: &'static str = "trigger";
}

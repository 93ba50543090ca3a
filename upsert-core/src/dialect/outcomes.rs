//! How a database tells what became of each row.

use diesel::backend::Backend;
use diesel::deserialize;
use diesel::query_builder::AstPass;
use diesel::result::QueryResult;

use super::{ConflictClause, Dialect};
use crate::expression::Fragment;
use crate::field::ColumnDef;

/// A database that can tell what became of each row of a call, for
/// [`outcome`](crate::Upsert::outcome) and
/// [`returning`](crate::Upsert::returning).
///
/// Rows are numbered in the statement, by their position in it. No row is ever
/// recognised by the order in which the database gives it back.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot tell what became of each row",
    note = "`outcome`, `returning` and `returning_old` are for the databases of the crate's \
            features and dialects with `upsert_core::dialect::Outcomes`; where the connection is \
            a type parameter `C`, the bound to write is `C: upsert_core::OutcomeConnection<Model>`"
)]
pub trait Outcomes: Dialect {
    /// How the statement that writes rows tells about them.
    const REPORT: Report;

    /// Are the values of numbered rows equal where the table's would be?
    const NUMBERED_LIKE_COLUMNS: bool = true;

    /// A column of every table that has the database's own number of the row, which
    /// an update leaves as it is.
    const ROW_ID: Option<&'static str> = None;

    /// Joins the numbered rows on the left with the table, which is looked up
    /// row by row: a scan of it would lock rows that have nothing to do with the
    /// call.
    const JOIN: &'static str = " CROSS JOIN ";

    /// Reads the number that the database gives as a `BIGINT`.
    fn read_number(value: Self::RawValue<'_>) -> deserialize::Result<i64>;

    /// Reads a text.
    fn read_text(value: Self::RawValue<'_>) -> deserialize::Result<String>;

    /// The query for what it takes to find rows by the columns of a conflict
    /// target; all its columns are texts.
    fn key_columns<'t>(target: &KeyLookup<'t>) -> Fragment<'t, Self>;

    /// What the rows of [`key_columns`](Outcomes::key_columns) mean.
    fn read_key_columns(target: &KeyLookup<'_>, rows: Vec<Vec<Option<String>>>) -> KeyColumns;

    /// Writes the rows of an `INSERT`, so that what the conflict clause and
    /// [`push_returned_number`](Outcomes::push_returned_number) write knows the
    /// number of the row that the statement is at.
    fn push_reporting_rows<'b>(
        rows: &dyn Rows<'b, Self>,
        out: &mut AstPass<'_, 'b, Self>,
    ) -> QueryResult<()>;

    /// Writes four times the number of the row that a `RETURNING` clause is at,
    /// plus 1 if it was updated, where the report is [`Report::Returning`].
    fn push_returned_number(out: &mut AstPass<'_, '_, Self>);

    /// Writes the query for the log of the last statement, and empties the log:
    /// for [`Report::Log`] `3u5s`, the numbers of the rows that were found, each
    /// followed by `u` (updated), `n` (unchanged) or `s` (skipped); for
    /// [`Report::Returning`] the numbers, times four, of those unchanged.
    fn push_log(out: &mut AstPass<'_, '_, Self>);

    /// Writes a relation of the rows, with the column `__upsert_row` in front of
    /// theirs, and each of these with the type and collation that make it
    /// comparable to the table's.
    fn push_numbered_rows<'b>(
        rows: &dyn Rows<'b, Self>,
        table: &str,
        keys: &[KeyColumn],
        out: &mut AstPass<'_, 'b, Self>,
    ) -> QueryResult<()>;

    /// Writes what the clause does to a row that is in the table now, where the
    /// report is [`Report::Nothing`]; the proposed row has the name `excluded`: 1 if it is skipped, 2 if it is
    /// unchanged, 3 if it is updated.
    fn push_effect<'b>(
        conflict: &ConflictClause<'b, Self>,
        out: &mut AstPass<'_, 'b, Self>,
    ) -> QueryResult<()> {
        let _ = (conflict, out);
        Ok(())
    }

    /// What makes a `SELECT` see rows as they are, where it would see them as they
    /// were when the transaction began.
    const SEES_COMMITTED: &'static str = "";

    /// The query for the name of the column that
    /// [`push_is_last_inserted`](Outcomes::push_is_last_inserted) needs, where it
    /// is not [`ROW_ID`](Outcomes::ROW_ID); `None` where there is none.
    #[must_use]
    fn numbered_column(table: &str) -> Option<Fragment<'static, Self>> {
        let _ = table;
        None
    }

    /// The statement by which the session forgets the last row that was inserted.
    const FORGET_LAST_INSERTED: Option<&'static str> = None;

    /// Writes whether a row of `table` is the one that the last statement, of
    /// one row, has inserted.
    fn push_is_last_inserted(
        table: &str,
        column: &str,
        out: &mut AstPass<'_, '_, Self>,
    ) -> QueryResult<()> {
        let _ = (table, column, out);
        Ok(())
    }
}

/// How the statement that writes rows tells about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // the engine has a way for each
pub enum Report {
    /// It returns those that it wrote.
    Returning,
    /// It writes those that it found into a variable of the session.
    Log,
    /// It does not: the rows are looked up before, under a lock.
    Nothing,
}

/// A conflict target, by whose columns rows are to be found.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct KeyLookup<'t> {
    /// The table's name as SQL, quoted, with its schema if `table!` names one.
    pub table: &'t str,
    /// The columns of the target; all the model's, if it is not columns.
    pub columns: &'t [&'static str],
    /// The constraint, if it is one.
    pub constraint: Option<&'t str>,
}

/// What it takes to find rows by their conflict key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // a dialect makes it
pub struct KeyColumns {
    /// The columns.
    pub columns: Vec<KeyColumn>,
    /// The name of the unique index on them, on MySQL: without it a small table is
    /// scanned, and all of it locked.
    pub index: Option<String>,
    /// Has the table others that inherit from it, whose rows its unique indexes do
    /// not have, but which a `SELECT` returns unless it says `ONLY`?
    pub has_children: bool,
    /// May a trigger let a row's effect depend on another row of the same
    /// statement, so that they have to go out one by one?
    pub one_by_one: bool,
}

/// A column of the conflict target.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // a dialect makes it
pub struct KeyColumn {
    /// The column.
    pub name: String,
    /// What a value is followed by to be compared as the column's: its type and
    /// collation on PostgreSQL; on SQLite the collation of the index.
    pub comparison: Option<String>,
}

/// The rows of a statement, for a dialect that writes something beside their
/// values.
pub trait Rows<'b, DB: Backend> {
    /// The number of rows.
    fn count(&self) -> usize;

    /// Their columns.
    fn columns(&self) -> &[ColumnDef];

    /// Writes the value that a row has for a column, by their positions.
    fn push_value(
        &self,
        row: usize,
        column: usize,
        out: &mut AstPass<'_, 'b, DB>,
    ) -> QueryResult<()>;
}

/// Writes `(VALUES (0, $1, $2), (1, $3, $4))`.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(super) fn push_numbered_values<'b, DB: Backend>(
    rows: &dyn Rows<'b, DB>,
    out: &mut AstPass<'_, 'b, DB>,
) -> QueryResult<()> {
    out.push_sql("(VALUES ");
    for row in 0..rows.count() {
        out.push_sql(if row > 0 { ", (" } else { "(" });
        out.push_sql(&row.to_string());
        push_values(rows, row, out)?;
        out.push_sql(")");
    }
    out.push_sql(")");
    Ok(())
}

/// Writes a row's values, each behind a comma.
pub(super) fn push_values<'b, DB: Backend>(
    rows: &dyn Rows<'b, DB>,
    row: usize,
    out: &mut AstPass<'_, 'b, DB>,
) -> QueryResult<()> {
    for column in 0..rows.columns().len() {
        out.push_sql(", ");
        rows.push_value(row, column, out)?;
    }
    Ok(())
}

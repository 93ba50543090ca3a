//! What a statement does on conflict, before it is SQL.

use std::fmt;

use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::QueryResult;

use super::Dialect;
use crate::field::ColumnDef;
use crate::sql::sql_of;

/// What a statement does when a row with the same conflict key exists.
///
/// *Existing* is the row in the table, *excluded* the row proposed for
/// insertion.
#[derive(Debug)]
#[non_exhaustive]
pub struct ConflictClause<'b, DB> {
    /// The table's name as SQL, quoted, by which its columns are qualified.
    pub table: &'b str,
    /// The conflict target.
    pub target: TargetClause<'b, DB>,
    /// The predicate of the index, if it is a partial one.
    pub predicate: Option<Expr<'b, DB>>,
    /// What is updated; none for `DO NOTHING`.
    pub assignments: Vec<Assignment<'b, DB>>,
    /// The existing row is updated only if all of them hold.
    pub conditions: Vec<Condition<'b, DB>>,
    /// The existing row is updated only if a compared column really changes.
    pub skip_unchanged: bool,
    /// Does the statement note what becomes of each row, as
    /// [`Outcomes`](super::Outcomes) says?
    pub reports: bool,
}

impl<DB> ConflictClause<'_, DB> {
    /// May the statement leave a row as it is?
    #[must_use]
    pub fn keeps_rows(&self) -> bool {
        self.assignments.is_empty() || !self.conditions.is_empty() || self.skip_unchanged
    }
}

impl<'b, DB> ConflictClause<'b, DB> {
    /// The clause that leaves rows as they are which have the same values in `columns`.
    pub(crate) const fn keeping(table: &'b str, columns: &'b [&'static str]) -> Self {
        Self {
            table,
            target: TargetClause::Columns(columns),
            predicate: None,
            assignments: Vec::new(),
            conditions: Vec::new(),
            skip_unchanged: false,
            reports: false,
        }
    }

    /// The assignments that tell whether a row changes.
    pub fn compared(&self) -> impl Iterator<Item = &Assignment<'b, DB>> {
        let assignments = self.assignments.iter();
        assignments.filter(|assignment| assignment.column.rule.is_compared())
    }
}

/// The columns, constraint or expressions behind `ON CONFLICT`.
#[derive(Debug)]
#[non_exhaustive]
pub enum TargetClause<'b, DB> {
    /// Columns.
    Columns(&'b [&'static str]),
    /// A constraint's name.
    Constraint(&'b str),
    /// Expressions.
    Expressions(Vec<Expr<'b, DB>>),
}

/// What a column gets on conflict.
#[derive(Debug)]
#[non_exhaustive]
pub struct Assignment<'b, DB> {
    /// The column, with the rule.
    pub column: ColumnDef,
    /// The value, for [`Rule::Set`](crate::Rule::Set), and for
    /// [`Rule::Touch`](crate::Rule::Touch) if it is not the proposed row's.
    pub expression: Option<Expr<'b, DB>>,
}

/// A condition on the existing and the proposed row.
#[derive(Debug)]
#[non_exhaustive]
pub enum Condition<'b, DB> {
    /// The proposed row is newer.
    Newer {
        /// The column that tells.
        column: ColumnDef,
        /// Is as new as the existing row enough?
        or_equal: bool,
    },
    /// An expression that is true.
    Expression(Expr<'b, DB>),
    /// What never holds: a row that exists is locked, and kept.
    Never,
}

/// A Diesel expression in a statement.
pub struct Expr<'b, DB>(&'b (dyn QueryFragment<DB> + Send + Sync));

impl<DB> Clone for Expr<'_, DB> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<DB> Copy for Expr<'_, DB> {}

impl<DB> fmt::Debug for Expr<'_, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Expr")
    }
}

impl<'b, DB: Dialect> Expr<'b, DB> {
    pub(crate) fn new(expression: &'b (dyn QueryFragment<DB> + Send + Sync)) -> Self {
        Self(expression)
    }

    /// Writes the expression.
    pub fn push(self, out: &mut AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.0.walk_ast(out.reborrow())
    }

    /// The expression as SQL, with placeholders for its parameters.
    pub fn sql(self) -> QueryResult<String> {
        sql_of(self.0)
    }
}

/// Writes the existing row's value of `column`.
pub fn push_existing<DB: Dialect>(
    table: &str,
    column: &str,
    out: &mut AstPass<'_, '_, DB>,
) -> QueryResult<()> {
    out.push_sql(table);
    out.push_sql(".");
    out.push_identifier(column)
}

/// Writes whether the proposed row is newer than the existing one; a NULL is
/// older than everything else.
///
/// ```sql
/// ("t"."version" < excluded."version")
/// ```
fn push_newer<DB: Dialect>(
    table: &str,
    column: &ColumnDef,
    or_equal: bool,
    out: &mut AstPass<'_, '_, DB>,
) -> QueryResult<()> {
    out.push_sql("(");
    push_existing(table, column.name, out)?;
    out.push_sql(if or_equal { " <= " } else { " < " });
    DB::push_excluded(column.name, out)?;
    if column.is_nullable {
        out.push_sql(if or_equal { " OR " } else { " OR (" });
        push_existing(table, column.name, out)?;
        out.push_sql(" IS NULL");
        if !or_equal {
            out.push_sql(" AND ");
            DB::push_excluded(column.name, out)?;
            out.push_sql(" IS NOT NULL)");
        }
    }
    out.push_sql(")");
    Ok(())
}

/// Writes a condition; with `in_parentheses` so that others can stand beside
/// it.
pub fn push_condition<'b, DB: Dialect>(
    table: &str,
    condition: &Condition<'b, DB>,
    in_parentheses: bool,
    out: &mut AstPass<'_, 'b, DB>,
) -> QueryResult<()> {
    match condition {
        Condition::Newer { column, or_equal } => push_newer(table, column, *or_equal, out),
        Condition::Never => {
            out.push_sql("FALSE");
            Ok(())
        }
        Condition::Expression(expression) => {
            if in_parentheses {
                out.push_sql("(");
            }
            expression.push(out)?;
            if in_parentheses {
                out.push_sql(")");
            }
            Ok(())
        }
    }
}

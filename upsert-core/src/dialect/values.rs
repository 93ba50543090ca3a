//! What a column gets on conflict, by its rule.

use diesel::query_builder::AstPass;
use diesel::result::QueryResult;

use super::{Assignment, Dialect, push_existing};
use crate::field::{ColumnDef, Rule};

/// How a database writes the values of the rules.
pub trait Values: Dialect {
    /// The function of two values that is the larger.
    const MAX: &'static str;

    /// The function of two values that is the smaller.
    const MIN: &'static str;

    /// Are [`MAX`](Values::MAX) and [`MIN`](Values::MIN) NULL where one of the
    /// values is?
    const EXTREME_OF_NULL_IS_NULL: bool;

    /// Writes the larger, or with [`Rule::Min`] the smaller, of the existing and
    /// the proposed value. Of equal ones it is the existing.
    fn push_extreme(
        column: &ColumnDef,
        table: &str,
        out: &mut AstPass<'_, '_, Self>,
    ) -> QueryResult<()> {
        out.push_sql(if column.rule == Rule::Min {
            Self::MIN
        } else {
            Self::MAX
        });
        out.push_sql("(");
        push_existing(table, column.name, out)?;
        out.push_sql(", ");
        Self::push_excluded(column.name, out)?;
        out.push_sql(")");
        Ok(())
    }

    /// Writes the sum of the existing and the proposed value, so that it fails
    /// if it is not in the column's range; by default [`push_plain_sum`].
    fn push_sum(
        column: &ColumnDef,
        table: &str,
        out: &mut AstPass<'_, '_, Self>,
    ) -> QueryResult<()> {
        push_plain_sum(column, table, out)
    }
}

/// Writes what a column gets.
pub fn push_value<'b, DB: Values>(
    table: &str,
    assignment: &Assignment<'b, DB>,
    out: &mut AstPass<'_, 'b, DB>,
) -> QueryResult<()> {
    let column = &assignment.column;
    if let Some(expression) = assignment.expression {
        return expression.push(out);
    }
    match column.rule {
        Rule::Add => push_unless_null(column.is_nullable, column, table, out, DB::push_sum),
        Rule::Max | Rule::Min => {
            let may_be_null = column.is_nullable && DB::EXTREME_OF_NULL_IS_NULL;
            push_unless_null(may_be_null, column, table, out, DB::push_extreme)
        }
        Rule::Coalesce => {
            out.push_sql("COALESCE(");
            DB::push_excluded(column.name, out)?;
            out.push_sql(", ");
            push_existing(table, column.name, out)?;
            out.push_sql(")");
            Ok(())
        }
        Rule::Fill => {
            out.push_sql("COALESCE(");
            push_existing(table, column.name, out)?;
            out.push_sql(", ");
            DB::push_excluded(column.name, out)?;
            out.push_sql(")");
            Ok(())
        }
        Rule::Keep | Rule::Update | Rule::Set | Rule::Touch => DB::push_excluded(column.name, out),
    }
}

/// Writes `(existing + excluded)`.
pub fn push_plain_sum<DB: Dialect>(
    column: &ColumnDef,
    table: &str,
    out: &mut AstPass<'_, '_, DB>,
) -> QueryResult<()> {
    out.push_sql("(");
    push_existing(table, column.name, out)?;
    out.push_sql(" + ");
    DB::push_excluded(column.name, out)?;
    out.push_sql(")");
    Ok(())
}

/// Writes what `push` does, and where that may be NULL, the side that is not:
///
/// ```sql
/// COALESCE(.., existing, excluded)
/// ```
fn push_unless_null<DB: Dialect>(
    may_be_null: bool,
    column: &ColumnDef,
    table: &str,
    out: &mut AstPass<'_, '_, DB>,
    push: impl FnOnce(&ColumnDef, &str, &mut AstPass<'_, '_, DB>) -> QueryResult<()>,
) -> QueryResult<()> {
    if !may_be_null {
        return push(column, table, out);
    }
    out.push_sql("COALESCE(");
    push(column, table, out)?;
    out.push_sql(", ");
    push_existing(table, column.name, out)?;
    out.push_sql(", ");
    DB::push_excluded(column.name, out)?;
    out.push_sql(")");
    Ok(())
}

//! The conflict clause that SQLite took over from PostgreSQL.

use diesel::query_builder::AstPass;
use diesel::result::QueryResult;

use super::{
    Assignment, ConflictClause, TargetClause, Values, push_condition, push_existing, push_value,
};
use crate::field::Rule;
use crate::sql::push_identifiers;

/// What databases with this clause write in their own ways.
pub trait OnConflict: Values {
    /// Writes, with an operator that has NULL as a value, whether one of
    /// `compared` gets another value than it has. It tells values apart that
    /// are equal for the column's collation or type.
    fn push_is_changed<'b>(
        table: &str,
        compared: &[&Assignment<'b, Self>],
        out: &mut AstPass<'_, 'b, Self>,
    ) -> QueryResult<()>;

    /// Writes a condition that is true, and notes that the row is updated.
    fn push_note_updated(out: &mut AstPass<'_, '_, Self>) {
        out.push_sql("TRUE");
    }

    /// Writes a condition that is false, and notes that the row is unchanged.
    fn push_note_unchanged(out: &mut AstPass<'_, '_, Self>) {
        out.push_sql("FALSE");
    }

    /// Writes the value of `touch = ..` as one of the column's type.
    fn push_touched<'b>(
        table: &str,
        assignment: &Assignment<'b, Self>,
        out: &mut AstPass<'_, 'b, Self>,
    ) -> QueryResult<()> {
        push_value(table, assignment, out)
    }
}

/// Writes the clause:
///
/// ```sql
/// ON CONFLICT ("sku") DO UPDATE SET "name" = excluded."name"
/// ON CONFLICT ("sku") DO NOTHING
/// ON CONFLICT ("sku") WHERE ("deleted" = FALSE) DO UPDATE SET .. WHERE ..
/// ```
pub fn push_on_conflict<'b, DB: OnConflict>(
    conflict: &ConflictClause<'b, DB>,
    out: &mut AstPass<'_, 'b, DB>,
) -> QueryResult<()> {
    out.push_sql(" ON CONFLICT ");
    match &conflict.target {
        TargetClause::Columns(columns) => {
            out.push_sql("(");
            push_identifiers(columns.iter().copied(), out)?;
            out.push_sql(")");
        }
        TargetClause::Constraint(name) => {
            out.push_sql("ON CONSTRAINT ");
            out.push_identifier(name)?;
        }
        TargetClause::Expressions(parts) => {
            out.push_sql("(");
            for (i, part) in parts.iter().enumerate() {
                out.push_sql(if i > 0 { ", (" } else { "(" });
                part.push(out)?;
                out.push_sql(")");
            }
            out.push_sql(")");
        }
    }
    if let Some(predicate) = conflict.predicate {
        out.push_sql(" WHERE ");
        predicate.push(out)?;
    }
    if conflict.assignments.is_empty() {
        out.push_sql(" DO NOTHING");
        return Ok(());
    }
    out.push_sql(" DO UPDATE SET ");
    for (i, assignment) in conflict.assignments.iter().enumerate() {
        if i > 0 {
            out.push_sql(", ");
        }
        out.push_identifier(assignment.column.name)?;
        out.push_sql(" = ");
        // Under `skip_unchanged` only changed rows come here.
        if assignment.column.rule == Rule::Touch && !conflict.skip_unchanged {
            out.push_sql("CASE WHEN ");
            push_is_changed(conflict, out)?;
            out.push_sql(" THEN ");
            DB::push_touched(conflict.table, assignment, out)?;
            out.push_sql(" ELSE ");
            push_existing(conflict.table, assignment.column.name, out)?;
            out.push_sql(" END");
        } else {
            push_value(conflict.table, assignment, out)?;
        }
    }
    if conflict.reports {
        push_reporting_where(conflict, out)
    } else {
        push_where(conflict, out)
    }
}

/// Writes the same guards, with notes of where they lead:
///
/// ```sql
/// WHERE CASE WHEN condition THEN CASE WHEN changed THEN note ELSE note END ELSE FALSE END
/// ```
fn push_reporting_where<'b, DB: OnConflict>(
    conflict: &ConflictClause<'b, DB>,
    out: &mut AstPass<'_, 'b, DB>,
) -> QueryResult<()> {
    out.push_sql(" WHERE ");
    for (i, condition) in conflict.conditions.iter().enumerate() {
        out.push_sql(if i > 0 { " AND " } else { "CASE WHEN " });
        push_condition(conflict.table, condition, true, out)?;
    }
    if !conflict.conditions.is_empty() {
        out.push_sql(" THEN ");
    }
    if conflict.skip_unchanged {
        out.push_sql("CASE WHEN ");
        push_is_changed(conflict, out)?;
        out.push_sql(" THEN ");
    }
    DB::push_note_updated(out);
    if conflict.skip_unchanged {
        out.push_sql(" ELSE ");
        DB::push_note_unchanged(out);
        out.push_sql(" END");
    }
    if !conflict.conditions.is_empty() {
        out.push_sql(" ELSE FALSE END");
    }
    Ok(())
}

fn push_where<'b, DB: OnConflict>(
    conflict: &ConflictClause<'b, DB>,
    out: &mut AstPass<'_, 'b, DB>,
) -> QueryResult<()> {
    let terms = conflict.conditions.len() + usize::from(conflict.skip_unchanged);
    let mut written = 0;
    let mut next = |out: &mut AstPass<'_, 'b, DB>| {
        out.push_sql(match written {
            0 if terms > 1 => " WHERE (",
            0 => " WHERE ",
            _ => " AND ",
        });
        written += 1;
    };
    for condition in &conflict.conditions {
        next(out);
        // An expression may have an operator that binds less than `AND`.
        push_condition(conflict.table, condition, terms > 1, out)?;
    }
    if conflict.skip_unchanged {
        next(out);
        push_is_changed(conflict, out)?;
    }
    if terms > 1 {
        out.push_sql(")");
    }
    Ok(())
}

pub(super) fn push_is_changed<'b, DB: OnConflict>(
    conflict: &ConflictClause<'b, DB>,
    out: &mut AstPass<'_, 'b, DB>,
) -> QueryResult<()> {
    let compared: Vec<_> = conflict.compared().collect();
    out.push_sql("(");
    DB::push_is_changed(conflict.table, &compared, out)?;
    out.push_sql(")");
    Ok(())
}

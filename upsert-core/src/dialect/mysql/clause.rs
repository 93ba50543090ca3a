//! `ON DUPLICATE KEY UPDATE`.

use core::any::TypeId;

use diesel::mysql::Mysql;
use diesel::query_builder::AstPass;
use diesel::result::QueryResult;
use diesel::sql_types::{Float, Nullable};

use crate::dialect::{
    Assignment, ConflictClause, Dialect, TargetClause, TypeKind, Values, push_condition,
    push_existing, push_value,
};
use crate::error::refuse;
use crate::field::Rule;
use crate::sql::{mentions, without_quotes};

/// What [`push`] raises for a row that another unique index holds: `exp(710)` is
/// out of a double's range. It is spelt with a column, or the server would
/// compute it before it sees a row.
pub(super) const RAISE: &str = "EXP(710 + (";

impl Values for Mysql {
    const MAX: &'static str = "GREATEST";
    const MIN: &'static str = "LEAST";
    const EXTREME_OF_NULL_IS_NULL: bool = true;
}

/// Writes the clause; see [`Dialect::push_conflict_clause`].
pub(super) fn push<'b>(
    conflict: &ConflictClause<'b, Mysql>,
    out: &mut AstPass<'_, 'b, Mysql>,
) -> QueryResult<()> {
    let TargetClause::Columns([first, rest @ ..]) = conflict.target else {
        return Err(refuse("on MySQL the conflict target is columns"));
    };
    let table = conflict.table;
    out.push_sql(" ON DUPLICATE KEY UPDATE ");
    out.push_identifier(first)?;
    out.push_sql(" = IF(IF(");
    push_is_same(table, first, out)?;
    for column in rest {
        out.push_sql(" AND ");
        push_is_same(table, column, out)?;
    }
    out.push_sql(", ");
    let written_if = push_decisions(conflict, out)?;
    out.push_sql(", ");
    out.push_sql(RAISE);
    push_existing(table, first, out)?;
    out.push_sql(" IS NULL))) IS NULL, ");
    push_existing(table, first, out)?;
    out.push_sql(", ");
    push_existing(table, first, out)?;
    out.push_sql(")");
    for assignment in readers_first(conflict)? {
        let column = &assignment.column;
        out.push_sql(", ");
        out.push_identifier(column.name)?;
        out.push_sql(" = ");
        let condition = if column.rule == Rule::Touch {
            written_if.touched
        } else {
            written_if.others
        };
        let Some(condition) = condition else {
            push_value(table, assignment, out)?;
            continue;
        };
        out.push_sql("IF(");
        out.push_sql(condition);
        out.push_sql(", ");
        push_value(table, assignment, out)?;
        out.push_sql(", ");
        push_existing(table, column.name, out)?;
        out.push_sql(")");
    }
    Ok(())
}

fn push_is_same(table: &str, column: &str, out: &mut AstPass<'_, '_, Mysql>) -> QueryResult<()> {
    push_existing(table, column, out)?;
    out.push_sql(" = ");
    Mysql::push_excluded(column, out)
}

/// When assignments write: always, or if a variable says so.
#[derive(Clone, Copy)]
struct WrittenIf {
    others: Option<&'static str>,
    touched: Option<&'static str>,
}

/// Writes the expression that decides, on the old row, what is written.
fn push_decisions<'b>(
    conflict: &ConflictClause<'b, Mysql>,
    out: &mut AstPass<'_, 'b, Mysql>,
) -> QueryResult<WrittenIf> {
    let mut written_if = WrittenIf {
        others: None,
        touched: None,
    };
    if conflict.assignments.is_empty() {
        push_kept(conflict, out);
        return Ok(written_if);
    }
    let touches = conflict
        .assignments
        .iter()
        .any(|it| it.column.rule == Rule::Touch)
        && !conflict.skip_unchanged;
    if conflict.keeps_rows() {
        out.push_sql("IF(@upsert_write := (");
        push_guards(conflict, out)?;
        out.push_sql("), ");
        push_written(conflict, touches, out)?;
        out.push_sql(", ");
        push_kept(conflict, out);
        out.push_sql(")");
        written_if.others = Some("@upsert_write");
        written_if.touched = Some(if touches {
            "@upsert_write AND @upsert_changed"
        } else {
            "@upsert_write"
        });
    } else {
        push_written(conflict, touches, out)?;
        written_if.touched = touches.then_some("@upsert_changed");
    }
    Ok(written_if)
}

/// Writes a note that the row is left as it is.
fn push_kept(conflict: &ConflictClause<'_, Mysql>, out: &mut AstPass<'_, '_, Mysql>) {
    if !conflict.reports {
        out.push_sql("@upsert_kept := @upsert_kept + 1");
        return;
    }
    push_note(
        if conflict.assignments.is_empty() || !conflict.skip_unchanged {
            "'s'"
        } else if conflict.conditions.is_empty() {
            "'n'"
        } else {
            "IF(@upsert_held, 'n', 's')"
        },
        out,
    );
}

/// Writes what is noted of a row that is written.
fn push_written<'b>(
    conflict: &ConflictClause<'b, Mysql>,
    touches: bool,
    out: &mut AstPass<'_, 'b, Mysql>,
) -> QueryResult<()> {
    if !conflict.reports {
        return push_touched(conflict, touches, out);
    }
    out.push_sql("IF((");
    push_note("'u'", out);
    out.push_sql(") > '', ");
    push_touched(conflict, touches, out)?;
    out.push_sql(", 0)");
    Ok(())
}

/// Writes the note of a row, by its number.
fn push_note(what: &str, out: &mut AstPass<'_, '_, Mysql>) {
    out.push_sql("@upsert_log := CONCAT(@upsert_log, @upsert_row, ");
    out.push_sql(what);
    out.push_sql(")");
}

/// Writes whether the row is written.
fn push_guards<'b>(
    conflict: &ConflictClause<'b, Mysql>,
    out: &mut AstPass<'_, 'b, Mysql>,
) -> QueryResult<()> {
    // Unlike `AND`, `IF` does not go on behind a condition that is NULL.
    let is_both = conflict.skip_unchanged && !conflict.conditions.is_empty();
    if is_both {
        out.push_sql("IF(");
        if conflict.reports {
            out.push_sql("@upsert_held := (");
        }
    }
    for (i, condition) in conflict.conditions.iter().enumerate() {
        if i > 0 {
            out.push_sql(" AND ");
        }
        push_condition(conflict.table, condition, true, out)?;
    }
    if is_both {
        out.push_sql(if conflict.reports { "), " } else { ", " });
    }
    if conflict.skip_unchanged {
        push_is_changed(conflict, out)?;
    }
    if is_both {
        out.push_sql(", 0)");
    }
    Ok(())
}

/// Writes whether touched columns are written, if there are any.
fn push_touched<'b>(
    conflict: &ConflictClause<'b, Mysql>,
    touches: bool,
    out: &mut AstPass<'_, 'b, Mysql>,
) -> QueryResult<()> {
    if !touches {
        out.push_sql("0");
        return Ok(());
    }
    out.push_sql("(@upsert_changed := ");
    push_is_changed(conflict, out)?;
    out.push_sql(")");
    Ok(())
}

/// Writes whether a compared column gets another value than it has, whatever
/// its collation holds equal.
fn push_is_changed<'b>(
    conflict: &ConflictClause<'b, Mysql>,
    out: &mut AstPass<'_, 'b, Mysql>,
) -> QueryResult<()> {
    for (i, assignment) in conflict.compared().enumerate() {
        out.push_sql(if i > 0 { " OR " } else { "(" });
        let id = (assignment.column.sql_type)();
        let is_float = id == TypeId::of::<Float>() || id == TypeId::of::<Nullable<Float>>();
        let is_computed = matches!(assignment.column.rule, Rule::Add | Rule::Set);
        let (before, after) = match TypeKind::of(id) {
            // A sum has more digits than its column.
            TypeKind::Number if is_float && is_computed => ("CAST(", " AS FLOAT)"),
            // The expression's character set may be another than the column's.
            TypeKind::Text if is_computed => ("CAST(CONVERT(", " USING utf8mb4) AS BINARY)"),
            TypeKind::Text | TypeKind::Json | TypeKind::Other => ("CAST(", " AS BINARY)"),
            _ => ("", ""),
        };
        out.push_sql("NOT (");
        out.push_sql(before);
        push_existing(conflict.table, assignment.column.name, out)?;
        out.push_sql(after);
        out.push_sql(" <=> ");
        out.push_sql(before);
        out.push_sql("(");
        push_value(conflict.table, assignment, out)?;
        out.push_sql(")");
        out.push_sql(after);
        out.push_sql(")");
    }
    out.push_sql(")");
    Ok(())
}

/// The assignments in an order in which each is before those that write what
/// it reads, so that it reads the old row.
fn readers_first<'c, 'b>(
    conflict: &'c ConflictClause<'b, Mysql>,
) -> QueryResult<Vec<&'c Assignment<'b, Mysql>>> {
    let mut rest: Vec<(&Assignment<'b, Mysql>, String)> = Vec::new();
    for assignment in &conflict.assignments {
        let sql = match assignment.expression {
            Some(expression) => expression.sql()?,
            None => String::new(),
        };
        rest.push((assignment, sql));
    }
    let mut ordered = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        // Raw SQL may name a column in any way. Where that is too careful, what
        // Diesel writes decides.
        let next = last_read(conflict.table, &rest, mentions_column)
            .or_else(|| last_read(conflict.table, &rest, has_column));
        let Some(next) = next else {
            let names: Vec<_> = rest.iter().map(|(it, _)| it.column.name).collect();
            return Err(refuse(format!(
                "the expressions for `{}` read each other's old values, but MySQL writes one \
                 column after the other: let one of them be computed from `excluded(..)` alone",
                names.join("`, `"),
            )));
        };
        ordered.push(rest.remove(next).0);
    }
    Ok(ordered)
}

/// An assignment whose column no other expression reads.
fn last_read(
    table: &str,
    rest: &[(&Assignment<'_, Mysql>, String)],
    reads: impl Fn(&str, &str, &str) -> bool,
) -> Option<usize> {
    (0..rest.len()).find(|i| {
        let name = rest[*i].0.column.name;
        let mut others = rest.iter().enumerate().filter(|(j, _)| j != i);
        others.all(|(_, (_, sql))| !reads(sql, table, name))
    })
}

/// Does `sql` have the column as Diesel writes it?
fn has_column(sql: &str, table: &str, name: &str) -> bool {
    sql.contains(&format!("{table}.`{}`", name.replace('`', "``")))
}

/// Does `sql` have the column's name, other than in `VALUES(..)`?
fn mentions_column(sql: &str, _: &str, name: &str) -> bool {
    let name = without_quotes(name);
    let sql = without_quotes(sql).replace(&format!("values({name})"), "");
    mentions(&sql, &name)
}

//! What a call does, before it looks at a row: its model, with what the call
//! overrides.

use core::fmt;

use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::QueryResult;

use crate::dialect::{Assignment, Condition, ConflictClause, Dialect, Expr, TargetClause, unquote};
use crate::error::{CONSTRAINT, Error, Result, refuse};
use crate::expression::{Expressions, Fragment};
use crate::field::{ColumnDef, FieldDef, MAX_COLUMNS, Rule, Supplied, repeats_column};
use crate::key::Trust;
use crate::overrides::Overriding;
use crate::sql::{
    before_excluded, excluded_sql, has_placeholder, mentions, placeholder, sql_of, without_quotes,
};
use crate::target::{ChosenTarget, TargetDef};
use crate::upsertable::{Upsertable, Upserts};

/// A model's columns, with the conflict target and the rules resolved.
pub(crate) struct Model<'f, DB> {
    /// The columns in the order of the fields.
    pub(crate) columns: Vec<ColumnDef>,
    /// The columns by which rows are compared with each other; none if that is
    /// not known.
    pub(crate) keys: Vec<usize>,
    /// How far rows with equal keys can be said to conflict.
    pub(crate) comparison: Comparison,
    target: Target<'f, DB>,
    predicate: Option<Fragment<'f, DB>>,
    assignments: Vec<Planned<'f, DB>>,
    /// The column that tells which row is newer, and whether as new is enough.
    newer_by: Option<(usize, bool)>,
    update_if: Option<Fragment<'f, DB>>,
    skip_unchanged: bool,
    /// The table's name as SQL.
    pub(crate) table: String,
}

/// A conflict clause, and the most parameters that it has.
pub(crate) struct Clause<'c, DB> {
    pub(crate) conflict: ConflictClause<'c, DB>,
    pub(crate) binds: usize,
    /// Do arrays hold the values of every column?
    pub(crate) has_arrays: bool,
}

/// What equal keys of two rows mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// The rows conflict: the key is all of the conflict target.
    Conflict,
    /// They are equal in the fields that are marked, for a target that is a
    /// constraint or expressions. Whether they conflict, and which others do, is
    /// not known.
    Marked,
    /// The rows may conflict: the index is a partial one.
    Partial,
    /// Nothing is known.
    Unknown,
}

/// A conflict target as SQL.
pub(crate) enum TargetSql<'m> {
    Columns(&'m [&'static str]),
    Constraint(&'m str),
    /// Each with its columns as the table's, and with their bare names.
    Expressions(Vec<(String, String)>),
}

enum Target<'f, DB> {
    Columns(Vec<&'static str>),
    Constraint(String),
    Expressions(Vec<Fragment<'f, DB>>),
}

/// An assignment of the model's.
struct Planned<'f, DB> {
    /// Its position, if it is one of the model's columns.
    position: Option<usize>,
    column: ColumnDef,
    expression: Option<Fragment<'f, DB>>,
}

impl<'f, DB: Dialect> Model<'f, DB> {
    /// The model `R`, with `overriding`.
    pub(crate) fn of<R>(overriding: Overriding<'f, DB>) -> Result<Self>
    where
        DB: Upserts<R::Model>,
        R: Upsertable,
    {
        let table = sql_of(&<DB as Upserts<R::Model>>::from_clause()).map_err(Error::Connection)?;
        let refused = plain(&table);
        Self::build::<R>(table, overriding).map_err(|source| Error::of_building(refused, source))
    }

    fn build<R>(table: String, overriding: Overriding<'f, DB>) -> QueryResult<Self>
    where
        DB: Upserts<R::Model>,
        R: Upsertable,
    {
        let () = R::CHECK;
        const {
            assert!(
                !repeats_column(R::FIELDS),
                "a column is written twice, by the model and by a struct that it embeds"
            );
        }
        let mut columns = Vec::new();
        flatten(R::FIELDS, &mut columns);
        if columns.len() > MAX_COLUMNS {
            return Err(refuse(format!("a model has at most {MAX_COLUMNS} columns")));
        }
        let mut expressions = Expressions::new();
        <DB as Upserts<R::Model>>::expressions(0, &mut expressions);
        let Overriding {
            target: chosen,
            target_where,
            columns: overridden,
            update_if,
            skip_unchanged,
            do_nothing,
        } = overriding;

        let assignments = if R::DO_NOTHING || do_nothing {
            Vec::new()
        } else {
            planned(&columns, expressions.columns, expressions.others)
        };
        let is_chosen = chosen.is_some();
        let (target, keys, mut comparison) = target::<R, DB>(chosen, expressions.target, &columns);
        // The predicate of the model's own target says nothing of another.
        let predicate = match (target_where, expressions.target_where) {
            (Some(chosen), _) => Some(chosen),
            (None, Some(own)) if !is_chosen => Some(own as Fragment<'f, DB>),
            (None, _) => None,
        };
        if predicate.is_some() {
            comparison = match comparison {
                Comparison::Conflict | Comparison::Partial => Comparison::Partial,
                Comparison::Marked | Comparison::Unknown => Comparison::Unknown,
            };
        }
        let newer_by = R::NEWER_BY.and_then(|newer| {
            let position = columns.iter().position(|it| it.name == newer.column)?;
            Some((position, newer.or_equal))
        });
        let mut model = Self {
            keys,
            comparison,
            predicate,
            assignments,
            newer_by: newer_by.filter(|_| update_if.is_none()),
            update_if: update_if.or(expressions.update_if.map(|it| it as Fragment<'f, DB>)),
            skip_unchanged: skip_unchanged.unwrap_or(R::SKIP_UNCHANGED),
            table,
            columns,
            target,
        };
        if !do_nothing {
            for (column, expression) in overridden {
                model.override_column(column, expression)?;
            }
        }
        if let Target::Columns(target) = &model.target {
            model
                .assignments
                .retain(|it| !target.contains(&it.column.name));
        }
        model.check_target()?;
        model.check_excluded()?;
        Ok(model)
    }

    fn override_column(
        &mut self,
        column: ColumnDef,
        expression: Option<Fragment<'f, DB>>,
    ) -> QueryResult<()> {
        let position = self.columns.iter().position(|it| it.name == column.name);
        if position.is_none() && expression.is_none() {
            return Err(refuse(format!(
                "the rule for `{}` needs a value, but the model has no such column: give it one \
                 with `set(.., ..)`",
                column.name,
            )));
        }
        if let Target::Columns(target) = &self.target {
            if target.contains(&column.name) && column.rule != Rule::Keep {
                return Err(refuse(format!(
                    "`{}` is in the conflict target of the call, so it is never updated: leave its \
                     rule away, or choose another target with `on_conflict(..)`",
                    column.name,
                )));
            }
        }
        let is_guard = self
            .newer_by
            .is_some_and(|(newer, _)| Some(newer) == position);
        let keeps = matches!(
            column.rule,
            Rule::Keep | Rule::Touch | Rule::Min | Rule::Fill
        );
        if is_guard && keeps {
            return Err(refuse(format!(
                "`{}` tells which row is newer, so it has to be updated with the rest: leave its \
                 rule away, or give the call another guard with `update_if(..)`",
                column.name,
            )));
        }
        let at = self
            .assignments
            .iter()
            .position(|it| it.column.name == column.name);
        let planned = Planned {
            position,
            column,
            expression,
        };
        match at {
            Some(at) if column.rule == Rule::Keep => {
                self.assignments.remove(at);
            }
            Some(at) => self.assignments[at] = planned,
            None if column.rule == Rule::Keep => {}
            None => self.assignments.push(planned),
        }
        Ok(())
    }

    /// The conflict clause for rows that supply `supplied`.
    pub(crate) fn conflict(&self, supplied: Supplied) -> QueryResult<ConflictClause<'_, DB>> {
        let unsupplied = self.unsupplied(supplied)?;
        let mut assignments = Vec::with_capacity(self.assignments.len());
        for planned in &self.assignments {
            let expression = planned.expression.as_ref().map(|it| Expr::new(&**it));
            // An update never writes a column that the row does not supply, nor
            // the DEFAULT that stands in for one.
            let own = planned
                .position
                .is_none_or(|position| supplied.updated().contains(position));
            let is_supplied = own
                && match expression {
                    Some(expression) => !reads(&expression.sql()?, &unsupplied),
                    None => planned.position.is_some(),
                };
            if is_supplied {
                assignments.push(Assignment {
                    column: planned.column,
                    expression,
                });
            }
        }
        let compares = assignments.iter().any(|it| it.column.rule.is_compared());
        if !compares {
            // No compared column changes, so none is touched.
            assignments.retain(|it| it.column.rule != Rule::Touch);
        }
        if assignments.is_empty() || !self.guards_hold(supplied, &unsupplied)? {
            return Ok(self.do_nothing());
        }
        let newer = self.newer_by.map(|(position, or_equal)| Condition::Newer {
            column: self.columns[position],
            or_equal,
        });
        let update_if = self
            .update_if
            .as_ref()
            .map(|it| Condition::Expression(Expr::new(&**it)));
        Ok(ConflictClause {
            assignments,
            conditions: newer.into_iter().chain(update_if).collect(),
            skip_unchanged: self.skip_unchanged,
            ..self.do_nothing()
        })
    }

    /// Can the guards hold for rows that supply `supplied`? A row without the
    /// column that they read is not newer, whatever the DEFAULT is.
    fn guards_hold(&self, supplied: Supplied, unsupplied: &[String]) -> QueryResult<bool> {
        if let Some((newer, _)) = self.newer_by {
            if !supplied.updated().contains(newer) {
                return Ok(false);
            }
        }
        match &self.update_if {
            Some(update_if) => Ok(!reads(&sql_of(&**update_if)?, unsupplied)),
            None => Ok(true),
        }
    }

    fn do_nothing(&self) -> ConflictClause<'_, DB> {
        ConflictClause {
            table: &self.table,
            target: match &self.target {
                Target::Columns(columns) => TargetClause::Columns(columns),
                Target::Constraint(name) => TargetClause::Constraint(name),
                Target::Expressions(parts) => {
                    TargetClause::Expressions(parts.iter().map(|it| Expr::new(&**it)).collect())
                }
            },
            predicate: self.predicate.as_ref().map(|it| Expr::new(&**it)),
            assignments: Vec::new(),
            conditions: Vec::new(),
            skip_unchanged: false,
            reports: false,
        }
    }

    /// The conflict clause that keeps all rows that exist.
    pub(crate) fn keeping(&self, reports: bool) -> ConflictClause<'_, DB> {
        ConflictClause {
            reports,
            ..self.do_nothing()
        }
    }

    /// The conflict clause that locks the rows that exist, by an update of what
    /// `conflict` updates that never happens.
    pub(crate) fn locking(
        &self,
        conflict: &ConflictClause<'_, DB>,
        supplied: Supplied,
    ) -> ConflictClause<'_, DB> {
        let updated = conflict.assignments.first().map(|it| it.column);
        let inserted = || supplied.inserted().iter().next().map(|it| self.columns[it]);
        let assignment = updated.or_else(inserted).map(|column| Assignment {
            column: ColumnDef {
                rule: Rule::Update,
                ..column
            },
            expression: None,
        });
        ConflictClause {
            assignments: assignment.into_iter().collect(),
            conditions: vec![Condition::Never],
            ..self.keeping(true)
        }
    }

    /// How the proposed row's values are written of the columns that a row does
    /// not supply.
    fn unsupplied(&self, supplied: Supplied) -> QueryResult<Vec<String>> {
        let mut assignments = self.assignments.iter();
        if self.update_if.is_none() && !assignments.any(|it| it.expression.is_some()) {
            return Ok(Vec::new());
        }
        (0..self.columns.len())
            .filter(|position| !supplied.updated().contains(*position))
            .map(|position| excluded_sql::<DB>(self.columns[position].name))
            .collect()
    }

    /// The conflict clause for rows that supply `supplied`, known to be SQL.
    pub(crate) fn clause(&self, supplied: Supplied, reports: bool) -> QueryResult<Clause<'_, DB>> {
        let mut conflict = self.conflict(supplied)?;
        conflict.reports = reports;
        let has_expressions = self.predicate.is_some()
            || self.update_if.is_some()
            || matches!(self.target, Target::Expressions(_))
            || conflict
                .assignments
                .iter()
                .any(|it| it.expression.is_some());
        let binds = if has_expressions {
            let sql = sql_of(&ClauseFragment(&conflict))?;
            sql.matches(placeholder::<DB>()).count()
        } else {
            0
        };
        Ok(Clause {
            conflict,
            binds,
            has_arrays: false,
        })
    }

    /// Refuses `excluded` of a column that the model does not have: it would be
    /// the column's DEFAULT in every row.
    fn check_excluded(&self) -> QueryResult<()> {
        let assignments = self.assignments.iter();
        let expressions: Vec<_> = assignments
            .filter_map(|it| it.expression.as_ref())
            .chain(&self.update_if)
            .collect();
        if expressions.is_empty() {
            return Ok(());
        }
        // `excluded."` or `VALUES(``, and all that may stand behind it.
        let before = before_excluded::<DB>()?;
        let known: Vec<String> = self
            .columns
            .iter()
            .map(|column| excluded_sql::<DB>(column.name))
            .collect::<QueryResult<_>>()?;
        for expression in expressions {
            let sql = sql_of(&**expression)?;
            for (at, _) in sql.match_indices(&before) {
                let read = &sql[at..];
                if !known.iter().any(|known| read.starts_with(known.as_str())) {
                    let column = read[before.len()..].split(['"', '`']).next();
                    return Err(refuse(format!(
                        "an expression reads `excluded({column})`, but the model does not have \
                         the column, so no row proposes a value for it: add a field for it, or \
                         write the value into the expression",
                        column = column.unwrap_or_default(),
                    )));
                }
            }
        }
        Ok(())
    }

    /// Refuses to compare rows by a part of the target.
    pub(crate) fn check_compares(&self) -> QueryResult<()> {
        if self.keys.is_empty() {
            return Err(refuse(
                "the model does not say by which columns its rows are compared, which \
                 `on_duplicate(..)` needs: mark their fields with `#[conflict_key]`",
            ));
        }
        let Target::Expressions(parts) = &self.target else {
            return Ok(());
        };
        for part in parts {
            let sql = without_quotes(&sql_of(&**part)?);
            let unmarked = (0..self.columns.len()).filter(|i| !self.keys.contains(i));
            for column in unmarked.map(|i| self.columns[i].name) {
                if mentions(&sql, &column.to_lowercase()) {
                    return Err(refuse(format!(
                        "`{column}` is in the conflict target, but rows are not compared by it, \
                         which `on_duplicate(..)` needs: mark its field with `#[conflict_key]`",
                    )));
                }
            }
        }
        Ok(())
    }

    /// Refuses a target whose expressions have parameters, or that is no target.
    fn check_target(&self) -> QueryResult<()> {
        if self.predicate.is_some() && matches!(self.target, Target::Constraint(_)) {
            return Err(refuse(
                "a constraint has no predicate: leave `filter_target(..)` away, or name the \
                 index's columns in `on_conflict(..)`",
            ));
        }
        let mut parts: Vec<&Fragment<'f, DB>> = self.predicate.iter().collect();
        if let Target::Expressions(expressions) = &self.target {
            parts.extend(expressions);
        }
        for part in parts {
            let sql = sql_of(&**part)?;
            if sql.contains(&before_excluded::<DB>()?) {
                return Err(refuse(
                    "the conflict target reads `excluded(..)`, but the index has only rows of the \
                     table: a condition on the proposed row is a guard, `update_if(..)`",
                ));
            }
            if has_placeholder(&sql, placeholder::<DB>()) {
                return Err(refuse(
                    "the conflict target has a parameter, which keeps the database from finding \
                     the index: write the value as `upsert_core::literal(..)`, or as a literal in \
                     the attribute",
                ));
            }
        }
        Ok(())
    }

    /// The target's columns, constraint or expressions, for errors and for the
    /// catalog.
    pub(crate) fn target_names(&self) -> Vec<String> {
        match &self.target {
            Target::Columns(columns) => columns.iter().map(|it| (*it).to_owned()).collect(),
            Target::Constraint(name) => vec![format!("{CONSTRAINT}{name}")],
            Target::Expressions(parts) => parts.iter().map(|it| self.unqualified(&**it)).collect(),
        }
    }

    /// The index predicate, for errors.
    pub(crate) fn predicate_sql(&self) -> Option<String> {
        self.predicate.as_ref().map(|it| self.unqualified(&**it))
    }

    fn unqualified(&self, part: &dyn QueryFragment<DB>) -> String {
        let sql = sql_of(part).unwrap_or_default();
        sql.replace(&format!("{}.", self.table), "")
    }

    /// The target's columns, if it is columns.
    pub(crate) fn target_columns(&self) -> &[&'static str] {
        match &self.target {
            Target::Columns(columns) => columns,
            Target::Constraint(_) | Target::Expressions(_) => &[],
        }
    }

    /// What a row has to have in common with one of the table to conflict with
    /// it.
    pub(crate) fn target_sql(&self) -> QueryResult<TargetSql<'_>> {
        Ok(match &self.target {
            Target::Columns(columns) => TargetSql::Columns(columns),
            Target::Constraint(name) => TargetSql::Constraint(name),
            Target::Expressions(parts) => {
                let part = |it: &Fragment<'f, DB>| Ok((sql_of(&**it)?, self.unqualified(&**it)));
                TargetSql::Expressions(parts.iter().map(part).collect::<QueryResult<_>>()?)
            }
        })
    }

    /// Is the index a partial one?
    pub(crate) const fn has_predicate(&self) -> bool {
        self.predicate.is_some()
    }

    /// The index predicate on the table's rows.
    pub(crate) fn predicate(&self) -> QueryResult<Option<String>> {
        self.predicate.as_ref().map(|it| sql_of(&**it)).transpose()
    }

    /// The table's name without quotes, for errors.
    pub(crate) fn plain_table(&self) -> String {
        plain(&self.table)
    }
}

impl<DB> fmt::Debug for Model<'_, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("table", &self.table)
            .finish_non_exhaustive()
    }
}

impl Comparison {
    /// How far keys can be trusted at most.
    pub(crate) const fn trust(self) -> Trust {
        match self {
            Self::Conflict => Trust::Exact,
            // The row that is inserted by the one may not be the other's.
            Self::Partial => Trust::Classes,
            Self::Marked | Self::Unknown => Trust::None,
        }
    }

    /// Do two rows with equal keys have the same key?
    pub(crate) const fn knows_equal(self) -> bool {
        !matches!(self, Self::Partial | Self::Unknown)
    }
}

/// A table's name without quotes.
pub(crate) fn plain(table: &str) -> String {
    match unquote(table) {
        (Some(schema), table) => format!("{schema}.{table}"),
        (None, table) => table,
    }
}

fn flatten(fields: &[FieldDef], columns: &mut Vec<ColumnDef>) {
    for field in fields {
        match field {
            FieldDef::Column(column) => columns.push(*column),
            FieldDef::Embedded(inner) => flatten(inner, columns),
        }
    }
}

/// The model's own assignments.
fn planned<'f, DB>(
    columns: &[ColumnDef],
    expressions: Vec<(usize, Fragment<'static, DB>)>,
    others: Vec<(ColumnDef, Fragment<'static, DB>)>,
) -> Vec<Planned<'f, DB>>
where
    DB: Dialect,
{
    let mut assignments = Vec::new();
    let mut given: Vec<Option<Fragment<'f, DB>>> = columns.iter().map(|_| None).collect();
    for (position, expression) in expressions {
        if let Some(slot) = given.get_mut(position) {
            *slot = Some(expression);
        }
    }
    for (position, (column, expression)) in columns.iter().zip(given).enumerate() {
        if column.rule != Rule::Keep {
            assignments.push(Planned {
                position: Some(position),
                column: *column,
                expression,
            });
        }
    }
    for (column, expression) in others {
        assignments.push(Planned {
            position: None,
            column,
            expression: Some(expression),
        });
    }
    assignments
}

/// The target, the columns by which rows are compared, and what that says.
fn target<'f, R, DB>(
    chosen: Option<ChosenTarget>,
    expressions: Vec<Fragment<'static, DB>>,
    columns: &[ColumnDef],
) -> (Target<'f, DB>, Vec<usize>, Comparison)
where
    DB: Dialect,
    R: Upsertable,
{
    let positions = |names: &[&'static str]| -> Vec<usize> {
        let position = |name: &&str| columns.iter().position(|column| column.name == *name);
        names.iter().filter_map(position).collect()
    };
    let marked: Vec<usize> = (0..columns.len()).filter(|i| columns[*i].is_key).collect();
    let comparison = if marked.is_empty() {
        Comparison::Unknown
    } else {
        Comparison::Marked
    };
    match (chosen, R::TARGET) {
        (Some(ChosenTarget::Columns(names)), _) => (
            Target::Columns(names.to_vec()),
            positions(names),
            Comparison::Conflict,
        ),
        // The fields marked are those of another target.
        (Some(ChosenTarget::Constraint(name)), _) => {
            (Target::Constraint(name), Vec::new(), Comparison::Unknown)
        }
        (None, TargetDef::Constraint(name)) => {
            (Target::Constraint(name.to_owned()), marked, comparison)
        }
        (None, TargetDef::Expressions) => {
            let expressions = expressions.into_iter().map(|it| it as Fragment<'f, DB>);
            (
                Target::Expressions(expressions.collect()),
                marked,
                comparison,
            )
        }
        (None, TargetDef::Columns) => {
            let keys = if marked.is_empty() {
                positions(R::PRIMARY_KEY)
            } else {
                marked
            };
            let names = keys.iter().map(|i| columns[*i].name).collect();
            (Target::Columns(names), keys, Comparison::Conflict)
        }
    }
}

/// Does the expression `sql` read one of `excluded`, however it is quoted?
fn reads(sql: &str, excluded: &[String]) -> bool {
    if excluded.is_empty() {
        return false;
    }
    let sql = without_quotes(sql);
    excluded
        .iter()
        .any(|it| mentions(&sql, &without_quotes(it)))
}

/// A conflict clause by itself.
struct ClauseFragment<'c, 'b, DB>(&'c ConflictClause<'b, DB>);

impl<DB: Dialect> QueryFragment<DB> for ClauseFragment<'_, '_, DB> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let conflict: &ConflictClause<'b, DB> = self.0;
        DB::push_conflict_clause(conflict, &mut out)
    }
}

//! What a call does, before it looks at a row: its model, with what the call
//! overrides.

use core::fmt;

use diesel::query_builder::{AstPass, QueryBuilder, QueryFragment, QueryId};
use diesel::result::QueryResult;

use crate::dialect::{
    Assignment, Condition, ConflictClause, Dialect, Expr, TargetClause, sql_of, unquote,
};
use crate::error::refuse;
use crate::expression::{Expressions, Fragment};
use crate::field::{ColumnDef, FieldDef, MAX_COLUMNS, Rule, Supplied, repeats_column};
use crate::key::Trust;
use crate::overrides::Overriding;
use crate::target::{ChosenTarget, TargetDef};
use crate::upsertable::{BindFields, Upsertable};

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
    newer_by: Option<(ColumnDef, bool)>,
    update_if: Option<Fragment<'f, DB>>,
    skip_unchanged: bool,
    /// The table's name as SQL.
    pub(crate) table: String,
}

/// What equal keys of two rows mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// The rows conflict: the key is all of the conflict target.
    Conflict,
    /// The rows conflict if the fields marked are those of the constraint.
    Constraint,
    /// The rows conflict, and others do too: the target is an expression.
    Expression,
    /// The rows may conflict: the index is a partial one.
    Partial,
    /// Nothing is known.
    Unknown,
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
    pub(crate) fn of<R>(overriding: Overriding<'f, DB>) -> QueryResult<Self>
    where
        R: Upsertable + BindFields<DB>,
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
        R::expressions(0, &mut expressions);
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
        if predicate.is_some() && comparison != Comparison::Unknown {
            comparison = Comparison::Partial;
        }
        let newer_by = R::NEWER_BY.and_then(|newer| {
            let mut columns = columns.iter();
            let column = columns.find(|it| it.name == newer.column)?;
            Some((*column, newer.or_equal))
        });
        let mut model = Self {
            keys,
            comparison,
            predicate,
            assignments,
            newer_by: newer_by.filter(|_| update_if.is_none()),
            update_if: update_if.or(expressions.update_if.map(|it| it as Fragment<'f, DB>)),
            skip_unchanged: skip_unchanged.unwrap_or(R::SKIP_UNCHANGED),
            table: sql_of(&R::from_clause())?,
            columns,
            target,
        };
        for (column, expression) in overridden {
            model.override_column(column, expression)?;
        }
        if let Target::Columns(target) = &model.target {
            model
                .assignments
                .retain(|it| !target.contains(&it.column.name));
        }
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
                    "`{}` is in the conflict target of the call, so it is never updated",
                    column.name,
                )));
            }
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
            // An update never writes the DEFAULT that stands in for a column
            // which the row does not supply.
            let is_supplied = match (expression, planned.position) {
                (None, Some(position)) => supplied.updated().contains(position),
                (None, None) => false,
                (Some(_), _) if unsupplied.is_empty() => true,
                (Some(expression), _) => {
                    let sql = expression.sql()?;
                    !unsupplied.iter().any(|excluded| sql.contains(excluded))
                }
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
        if assignments.is_empty() {
            return Ok(self.do_nothing());
        }
        let newer = self
            .newer_by
            .map(|(column, or_equal)| Condition::Newer { column, or_equal });
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
        }
    }

    /// How the proposed row's values are written of the columns that a row does
    /// not supply.
    fn unsupplied(&self, supplied: Supplied) -> QueryResult<Vec<String>> {
        let has_expressions = self.assignments.iter().any(|it| it.expression.is_some());
        if !has_expressions {
            return Ok(Vec::new());
        }
        (0..self.columns.len())
            .filter(|position| !supplied.updated().contains(*position))
            .map(|position| sql_of::<DB>(&ExcludedColumn(self.columns[position].name)))
            .collect()
    }

    /// The most parameters that the conflict clause has.
    pub(crate) fn clause_binds(&self, supplied: Supplied) -> QueryResult<usize> {
        let conflict = self.conflict(supplied)?;
        let has_expressions = self.predicate.is_some()
            || self.update_if.is_some()
            || matches!(self.target, Target::Expressions(_))
            || conflict
                .assignments
                .iter()
                .any(|it| it.expression.is_some());
        if !has_expressions {
            return Ok(0);
        }
        let sql = sql_of(&ClauseFragment(&conflict))?;
        Ok(sql.matches(placeholder::<DB>()).count())
    }

    /// Refuses what cannot be written as SQL for rows that supply `supplied`.
    pub(crate) fn check(&self, supplied: Supplied) -> QueryResult<()> {
        self.check_target()?;
        self.clause_binds(supplied).map(|_| ())
    }

    /// Refuses a target whose expressions have parameters.
    pub(crate) fn check_target(&self) -> QueryResult<()> {
        let mut parts: Vec<&Fragment<'f, DB>> = self.predicate.iter().collect();
        if let Target::Expressions(expressions) = &self.target {
            parts.extend(expressions);
        }
        for part in parts {
            if has_placeholder(&sql_of(&**part)?, placeholder::<DB>()) {
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
            Target::Constraint(name) => vec![format!("constraint {name}")],
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

    /// The table's name without quotes, for errors.
    pub(crate) fn plain_table(&self) -> String {
        match unquote(&self.table) {
            (Some(schema), table) => format!("{schema}.{table}"),
            (None, table) => table,
        }
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
            Self::Constraint | Self::Partial => Trust::Classes,
            Self::Expression | Self::Unknown => Trust::None,
        }
    }

    /// Do two rows with equal keys have the same key?
    pub(crate) const fn knows_equal(self) -> bool {
        !matches!(self, Self::Partial | Self::Unknown)
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
    let mut expressions = expressions.into_iter().peekable();
    let mut assignments = Vec::new();
    let mut given: Vec<Option<Fragment<'f, DB>>> = columns.iter().map(|_| None).collect();
    for (position, expression) in expressions.by_ref() {
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
    let known = |comparison| {
        if marked.is_empty() {
            Comparison::Unknown
        } else {
            comparison
        }
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
            let comparison = known(Comparison::Constraint);
            (Target::Constraint(name.to_owned()), marked, comparison)
        }
        (None, TargetDef::Expressions) => {
            let comparison = known(Comparison::Expression);
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

/// The character that a placeholder begins with.
fn placeholder<DB: Dialect>() -> char {
    let mut builder = DB::QueryBuilder::default();
    builder.push_bind_param();
    builder.finish().chars().next().unwrap_or('?')
}

/// Is there a placeholder outside of quotes?
fn has_placeholder(sql: &str, placeholder: char) -> bool {
    let mut quote = None;
    for char in sql.chars() {
        match quote {
            Some(open) if char == open => quote = None,
            Some(_) => {}
            None if matches!(char, '\'' | '"' | '`') => quote = Some(char),
            None if char == placeholder => return true,
            None => {}
        }
    }
    false
}

/// The proposed row's value of a column.
struct ExcludedColumn(&'static str);

impl QueryId for ExcludedColumn {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<DB: Dialect> QueryFragment<DB> for ExcludedColumn {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        DB::push_excluded(self.0, &mut out)
    }
}

/// A conflict clause by itself.
struct ClauseFragment<'c, 'b, DB>(&'c ConflictClause<'b, DB>);

impl<DB: Dialect> QueryFragment<DB> for ClauseFragment<'_, '_, DB> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let conflict: &ConflictClause<'b, DB> = self.0;
        DB::push_conflict_clause(conflict, &mut out)
    }
}

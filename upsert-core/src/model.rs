//! What a call knows of its model before it looks at a row.

use diesel::query_builder::{QueryBuilder, QueryFragment};
use diesel::result::QueryResult;

use crate::dialect::{ConflictClause, Dialect, unquote};
use crate::field::{ColumnSet, FieldDef, MAX_COLUMNS, Rule, repeats_column};
use crate::upsertable::{BindFields, Upsertable};

/// A model's columns with the conflict target resolved.
#[derive(Debug)]
pub(crate) struct Model {
    /// The names of the columns, in the order of the fields.
    pub(crate) columns: Vec<&'static str>,
    /// Which of them are the conflict target.
    pub(crate) keys: Vec<usize>,
    /// Which of them get the proposed row's value on conflict.
    pub(crate) updates: ColumnSet,
    /// The names of the target's columns.
    pub(crate) target: Vec<&'static str>,
    /// The table's name as SQL.
    pub(crate) table: String,
}

impl Model {
    /// The columns of `R` on `DB`.
    pub(crate) fn of<R, DB>() -> QueryResult<Self>
    where
        DB: Dialect,
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
        let mut rules = Vec::new();
        flatten(R::FIELDS, &mut columns, &mut rules);
        if columns.len() > MAX_COLUMNS {
            return Err(diesel::result::Error::QueryBuilderError(
                format!("a model has at most {MAX_COLUMNS} columns").into(),
            ));
        }
        let mut keys: Vec<_> = (0..columns.len())
            .filter(|i| rules[*i] == Rule::Key)
            .collect();
        if keys.is_empty() {
            keys = R::PRIMARY_KEY
                .iter()
                .filter_map(|name| columns.iter().position(|column| column == name))
                .collect();
        }
        let mut updates = ColumnSet::new();
        if !R::DO_NOTHING {
            for (i, rule) in rules.iter().enumerate() {
                if *rule == Rule::Update && !keys.contains(&i) {
                    updates.insert(i);
                }
            }
        }
        let target = keys.iter().map(|i| columns[*i]).collect();
        Ok(Self {
            columns,
            keys,
            updates,
            target,
            table: table_name::<R, DB>()?,
        })
    }

    /// The columns that are updated by rows which supply `supplied`.
    pub(crate) fn updates(&self, supplied: ColumnSet) -> Vec<&'static str> {
        self.updates
            .iter()
            .filter(|i| supplied.contains(*i))
            .map(|i| self.columns[i])
            .collect()
    }

    /// The conflict clause that updates `updates`.
    pub(crate) fn conflict<'c>(&'c self, updates: &'c [&'static str]) -> ConflictClause<'c> {
        ConflictClause {
            target: &self.target,
            updates,
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

fn flatten(fields: &[FieldDef], columns: &mut Vec<&'static str>, rules: &mut Vec<Rule>) {
    for field in fields {
        match field {
            FieldDef::Column(column) => {
                columns.push(column.name);
                rules.push(column.rule);
            }
            FieldDef::Embedded(inner) => flatten(inner, columns, rules),
        }
    }
}

fn table_name<R, DB>() -> QueryResult<String>
where
    DB: Dialect,
    R: BindFields<DB>,
{
    let mut builder = DB::QueryBuilder::default();
    QueryFragment::<DB>::to_sql(&R::from_clause(), &mut builder, &DB::default())?;
    Ok(builder.finish())
}

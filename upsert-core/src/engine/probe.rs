//! Finds the rows of the table that input rows conflict with.

use diesel::expression::Expression;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::QueryResult;
use diesel::sql_types::BigInt;

use crate::batch::ErasedBatch;
use crate::dialect::{ConflictClause, KeyColumn, Outcomes, push_existing};
use crate::statement::BatchRows;

/// The name of the numbered rows, where nothing else names them.
const NUMBERED: &str = "__upsert_rows";

/// By what rows are found.
#[derive(Debug)]
pub(super) struct Matching {
    /// The columns that are looked at, by their positions in the model.
    pub(super) positions: Vec<usize>,
    /// The same columns, as they are compared.
    pub(super) columns: Vec<KeyColumn>,
    /// The expressions of the target, each on the table's columns and on bare
    /// ones; none if it is columns.
    pub(super) expressions: Vec<(String, String)>,
    /// Is the table looked at without those that inherit from it?
    pub(super) has_children: bool,
    /// The name of the unique index, where it has to be named to be used.
    pub(super) index: Option<String>,
    /// Does each row go out in a statement of its own?
    pub(super) one_by_one: bool,
    /// The predicate of the index.
    pub(super) predicate: Option<String>,
}

/// Selects the number of each row that is in the table, and something of it.
pub(super) struct Probe<'p, DB, T: ?Sized, E> {
    pub(super) rows: BatchRows<'p, T>,
    pub(super) table: &'p str,
    pub(super) matching: &'p Matching,
    /// What the clause does to a row is added to four times its number.
    pub(super) effect: Option<&'p ConflictClause<'p, DB>>,
    /// What is selected; nothing for one text with all the numbers.
    pub(super) selected: Option<&'p E>,
    pub(super) sees_committed: bool,
    pub(super) recurs: bool,
}

impl<DB, T, E> QueryFragment<DB> for Probe<'_, DB, T, E>
where
    DB: Outcomes,
    T: ErasedBatch<DB> + ?Sized,
    E: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if !self.recurs {
            out.unsafe_to_cache_prepared();
        }
        out.push_sql(if self.selected.is_some() {
            "SELECT "
        } else {
            "SELECT group_concat("
        });
        // Expressions of the clause find the values by this name.
        let alias = if self.effect.is_some() {
            "excluded"
        } else {
            NUMBERED
        };
        out.push_sql(alias);
        out.push_sql(".__upsert_row * 4");
        if let Some(conflict) = self.effect {
            let conflict: &ConflictClause<'b, DB> = conflict;
            out.push_sql(" + ");
            DB::push_effect(conflict, &mut out)?;
        }
        match self.selected {
            Some(selected) => {
                out.push_sql(", ");
                selected.walk_ast(out.reborrow())?;
            }
            None => out.push_sql(", ' ')"),
        }
        out.push_sql(" FROM ");
        let rows: &BatchRows<'b, T> = &self.rows;
        let all = self.effect.is_some();
        self.matching
            .push_numbered_rows::<DB, T>(rows, self.table, all, &mut out)?;
        out.push_sql(alias);
        out.push_sql(DB::JOIN);
        if self.matching.has_children {
            out.push_sql("ONLY ");
        }
        out.push_sql(self.table);
        if let Some(index) = &self.matching.index {
            out.push_sql(" FORCE INDEX (");
            out.push_identifier(index)?;
            out.push_sql(")");
        }
        self.matching
            .push_where::<DB>(self.table, alias, &mut out)?;
        if self.sees_committed {
            out.push_sql(DB::SEES_COMMITTED);
        }
        Ok(())
    }
}

impl Matching {
    /// Writes the relation of the rows: their numbers, their keys under names that
    /// no table has, and with `all` their columns.
    fn push_numbered_rows<'b, DB, T>(
        &self,
        rows: &BatchRows<'b, T>,
        table: &str,
        all: bool,
        out: &mut AstPass<'_, 'b, DB>,
    ) -> QueryResult<()>
    where
        DB: Outcomes,
        T: ErasedBatch<DB> + ?Sized,
    {
        out.push_sql(if all {
            "(SELECT __upsert_values.*"
        } else {
            "(SELECT __upsert_values.__upsert_row"
        });
        for key in 0..self.key_count() {
            out.push_sql(", ");
            match self.expressions.get(key) {
                Some((_, bare)) => out.push_sql(&format!("({bare})")),
                None => push_existing("__upsert_values", &self.columns[key].name, out)?,
            }
            out.push_sql(&format!(" AS __upsert_key{key}"));
        }
        out.push_sql(" FROM ");
        DB::push_numbered_rows(rows, table, &self.columns, out)?;
        out.push_sql(" AS __upsert_values) AS ");
        Ok(())
    }

    fn key_count(&self) -> usize {
        if self.expressions.is_empty() {
            self.columns.len()
        } else {
            self.expressions.len()
        }
    }

    /// Writes a part of a numbered row's key, so that it is compared as the
    /// index compares.
    fn push_key<DB: Outcomes>(&self, key: usize, alias: &str, out: &mut AstPass<'_, '_, DB>) {
        out.push_sql(&format!("{alias}.__upsert_key{key}"));
        if self.expressions.is_empty() {
            let comparison = self.columns[key].comparison.as_deref();
            out.push_sql(comparison.unwrap_or_default());
        }
    }

    fn push_where<DB: Outcomes>(
        &self,
        table: &str,
        alias: &str,
        out: &mut AstPass<'_, '_, DB>,
    ) -> QueryResult<()> {
        for key in 0..self.key_count() {
            out.push_sql(if key > 0 { " AND " } else { " WHERE " });
            match self.expressions.get(key) {
                Some((qualified, _)) => out.push_sql(&format!("({qualified})")),
                None => push_existing(table, &self.columns[key].name, out)?,
            }
            out.push_sql(" = ");
            self.push_key(key, alias, out);
        }
        if let Some(predicate) = &self.predicate {
            out.push_sql(&format!(" AND ({predicate})"));
        }
        Ok(())
    }
}

/// Selects whether rows have different keys for the database. One with a NULL
/// is different from all others.
pub(super) struct AreDistinct<'p, T: ?Sized> {
    pub(super) rows: BatchRows<'p, T>,
    pub(super) recurs: bool,
    pub(super) table: &'p str,
    pub(super) matching: &'p Matching,
}

impl<DB, T> QueryFragment<DB> for AreDistinct<'_, T>
where
    DB: Outcomes,
    T: ErasedBatch<DB> + ?Sized,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if !self.recurs {
            out.unsafe_to_cache_prepared();
        }
        out.push_sql("SELECT CASE WHEN EXISTS (SELECT 1 FROM ");
        let rows: &BatchRows<'b, T> = &self.rows;
        self.matching
            .push_numbered_rows::<DB, T>(rows, self.table, false, &mut out)?;
        out.push_sql(NUMBERED);
        let keys = self.matching.key_count();
        for key in 0..keys {
            out.push_sql(if key > 0 { " AND " } else { " WHERE " });
            self.matching.push_key::<DB>(key, NUMBERED, &mut out);
            out.push_sql(" IS NOT NULL");
        }
        for key in 0..keys {
            out.push_sql(if key > 0 { ", " } else { " GROUP BY " });
            self.matching.push_key::<DB>(key, NUMBERED, &mut out);
        }
        out.push_sql(" HAVING COUNT(*) > 1) THEN 'no' ELSE 'yes' END");
        Ok(())
    }
}

/// The database's own number of a row.
pub(super) struct RowId<'p> {
    pub(super) table: &'p str,
    pub(super) column: &'static str,
}

impl Expression for RowId<'_> {
    type SqlType = BigInt;
}

impl<DB: Outcomes> QueryFragment<DB> for RowId<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        push_existing(self.table, self.column, &mut out)
    }
}

/// Selects something of the row with a number of the database's own.
pub(super) struct ById<'p, E> {
    pub(super) table: &'p str,
    pub(super) column: &'static str,
    pub(super) id: i64,
    pub(super) selected: &'p E,
}

impl<DB, E> QueryFragment<DB> for ById<'_, E>
where
    DB: Outcomes,
    E: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        out.push_sql("SELECT 0, ");
        self.selected.walk_ast(out.reborrow())?;
        out.push_sql(" FROM ");
        out.push_sql(self.table);
        out.push_sql(" WHERE ");
        push_existing(self.table, self.column, &mut out)?;
        out.push_sql(&format!(" = {}", self.id));
        Ok(())
    }
}

/// Selects something of the row that the last statement has inserted.
pub(super) struct LastInserted<'p, E> {
    pub(super) table: &'p str,
    pub(super) column: &'p str,
    pub(super) selected: &'p E,
}

impl<DB, E> QueryFragment<DB> for LastInserted<'_, E>
where
    DB: Outcomes,
    E: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("SELECT 0, ");
        self.selected.walk_ast(out.reborrow())?;
        out.push_sql(" FROM ");
        out.push_sql(self.table);
        out.push_sql(" WHERE ");
        DB::push_is_last_inserted(self.table, self.column, &mut out)
    }
}

/// Selects the log.
pub(super) struct Log;

impl<DB: Outcomes> QueryFragment<DB> for Log {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        DB::push_log(&mut out);
        Ok(())
    }
}

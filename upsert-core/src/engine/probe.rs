//! Finds the rows of the table that input rows conflict with.

use std::borrow::Borrow;

use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::QueryResult;

use crate::dialect::{ConflictClause, KeyColumn, Outcomes};
use crate::statement::BatchRows;
use crate::upsertable::BindFields;

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
    /// The predicate of the index.
    pub(super) predicate: Option<String>,
}

/// Selects the number of each row that is in the table, and something of it.
pub(super) struct Probe<'p, DB, B, R: crate::Fields, E> {
    pub(super) rows: BatchRows<'p, B, R>,
    pub(super) table: &'p str,
    pub(super) matching: &'p Matching,
    /// What the clause does to a row is added to four times its number.
    pub(super) effect: Option<&'p ConflictClause<'p, DB>>,
    /// What is selected; nothing for one text with all the numbers.
    pub(super) selected: Option<&'p E>,
    pub(super) locks: bool,
    pub(super) recurs: bool,
}

impl<DB, B, R, E> QueryFragment<DB> for Probe<'_, DB, B, R, E>
where
    DB: Outcomes,
    B: Borrow<R>,
    R: BindFields<DB>,
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
        out.push_sql(DB::NUMBERED);
        out.push_sql(".upsert_row * 4");
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
        self.matching
            .push_numbered_rows::<DB, B, R>(&self.rows, self.table, &mut out)?;
        // SQLite goes through the rows on the left of a `CROSS JOIN` first.
        out.push_sql(" CROSS JOIN ");
        out.push_sql(self.table);
        self.matching.push_where::<DB>(self.table, &mut out)?;
        if self.locks {
            DB::push_lock(self.table, &mut out);
        }
        Ok(())
    }
}

impl Matching {
    /// Writes the relation of the rows.
    fn push_numbered_rows<'b, DB, B, R>(
        &self,
        rows: &BatchRows<'b, B, R>,
        table: &str,
        out: &mut AstPass<'_, 'b, DB>,
    ) -> QueryResult<()>
    where
        DB: Outcomes,
        B: Borrow<R>,
        R: BindFields<DB>,
    {
        if self.expressions.is_empty() {
            DB::push_numbered_rows(rows, table, &self.columns, out)?;
        } else {
            out.push_sql("(SELECT upsert_values.*");
            for (i, (_, bare)) in self.expressions.iter().enumerate() {
                out.push_sql(&format!(", ({bare}) AS upsert_key{i}"));
            }
            out.push_sql(" FROM ");
            DB::push_numbered_rows(rows, table, &self.columns, out)?;
            out.push_sql(" AS upsert_values)");
        }
        out.push_sql(" AS ");
        out.push_sql(DB::NUMBERED);
        Ok(())
    }

    fn push_where<DB: Outcomes>(
        &self,
        table: &str,
        out: &mut AstPass<'_, '_, DB>,
    ) -> QueryResult<()> {
        let mut before = " WHERE ";
        if self.expressions.is_empty() {
            for key in &self.columns {
                out.push_sql(before);
                DB::push_same_key(table, key, out)?;
                before = " AND ";
            }
        }
        for (i, (qualified, _)) in self.expressions.iter().enumerate() {
            out.push_sql(before);
            out.push_sql(&format!("({qualified}) = {}.upsert_key{i}", DB::NUMBERED));
            before = " AND ";
        }
        if let Some(predicate) = &self.predicate {
            out.push_sql(before);
            out.push_sql(&format!("({predicate})"));
        }
        Ok(())
    }
}

/// Selects whether rows have different keys for the database.
pub(super) struct AreDistinct<'p, B, R: crate::Fields> {
    pub(super) rows: BatchRows<'p, B, R>,
    pub(super) count: usize,
    pub(super) table: &'p str,
    pub(super) matching: &'p Matching,
}

impl<DB, B, R> QueryFragment<DB> for AreDistinct<'_, B, R>
where
    DB: Outcomes,
    B: Borrow<R>,
    R: BindFields<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        out.push_sql(&format!(
            "SELECT CASE WHEN COUNT(*) = {} THEN 'yes' ELSE 'no' END FROM (SELECT DISTINCT ",
            self.count
        ));
        if self.matching.expressions.is_empty() {
            for (i, key) in self.matching.columns.iter().enumerate() {
                if i > 0 {
                    out.push_sql(", ");
                }
                DB::push_key(key, &mut out)?;
            }
        } else {
            for i in 0..self.matching.expressions.len() {
                if i > 0 {
                    out.push_sql(", ");
                }
                out.push_sql(&format!("{}.upsert_key{i}", DB::NUMBERED));
            }
        }
        out.push_sql(" FROM ");
        self.matching
            .push_numbered_rows::<DB, B, R>(&self.rows, self.table, &mut out)?;
        out.push_sql(") AS upsert_keys");
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

//! The statement that writes rows.

use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;

use diesel::RunQueryDsl;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;

use crate::batch::{Batch, Element, ErasedBatch, ModelBatch};
use crate::builder::Strategy;
use crate::dialect::{ConflictClause, Dialect, Outcomes, Report, Rows};
use crate::error::{Error, Result, refuse};
use crate::field::{ColumnDef, Supplied};
use crate::model::Model;
use crate::sql::push_identifiers;
use crate::upsertable::{Fields, Upserts};

/// The statement for some rows of a batch, all of which supply the same
/// columns.
pub(crate) struct ChunkStatement<'s, DB, T: ?Sized> {
    pub(crate) batch: &'s T,
    pub(crate) columns: &'s [ColumnDef],
    /// Positions in the batch.
    pub(crate) rows: &'s [usize],
    pub(crate) supplied: Supplied,
    pub(crate) strategy: Strategy,
    /// The values of each column in one array, if they are sent so.
    pub(crate) arrays: Vec<Vec<Element<'s, T>>>,
    pub(crate) conflict: &'s ConflictClause<'s, DB>,
    /// What it takes for granted that the connection [recalls](Dialect::recall).
    pub(crate) recall: Option<&'s str>,
    /// Is the statement one of few that occur, so that Diesel may keep it
    /// prepared?
    pub(crate) recurs: bool,
}

impl<DB, T> QueryFragment<DB> for ChunkStatement<'_, DB, T>
where
    DB: Dialect,
    T: ErasedBatch<DB> + ?Sized,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if !self.recurs {
            out.unsafe_to_cache_prepared();
        }
        let conflict: &ConflictClause<'b, DB> = self.conflict;
        let inserted: Vec<usize> = self.supplied.inserted().iter().collect();
        let names = inserted.iter().map(|column| self.columns[*column].name);
        push_insert_into(conflict.table, names, &mut out)?;
        match self.strategy {
            Strategy::Values => match self.recall {
                None => push_values(self.batch, self.rows, &inserted, &mut out)?,
                Some(recall) => {
                    let rows = BatchRows::new(self.batch, self.rows, inserted, self.columns);
                    DB::push_recalling_rows(recall, &rows, &mut out)?;
                }
            },
            Strategy::Unnest => push_unnest(self.batch, &self.arrays, &mut out)?,
            Strategy::Copy => out.push_sql(DB::SELECT_COPIED),
        }
        DB::push_conflict_clause(conflict, &mut out)
    }
}

/// Writes `SELECT pg_catalog.unnest($1), pg_catalog.unnest($2)`.
///
/// PostgreSQL takes the arrays apart in step, and hands each row on by itself. From
/// `unnest` behind `FROM` it would store all of them first, which measured a fifth
/// slower.
fn push_unnest<'b, DB, T>(
    batch: &'b T,
    arrays: &'b [Vec<Element<'b, T>>],
    out: &mut AstPass<'_, 'b, DB>,
) -> QueryResult<()>
where
    DB: Dialect,
    T: ErasedBatch<DB> + ?Sized,
{
    for (i, values) in arrays.iter().enumerate() {
        let Some(Element { row, column, .. }) = values.first() else {
            return Err(refuse("an array without values"));
        };
        out.push_sql(if i > 0 { ", " } else { "SELECT " });
        out.push_sql("pg_catalog.unnest(");
        batch.push_array(*row, *column, T::elements(values), out)?;
        out.push_sql(")");
    }
    Ok(())
}

/// The same statement, but it tells what becomes of each row.
pub(crate) struct ReportingStatement<'s, DB, T: ?Sized, E> {
    pub(crate) rows: BatchRows<'s, T>,
    pub(crate) conflict: &'s ConflictClause<'s, DB>,
    /// What is returned of a row.
    pub(crate) returning: &'s E,
    pub(crate) recurs: bool,
}

impl<DB, T, E> QueryFragment<DB> for ReportingStatement<'_, DB, T, E>
where
    DB: Outcomes,
    T: ErasedBatch<DB> + ?Sized,
    E: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if !self.recurs {
            out.unsafe_to_cache_prepared();
        }
        let conflict: &ConflictClause<'b, DB> = self.conflict;
        let names = self.rows.columns.iter().map(|column| column.name);
        push_insert_into(conflict.table, names, &mut out)?;
        let rows: &BatchRows<'b, T> = &self.rows;
        DB::push_reporting_rows(rows, &mut out)?;
        DB::push_conflict_clause(conflict, &mut out)?;
        if DB::REPORT == Report::Returning {
            out.push_sql(" RETURNING ");
            DB::push_returned_number(&mut out);
            out.push_sql(", ");
            self.returning.walk_ast(out.reborrow())?;
        }
        Ok(())
    }
}

/// Some rows of a batch, and some of their columns.
pub(crate) struct BatchRows<'b, T: ?Sized> {
    batch: &'b T,
    /// Positions in the batch.
    rows: &'b [usize],
    /// Positions in the model.
    positions: Vec<usize>,
    columns: Vec<ColumnDef>,
}

impl<'b, T: ?Sized> BatchRows<'b, T> {
    pub(crate) fn new(
        batch: &'b T,
        rows: &'b [usize],
        positions: Vec<usize>,
        columns: &[ColumnDef],
    ) -> Self {
        Self {
            batch,
            rows,
            columns: positions
                .iter()
                .map(|position| columns[*position])
                .collect(),
            positions,
        }
    }
}

/// The binds of all rows: `$1, $2, $3, $4`.
impl<DB, T> QueryFragment<DB> for BatchRows<'_, T>
where
    DB: Dialect,
    T: Batch<DB> + ?Sized,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        for (i, row) in self.rows.iter().enumerate() {
            for (j, column) in self.positions.iter().enumerate() {
                if i + j > 0 {
                    out.push_sql(", ");
                }
                self.batch.push_bind(*row, *column, &mut out)?;
            }
        }
        Ok(())
    }
}

impl<'b, DB, T> Rows<'b, DB> for BatchRows<'b, T>
where
    DB: Dialect,
    T: Batch<DB> + ?Sized,
{
    fn count(&self) -> usize {
        self.rows.len()
    }

    fn columns(&self) -> &[ColumnDef] {
        &self.columns
    }

    fn push_value(
        &self,
        row: usize,
        column: usize,
        out: &mut AstPass<'_, 'b, DB>,
    ) -> QueryResult<()> {
        let (row, column) = (self.rows[row], self.positions[column]);
        self.batch.push_bind(row, column, out)
    }
}

/// A query that yields rows of the SQL type `ST`.
pub(crate) struct ResultQuery<'q, DB, ST> {
    fragment: &'q dyn QueryFragment<DB>,
    sql_type: PhantomData<ST>,
}

impl<'q, DB, ST> ResultQuery<'q, DB, ST> {
    pub(crate) fn new(fragment: &'q dyn QueryFragment<DB>) -> Self {
        Self {
            fragment,
            sql_type: PhantomData,
        }
    }
}

impl<DB, ST> Query for ResultQuery<'_, DB, ST> {
    type SqlType = ST;
}

impl<DB: Dialect, ST> QueryFragment<DB> for ResultQuery<'_, DB, ST> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.fragment.walk_ast(out.reborrow())
    }
}

impl<DB, ST> QueryId for ResultQuery<'_, DB, ST> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<DB, ST, Conn> RunQueryDsl<Conn> for ResultQuery<'_, DB, ST> {}

/// Writes `INSERT INTO "products" ("sku", "name") `.
pub(crate) fn push_insert_into<DB: Dialect>(
    table: &str,
    columns: impl Iterator<Item = &'static str>,
    out: &mut AstPass<'_, '_, DB>,
) -> QueryResult<()> {
    out.push_sql("INSERT INTO ");
    out.push_sql(table);
    out.push_sql(" (");
    push_identifiers(columns, out)?;
    out.push_sql(") ");
    Ok(())
}

/// Writes `VALUES ($1, $2), ($3, $4)`.
fn push_values<'b, DB, T>(
    batch: &'b T,
    rows: &[usize],
    columns: &[usize],
    out: &mut AstPass<'_, 'b, DB>,
) -> QueryResult<()>
where
    DB: Dialect,
    T: Batch<DB> + ?Sized,
{
    out.push_sql("VALUES (");
    for (i, row) in rows.iter().enumerate() {
        if i > 0 {
            out.push_sql("), (");
        }
        for (j, column) in columns.iter().enumerate() {
            if j > 0 {
                out.push_sql(", ");
            }
            batch.push_bind(*row, *column, out)?;
        }
    }
    out.push_sql(")");
    Ok(())
}

/// One statement that inserts or updates rows.
///
/// On PostgreSQL and SQLite:
///
/// ```sql
/// INSERT INTO "products" ("sku", "name") VALUES ($1, $2), ($3, $4)
/// ON CONFLICT ("sku") DO UPDATE SET "name" = excluded."name"
/// ```
///
/// [`Upsert::statement`](crate::Upsert::statement) makes one. It is a
/// [`QueryFragment`], so it can be printed with
/// [`debug_query`](diesel::debug_query), run with
/// [`execute`](RunQueryDsl::execute), or put into a larger query. Unlike a
/// call, it is what it is: not split, not sorted, not guarded against repeated
/// keys.
///
/// Diesel does not keep its prepared statement.
#[must_use = "a statement does nothing until it is executed"]
pub struct UpsertStatement<'f, DB, B, R: Fields> {
    batch: ModelBatch<B, R>,
    model: Model<'f, DB>,
    rows: Vec<usize>,
    supplied: Supplied,
}

impl<'f, DB, B, R> UpsertStatement<'f, DB, B, R>
where
    DB: Dialect + Upserts<R::Model>,
    B: Borrow<R>,
    R: Fields,
{
    pub(crate) fn new(batch: ModelBatch<B, R>, model: Model<'f, DB>) -> Self {
        let supplied = if batch.count() == 0 {
            Supplied::default()
        } else {
            Batch::<DB>::supplied(&batch, 0)
        };
        Self {
            rows: (0..batch.count()).collect(),
            supplied,
            batch,
            model,
        }
    }

    /// Refuses what is not one statement, or cannot be written as SQL.
    pub(crate) fn check(&self) -> Result<()> {
        let mut rows = self.rows.iter();
        let refusal = if self.rows.is_empty() {
            Err(refuse("a statement needs at least one row"))
        } else if rows.any(|row| Batch::<DB>::supplied(&self.batch, *row) != self.supplied) {
            Err(refuse(
                "the rows of one statement have to supply the same columns: sort them by which \
                 fields are `None`, or `execute` the call instead of its statement",
            ))
        } else {
            self.model.clause(self.supplied, false).map(|_| ())
        };
        refusal.map_err(|source| Error::of_building(self.model.plain_table(), source))
    }
}

impl<DB, B, R> QueryFragment<DB> for UpsertStatement<'_, DB, B, R>
where
    DB: Dialect + Upserts<R::Model>,
    B: Borrow<R>,
    R: Fields,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        let conflict: ConflictClause<'b, DB> = self.model.conflict(self.supplied)?;
        let inserted: Vec<usize> = self.supplied.inserted().iter().collect();
        let names = inserted
            .iter()
            .map(|column| self.model.columns[*column].name);
        push_insert_into(conflict.table, names, &mut out)?;
        push_values(&self.batch, &self.rows, &inserted, &mut out)?;
        DB::push_conflict_clause(&conflict, &mut out)
    }
}

impl<DB, B, R: Fields> QueryId for UpsertStatement<'_, DB, B, R> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<DB, B, R: Fields, Conn> RunQueryDsl<Conn> for UpsertStatement<'_, DB, B, R> {}

impl<DB, B, R: Fields> fmt::Debug for UpsertStatement<'_, DB, B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpsertStatement")
            .field("table", &self.model.table)
            .field("rows", &self.rows.len())
            .finish_non_exhaustive()
    }
}

//! The statement that writes rows.

use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;

use diesel::RunQueryDsl;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::{HasSqlType, SqlType};

use crate::dialect::{ConflictClause, Dialect, Outcomes, Report, Rows};
use crate::error::{Error, Result, refuse};
use crate::field::{ColumnDef, Supplied};
use crate::model::Model;
use crate::upsertable::{BindFields, Fields};
use crate::value::{Plain, ValueVisitor};

const NOT_THE_SAME_COLUMNS: &str = "the rows of one statement have to supply the same columns";

/// The rows of a call.
pub(crate) struct Batch<B, R: Fields> {
    /// The position of the first one in the input.
    pub(crate) first: usize,
    rows: Vec<B>,
    /// For each row, the converted values of its fields.
    converted: Vec<R::Converted>,
}

impl<B: Borrow<R>, R: Fields> Batch<B, R> {
    pub(crate) fn new(rows: Vec<B>) -> Self {
        let converted = rows.iter().map(|row| row.borrow().convert()).collect();
        Self {
            first: 0,
            rows,
            converted,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn supplied(&self, row: usize) -> Supplied {
        let mut supplied = Supplied::default();
        self.rows[row]
            .borrow()
            .supplied(&self.converted[row], 0, &mut supplied);
        supplied
    }

    #[inline]
    pub(crate) fn visit<'b, DB, V>(&'b self, row: usize, column: usize, visitor: V) -> V::Output
    where
        DB: Dialect,
        R: BindFields<DB>,
        V: ValueVisitor<'b, DB>,
    {
        self.rows[row]
            .borrow()
            .visit(&self.converted[row], column, visitor)
    }
}

/// The statement for some rows of a batch, all of which supply the same
/// columns.
pub(crate) struct ChunkStatement<'s, DB, B, R: Fields> {
    pub(crate) batch: &'s Batch<B, R>,
    pub(crate) columns: &'s [ColumnDef],
    /// Positions in the batch.
    pub(crate) rows: &'s [usize],
    pub(crate) supplied: Supplied,
    /// The values of each column in one array, or none for `VALUES`.
    pub(crate) arrays: Vec<Vec<Element<'s, B, R>>>,
    pub(crate) conflict: &'s ConflictClause<'s, DB>,
    /// Is the statement one of few that occur, so that Diesel may keep it
    /// prepared?
    pub(crate) recurs: bool,
}

impl<DB, B, R> QueryFragment<DB> for ChunkStatement<'_, DB, B, R>
where
    DB: Dialect,
    B: Borrow<R>,
    R: BindFields<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if !self.recurs {
            out.unsafe_to_cache_prepared();
        }
        let conflict: &ConflictClause<'b, DB> = self.conflict;
        if !self.arrays.is_empty() {
            let inserted = self.supplied.inserted();
            let names = inserted.iter().map(|column| self.columns[column].name);
            push_insert_into(conflict.table, names, &mut out)?;
            push_unnest(&self.arrays, &mut out)?;
            return DB::push_conflict_clause(conflict, &mut out);
        }
        push_upsert(
            self.batch,
            self.columns,
            self.rows,
            self.supplied,
            conflict,
            out,
        )
    }
}

/// Writes `SELECT * FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2))`.
///
/// PostgreSQL reads `unnest($1, $2)` as that, but with one array a function of the
/// user's could be taken for it.
fn push_unnest<'b, DB, B, R>(
    arrays: &'b [Vec<Element<'b, B, R>>],
    out: &mut AstPass<'_, 'b, DB>,
) -> QueryResult<()>
where
    DB: Dialect,
    B: Borrow<R>,
    R: BindFields<DB>,
{
    out.push_sql("SELECT * FROM ROWS FROM (");
    for (i, values) in arrays.iter().enumerate() {
        if i > 0 {
            out.push_sql(", ");
        }
        let Some(Element { batch, row, column }) = values.first() else {
            return Err(refuse("an array without values"));
        };
        out.push_sql("pg_catalog.unnest(");
        batch.visit::<DB, _>(*row, *column, PushArray { values, out })?;
        out.push_sql(")");
    }
    out.push_sql(")");
    Ok(())
}

/// The value that a row of a batch has for a column.
pub(crate) struct Element<'s, B, R: Fields> {
    pub(crate) batch: &'s Batch<B, R>,
    pub(crate) row: usize,
    pub(crate) column: usize,
}

impl<B, R: Fields> fmt::Debug for Element<'_, B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

impl<DB, ST, B, R> ToSql<ST, DB> for Element<'_, B, R>
where
    DB: Dialect,
    B: Borrow<R>,
    R: BindFields<DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.batch.visit::<DB, _>(self.row, self.column, Write(out))
    }
}

/// Serializes a value.
struct Write<'o, 'b, 'l, DB: Dialect>(&'o mut Output<'b, 'l, DB>);

impl<'b, DB: Dialect> ValueVisitor<'b, DB> for Write<'_, 'b, '_, DB> {
    type Output = serialize::Result;

    fn visit<ST, T>(self, value: &'b T, _: Plain<'b>) -> serialize::Result
    where
        ST: SqlType,
        DB: HasSqlType<ST>,
        T: ToSql<ST, DB> + ?Sized,
    {
        value.to_sql(self.0)
    }

    fn visit_absent(self) -> serialize::Result {
        Err(NOT_THE_SAME_COLUMNS.into())
    }
}

/// Binds an array of values of the visited one's SQL type.
struct PushArray<'p, 'a, 'b, DB: Dialect, B, R: Fields> {
    values: &'b [Element<'b, B, R>],
    out: &'p mut AstPass<'a, 'b, DB>,
}

impl<'b, DB, B, R> ValueVisitor<'b, DB> for PushArray<'_, '_, 'b, DB, B, R>
where
    DB: Dialect,
    B: Borrow<R>,
    R: BindFields<DB>,
{
    type Output = QueryResult<()>;

    fn visit<ST, T>(self, _: &'b T, _: Plain<'b>) -> QueryResult<()>
    where
        ST: SqlType,
        DB: HasSqlType<ST>,
        T: ToSql<ST, DB> + ?Sized,
    {
        DB::push_array::<ST, _>(self.values, self.out)
    }

    fn visit_absent(self) -> QueryResult<()> {
        Err(refuse(NOT_THE_SAME_COLUMNS))
    }
}

/// Can the values of a visited one's column be in an array?
pub(crate) struct HasArray;

impl<'b, DB: Dialect> ValueVisitor<'b, DB> for HasArray {
    type Output = bool;

    fn visit<ST, T>(self, _: &'b T, _: Plain<'b>) -> bool
    where
        ST: SqlType,
        DB: HasSqlType<ST>,
        T: ToSql<ST, DB> + ?Sized,
    {
        DB::has_array::<ST>()
    }

    fn visit_absent(self) -> bool {
        false
    }
}

/// The same statement, but it tells what becomes of each row.
pub(crate) struct ReportingStatement<'s, DB, B, R: Fields, E> {
    pub(crate) rows: BatchRows<'s, B, R>,
    pub(crate) conflict: &'s ConflictClause<'s, DB>,
    /// What is returned of a row.
    pub(crate) returning: &'s E,
    pub(crate) recurs: bool,
}

impl<DB, B, R, E> QueryFragment<DB> for ReportingStatement<'_, DB, B, R, E>
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
        let conflict: &ConflictClause<'b, DB> = self.conflict;
        let names = self.rows.columns.iter().map(|column| column.name);
        push_insert_into(conflict.table, names, &mut out)?;
        let rows: &BatchRows<'b, B, R> = &self.rows;
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
pub(crate) struct BatchRows<'b, B, R: Fields> {
    batch: &'b Batch<B, R>,
    /// Positions in the batch.
    rows: &'b [usize],
    /// Positions in the model.
    positions: Vec<usize>,
    columns: Vec<ColumnDef>,
}

impl<'b, B, R: Fields> BatchRows<'b, B, R> {
    pub(crate) fn new(
        batch: &'b Batch<B, R>,
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

impl<'b, DB, B, R> Rows<'b, DB> for BatchRows<'b, B, R>
where
    DB: Dialect,
    B: Borrow<R>,
    R: BindFields<DB>,
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
        self.batch.visit::<DB, _>(row, column, PushBind(out))
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

/// Writes the statement for `rows`, all of which supply `supplied`.
fn push_upsert<'b, DB, B, R>(
    batch: &'b Batch<B, R>,
    columns: &[ColumnDef],
    rows: &[usize],
    supplied: Supplied,
    conflict: &ConflictClause<'b, DB>,
    mut out: AstPass<'_, 'b, DB>,
) -> QueryResult<()>
where
    DB: Dialect,
    B: Borrow<R>,
    R: BindFields<DB>,
{
    let inserted: Vec<usize> = supplied.inserted().iter().collect();
    let names = inserted.iter().map(|column| columns[*column].name);
    push_insert_into(conflict.table, names, &mut out)?;
    push_values(batch, rows, &inserted, &mut out)?;
    DB::push_conflict_clause(conflict, &mut out)
}

/// Writes `INSERT INTO "products" ("sku", "name") `.
pub(crate) fn push_insert_into<DB: Dialect>(
    table: &str,
    columns: impl Iterator<Item = &'static str>,
    out: &mut AstPass<'_, '_, DB>,
) -> QueryResult<()> {
    out.push_sql("INSERT INTO ");
    out.push_sql(table);
    for (i, column) in columns.enumerate() {
        out.push_sql(if i > 0 { ", " } else { " (" });
        out.push_identifier(column)?;
    }
    out.push_sql(") ");
    Ok(())
}

/// Writes `VALUES ($1, $2), ($3, $4)`.
fn push_values<'b, DB, B, R>(
    batch: &'b Batch<B, R>,
    rows: &[usize],
    columns: &[usize],
    out: &mut AstPass<'_, 'b, DB>,
) -> QueryResult<()>
where
    DB: Dialect,
    B: Borrow<R>,
    R: BindFields<DB>,
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
            batch.visit::<DB, _>(*row, *column, PushBind(out))?;
        }
    }
    out.push_sql(")");
    Ok(())
}

/// Binds a value.
struct PushBind<'p, 'a, 'b, DB: Dialect>(&'p mut AstPass<'a, 'b, DB>);

impl<'b, DB: Dialect> ValueVisitor<'b, DB> for PushBind<'_, '_, 'b, DB> {
    type Output = QueryResult<()>;

    #[inline]
    fn visit<ST, T>(self, value: &'b T, _: Plain<'b>) -> QueryResult<()>
    where
        ST: SqlType,
        DB: HasSqlType<ST>,
        T: ToSql<ST, DB> + ?Sized,
    {
        self.0.push_bind_param::<ST, T>(value)
    }

    fn visit_absent(self) -> QueryResult<()> {
        Err(refuse(NOT_THE_SAME_COLUMNS))
    }
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
    batch: Batch<B, R>,
    model: Model<'f, DB>,
    rows: Vec<usize>,
    supplied: Supplied,
}

impl<'f, DB, B, R> UpsertStatement<'f, DB, B, R>
where
    DB: Dialect,
    B: Borrow<R>,
    R: BindFields<DB>,
{
    pub(crate) fn new(batch: Batch<B, R>, model: Model<'f, DB>) -> Self {
        let supplied = if batch.len() == 0 {
            Supplied::default()
        } else {
            batch.supplied(0)
        };
        Self {
            rows: (0..batch.len()).collect(),
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
        } else if rows.any(|row| self.batch.supplied(*row) != self.supplied) {
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
    DB: Dialect,
    B: Borrow<R>,
    R: BindFields<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        let conflict: ConflictClause<'b, DB> = self.model.conflict(self.supplied)?;
        push_upsert(
            &self.batch,
            &self.model.columns,
            &self.rows,
            self.supplied,
            &conflict,
            out,
        )
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

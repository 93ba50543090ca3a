//! The statement that writes rows.

use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;

use diesel::RunQueryDsl;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::{Error as DieselError, QueryResult};
use diesel::serialize::ToSql;
use diesel::sql_types::{HasSqlType, SqlType};

use crate::dialect::Dialect;
use crate::field::ColumnSet;
use crate::model::Model;
use crate::upsertable::{BindFields, Fields};
use crate::value::{Plain, ValueVisitor};

/// The rows of a call.
pub(crate) struct Batch<B, R: Fields> {
    rows: Vec<B>,
    /// For each row, the converted values of its fields.
    converted: Vec<R::Converted>,
}

impl<B: Borrow<R>, R: Fields> Batch<B, R> {
    pub(crate) fn new(rows: Vec<B>) -> Self {
        let converted = rows.iter().map(|row| row.borrow().convert()).collect();
        Self { rows, converted }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn supplied(&self, row: usize) -> ColumnSet {
        let mut supplied = ColumnSet::new();
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
    pub(crate) model: &'s Model,
    /// Positions in the batch.
    pub(crate) rows: &'s [usize],
    pub(crate) supplied: ColumnSet,
    /// The columns that are updated.
    pub(crate) updates: &'s [&'static str],
    /// Is the statement one of few that occur, so that Diesel may keep it
    /// prepared?
    pub(crate) recurs: bool,
    pub(crate) database: PhantomData<DB>,
}

impl<'s, DB, B, R> ChunkStatement<'s, DB, B, R>
where
    DB: Dialect,
    B: Borrow<R>,
    R: BindFields<DB>,
{
    /// Writes the statement. What is bound lives in the batch, not in `self`.
    fn walk(&self, mut out: AstPass<'_, 's, DB>) -> QueryResult<()> {
        if !self.recurs {
            out.unsafe_to_cache_prepared();
        }
        // --- INSERT INTO "products" ("sku", "name")
        out.push_sql("INSERT INTO ");
        out.push_sql(&self.model.table);
        out.push_sql(" (");
        for (i, column) in self.supplied.iter().enumerate() {
            if i > 0 {
                out.push_sql(", ");
            }
            out.push_identifier(self.model.columns[column])?;
        }
        // --- VALUES ($1, $2), ($3, $4)
        let columns: Vec<usize> = self.supplied.iter().collect();
        out.push_sql(") VALUES (");
        for (i, row) in self.rows.iter().enumerate() {
            if i > 0 {
                out.push_sql("), (");
            }
            for (j, column) in columns.iter().enumerate() {
                if j > 0 {
                    out.push_sql(", ");
                }
                self.batch
                    .visit::<DB, _>(*row, *column, PushBind(&mut out))?;
            }
        }
        out.push_sql(")");
        // --- ON CONFLICT ("sku") DO UPDATE SET "name" = excluded."name"
        DB::push_conflict_clause(&self.model.conflict(self.updates), &mut out)
    }
}

impl<DB, B, R> QueryFragment<DB> for ChunkStatement<'_, DB, B, R>
where
    DB: Dialect,
    B: Borrow<R>,
    R: BindFields<DB>,
{
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let chunk: &ChunkStatement<'b, DB, B, R> = self;
        chunk.walk(out)
    }
}

impl<DB, B, R: Fields> QueryId for ChunkStatement<'_, DB, B, R> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
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
        Err(DieselError::QueryBuilderError(
            "the rows of one statement have to supply the same columns".into(),
        ))
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
pub struct UpsertStatement<DB, B, R: Fields> {
    batch: Batch<B, R>,
    model: Model,
    rows: Vec<usize>,
    supplied: ColumnSet,
    updates: Vec<&'static str>,
    database: PhantomData<DB>,
}

impl<DB, B, R> UpsertStatement<DB, B, R>
where
    DB: Dialect,
    B: Borrow<R>,
    R: BindFields<DB>,
{
    pub(crate) fn new(batch: Batch<B, R>, model: Model) -> Self {
        let supplied = if batch.len() == 0 {
            ColumnSet::new()
        } else {
            batch.supplied(0)
        };
        Self {
            rows: (0..batch.len()).collect(),
            updates: model.updates(supplied),
            supplied,
            batch,
            model,
            database: PhantomData,
        }
    }
}

impl<DB, B, R> QueryFragment<DB> for UpsertStatement<DB, B, R>
where
    DB: Dialect,
    B: Borrow<R>,
    R: BindFields<DB>,
{
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if self.rows.is_empty() {
            return Err(DieselError::QueryBuilderError(
                "a statement needs at least one row".into(),
            ));
        }
        if (0..self.rows.len()).any(|row| self.batch.supplied(row) != self.supplied) {
            return Err(DieselError::QueryBuilderError(
                "the rows of one statement have to supply the same columns".into(),
            ));
        }
        ChunkStatement {
            batch: &self.batch,
            model: &self.model,
            rows: &self.rows,
            supplied: self.supplied,
            updates: &self.updates,
            recurs: false,
            database: PhantomData,
        }
        .walk(out)
    }
}

impl<DB, B, R: Fields> QueryId for UpsertStatement<DB, B, R> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<DB, B, R: Fields, Conn> RunQueryDsl<Conn> for UpsertStatement<DB, B, R> {}

impl<DB, B, R: Fields> fmt::Debug for UpsertStatement<DB, B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpsertStatement")
            .field("table", &self.model.table)
            .field("rows", &self.rows.len())
            .finish_non_exhaustive()
    }
}

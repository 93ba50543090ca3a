//! The rows of a call.
//!
//! The engine sees them as a [`Batch`], in which nothing of the model's type is
//! left, so that it is compiled once for each connection and not once more for each
//! model.

use std::borrow::Borrow;
use std::fmt;

use diesel::query_builder::AstPass;
use diesel::result::QueryResult;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::{HasSqlType, SqlType};

use crate::dialect::{Dialect, Encoded};
use crate::error::refuse;
use crate::field::Supplied;
use crate::key::{EncodeKey, Keys, MeasureValue};
use crate::upsertable::{Fields, Upserts};
use crate::value::{Plain, ValueVisitor};

const NOT_THE_SAME_COLUMNS: &str = "the rows of one statement have to supply the same columns";

/// The rows of a call, whatever their model.
pub(crate) trait Batch<DB: Dialect> {
    /// The position of a row in the input.
    fn position(&self, row: usize) -> usize;

    fn len(&self) -> usize;

    fn supplied(&self, row: usize) -> Supplied;

    /// Appends the conflict key of a row, which these columns make.
    fn encode_key(
        &self,
        row: usize,
        columns: &[usize],
        keys: &mut Keys,
        scratch: &mut Encoded,
    ) -> QueryResult<()>;

    /// The size of the first `columns` values of a row in bytes, as they are sent.
    fn measure(&self, row: usize, columns: usize, scratch: &mut Encoded) -> usize;

    /// Binds a value.
    fn push_bind<'b>(
        &'b self,
        row: usize,
        column: usize,
        out: &mut AstPass<'_, 'b, DB>,
    ) -> QueryResult<()>;

    /// Appends a value to a row of a COPY.
    fn push_copy(&self, row: usize, column: usize, data: &mut Vec<u8>) -> QueryResult<()>;

    /// Serializes a value.
    fn serialize<'b>(
        &'b self,
        row: usize,
        column: usize,
        out: &mut Output<'b, '_, DB>,
    ) -> serialize::Result;

    /// Can the values of a row's column be in an array?
    fn has_array(&self, row: usize, column: usize) -> bool;

    /// Binds an array of values of a row's column.
    fn push_array<'b>(
        &'b self,
        row: usize,
        column: usize,
        values: Elements<'b, DB>,
        out: &mut AstPass<'_, 'b, DB>,
    ) -> QueryResult<()>;
}

/// A [`Batch`] behind a pointer, which may be shared between threads or not: the
/// future of a call is `Send` only if its batch is `Sync`.
pub(crate) trait ErasedBatch<DB: Dialect>: Batch<DB> {
    fn elements<'b>(values: &'b [Element<'b, Self>]) -> Elements<'b, DB>;
}

impl<DB: Dialect> ErasedBatch<DB> for dyn Batch<DB> + '_ {
    fn elements<'b>(values: &'b [Element<'b, Self>]) -> Elements<'b, DB> {
        Elements::Local(values)
    }
}

impl<DB: Dialect> ErasedBatch<DB> for dyn Batch<DB> + Send + Sync + '_ {
    fn elements<'b>(values: &'b [Element<'b, Self>]) -> Elements<'b, DB> {
        Elements::Shared(values)
    }
}

/// The value that a row of a batch has for a column.
pub(crate) struct Element<'s, T: ?Sized> {
    pub(crate) batch: &'s T,
    pub(crate) row: usize,
    pub(crate) column: usize,
}

impl<T: ?Sized> fmt::Debug for Element<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

impl<DB, ST, T> ToSql<ST, DB> for Element<'_, T>
where
    DB: Dialect,
    T: Batch<DB> + ?Sized,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.batch.serialize(self.row, self.column, out)
    }
}

/// Values of one column.
#[derive(Clone, Copy)]
pub(crate) enum Elements<'b, DB: Dialect> {
    Local(&'b [Element<'b, dyn Batch<DB> + 'b>]),
    Shared(&'b [Element<'b, dyn Batch<DB> + Send + Sync + 'b>]),
}

/// The rows of a model.
pub(crate) struct ModelBatch<B, R: Fields> {
    /// The position of the first one in the input.
    pub(crate) first: usize,
    rows: Vec<B>,
    /// For each row, the converted values of its fields.
    converted: Vec<R::Converted>,
}

impl<B: Borrow<R>, R: Fields> ModelBatch<B, R> {
    pub(crate) fn new(rows: Vec<B>) -> Self {
        let converted = rows.iter().map(|row| row.borrow().convert()).collect();
        Self {
            first: 0,
            rows,
            converted,
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.rows.len()
    }

    #[inline]
    fn visit<'b, DB, V>(&'b self, row: usize, column: usize, visitor: V) -> V::Output
    where
        DB: Dialect + Upserts<R::Model>,
        V: ValueVisitor<'b, DB>,
    {
        DB::visit(
            self.rows[row].borrow().as_model(),
            &self.converted[row],
            column,
            visitor,
        )
    }
}

impl<DB, B, R> Batch<DB> for ModelBatch<B, R>
where
    DB: Dialect + Upserts<R::Model>,
    B: Borrow<R>,
    R: Fields,
{
    fn position(&self, row: usize) -> usize {
        self.first + row
    }

    fn len(&self) -> usize {
        self.count()
    }

    fn supplied(&self, row: usize) -> Supplied {
        let mut supplied = Supplied::default();
        self.rows[row]
            .borrow()
            .supplied(&self.converted[row], 0, &mut supplied);
        supplied
    }

    fn encode_key(
        &self,
        row: usize,
        columns: &[usize],
        keys: &mut Keys,
        scratch: &mut Encoded,
    ) -> QueryResult<()> {
        keys.begin_row();
        for column in columns {
            self.visit::<DB, _>(row, *column, EncodeKey { keys, scratch })?;
        }
        keys.end_row();
        Ok(())
    }

    fn measure(&self, row: usize, columns: usize, scratch: &mut Encoded) -> usize {
        (0..columns)
            .map(|column| self.visit::<DB, _>(row, column, MeasureValue { scratch }))
            .sum()
    }

    fn push_bind<'b>(
        &'b self,
        row: usize,
        column: usize,
        out: &mut AstPass<'_, 'b, DB>,
    ) -> QueryResult<()> {
        self.visit::<DB, _>(row, column, PushBind(out))
    }

    fn push_copy(&self, row: usize, column: usize, data: &mut Vec<u8>) -> QueryResult<()> {
        self.visit::<DB, _>(row, column, PushCopy(data))
    }

    fn serialize<'b>(
        &'b self,
        row: usize,
        column: usize,
        out: &mut Output<'b, '_, DB>,
    ) -> serialize::Result {
        self.visit::<DB, _>(row, column, Serialize(out))
    }

    fn has_array(&self, row: usize, column: usize) -> bool {
        self.visit::<DB, _>(row, column, HasArray)
    }

    fn push_array<'b>(
        &'b self,
        row: usize,
        column: usize,
        values: Elements<'b, DB>,
        out: &mut AstPass<'_, 'b, DB>,
    ) -> QueryResult<()> {
        self.visit::<DB, _>(row, column, PushArray { values, out })
    }
}

/// Some rows of a batch, as a batch.
pub(crate) struct Part<'p, DB: Dialect> {
    pub(crate) batch: &'p (dyn Batch<DB> + Send + Sync + 'p),
    /// Positions in the batch.
    pub(crate) rows: Vec<usize>,
}

impl<DB: Dialect> Batch<DB> for Part<'_, DB> {
    fn position(&self, row: usize) -> usize {
        self.batch.position(self.rows[row])
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn supplied(&self, row: usize) -> Supplied {
        self.batch.supplied(self.rows[row])
    }

    fn encode_key(
        &self,
        row: usize,
        columns: &[usize],
        keys: &mut Keys,
        scratch: &mut Encoded,
    ) -> QueryResult<()> {
        self.batch
            .encode_key(self.rows[row], columns, keys, scratch)
    }

    fn measure(&self, row: usize, columns: usize, scratch: &mut Encoded) -> usize {
        self.batch.measure(self.rows[row], columns, scratch)
    }

    fn push_bind<'b>(
        &'b self,
        row: usize,
        column: usize,
        out: &mut AstPass<'_, 'b, DB>,
    ) -> QueryResult<()> {
        self.batch.push_bind(self.rows[row], column, out)
    }

    fn push_copy(&self, row: usize, column: usize, data: &mut Vec<u8>) -> QueryResult<()> {
        self.batch.push_copy(self.rows[row], column, data)
    }

    fn serialize<'b>(
        &'b self,
        row: usize,
        column: usize,
        out: &mut Output<'b, '_, DB>,
    ) -> serialize::Result {
        self.batch.serialize(self.rows[row], column, out)
    }

    fn has_array(&self, row: usize, column: usize) -> bool {
        self.batch.has_array(self.rows[row], column)
    }

    fn push_array<'b>(
        &'b self,
        row: usize,
        column: usize,
        values: Elements<'b, DB>,
        out: &mut AstPass<'_, 'b, DB>,
    ) -> QueryResult<()> {
        self.batch.push_array(self.rows[row], column, values, out)
    }
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

/// Appends a value to a row of a COPY.
struct PushCopy<'d>(&'d mut Vec<u8>);

impl<'b, DB: Dialect> ValueVisitor<'b, DB> for PushCopy<'_> {
    type Output = QueryResult<()>;

    fn visit<ST, T>(self, value: &'b T, plain: Plain<'b>) -> QueryResult<()>
    where
        ST: SqlType,
        DB: HasSqlType<ST>,
        T: ToSql<ST, DB> + ?Sized,
    {
        DB::push_copy::<ST, T>(value, plain, self.0)
    }

    fn visit_absent(self) -> QueryResult<()> {
        Err(refuse(NOT_THE_SAME_COLUMNS))
    }
}

/// Serializes a value.
struct Serialize<'o, 'b, 'l, DB: Dialect>(&'o mut Output<'b, 'l, DB>);

impl<'b, DB: Dialect> ValueVisitor<'b, DB> for Serialize<'_, 'b, '_, DB> {
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

/// Can the values of a visited one's column be in an array?
struct HasArray;

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

/// Binds an array of values of the visited one's SQL type.
struct PushArray<'p, 'a, 'b, DB: Dialect> {
    values: Elements<'b, DB>,
    out: &'p mut AstPass<'a, 'b, DB>,
}

impl<'b, DB: Dialect> ValueVisitor<'b, DB> for PushArray<'_, '_, 'b, DB> {
    type Output = QueryResult<()>;

    fn visit<ST, T>(self, _: &'b T, _: Plain<'b>) -> QueryResult<()>
    where
        ST: SqlType,
        DB: HasSqlType<ST>,
        T: ToSql<ST, DB> + ?Sized,
    {
        match self.values {
            Elements::Local(values) => DB::push_array::<ST, _>(values, self.out),
            Elements::Shared(values) => DB::push_array::<ST, _>(values, self.out),
        }
    }

    fn visit_absent(self) -> QueryResult<()> {
        Err(refuse(NOT_THE_SAME_COLUMNS))
    }
}

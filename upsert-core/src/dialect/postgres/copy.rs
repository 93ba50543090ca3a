//! COPY over Diesel's own connection.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};

use diesel::RunQueryDsl;
use diesel::connection::SimpleConnection;
use diesel::pg::{CopyFormat, CopyTarget, Pg, PgConnection};
use diesel::prelude::ExecuteCopyFromDsl;
use diesel::query_builder::bind_collector::RawBytesBindCollector;
use diesel::query_builder::{AstPass, BindCollector, QueryFragment, QueryId};
use diesel::r2d2::{ConnectionManager, PooledConnection};
use diesel::result::{DatabaseErrorKind, Error as DieselError, QueryResult};
use diesel::serialize::ToSql;
use diesel::sql_types::is_nullable::NotNull;
use diesel::sql_types::{
    BigInt, Binary, Double, HasSqlType, Integer, Nullable, SmallInt, SqlType, Text,
};

use super::NoTypes;
use crate::dialect::{Copier, NoTable, Plain};
use crate::error::refuse;

/// The beginning of binary data: a signature, and no flags
/// (<https://www.postgresql.org/docs/current/sql-copy.html>).
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Its end.
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();

/// The length of NULL.
const NULL: [u8; 4] = (-1_i32).to_be_bytes();

/// How much is given to libpq at once, whose buffer grows to its size.
const PIECE: usize = 64 * 1024;

pub(super) fn copier(connection: &mut dyn Any) -> Option<&mut dyn Copier<Pg>> {
    if connection.is::<PgConnection>() {
        let connection = connection.downcast_mut::<PgConnection>()?;
        return Some(connection);
    }
    let pooled = connection.downcast_mut::<PooledConnection<ConnectionManager<PgConnection>>>()?;
    Some(&mut **pooled)
}

impl Copier<Pg> for PgConnection {
    fn create(&mut self, row: &dyn QueryFragment<Pg>, columns: usize) -> Result<(), NoTable> {
        let create = CreateTable { row, columns };
        match create.execute(self) {
            Ok(_) => Ok(()),
            Err(error) if is_refusal(&error) => Err(NoTable::Refused(error)),
            Err(error) => Err(NoTable::Failed(error)),
        }
    }

    /// Rows are serialized while the server takes those before them. What a value's code
    /// does wrong there ends the COPY first: a connection cannot be used any more whose
    /// COPY is left by a panic.
    fn copy(
        &mut self,
        rows: usize,
        columns: usize,
        push: &dyn Fn(usize, &mut Vec<u8>) -> QueryResult<()>,
    ) -> QueryResult<usize> {
        let write = |server: &mut dyn Write| write_rows(rows, columns, push, server);
        let failed = RefCell::new(None);
        let send = |server: &mut dyn Write| -> QueryResult<()> {
            let written = panic::catch_unwind(AssertUnwindSafe(|| write(server)));
            if matches!(written, Ok(Ok(()))) {
                return Ok(());
            }
            failed.replace(Some(written));
            // These words go to the server, and into its log.
            Err(refuse("the rows end before their number"))
        };
        let taken = diesel::copy_from(__upsert_copy::table)
            .from_raw_data(Target, send)
            .with_format(CopyFormat::Binary)
            .execute(self);
        match failed.into_inner() {
            None => taken,
            Some(Ok(error)) => error.and(taken),
            Some(Err(panic)) => panic::resume_unwind(panic),
        }
    }

    fn truncate(&mut self) -> QueryResult<()> {
        self.batch_execute("TRUNCATE pg_temp.__upsert_copy")
    }

    /// The file of a table that is only dropped is kept until the transaction's end.
    fn drop(&mut self) -> QueryResult<()> {
        self.batch_execute("TRUNCATE pg_temp.__upsert_copy; DROP TABLE pg_temp.__upsert_copy")
    }
}

/// Writes the rows of a COPY, with what stands before and behind them.
pub(crate) fn write_rows(
    rows: usize,
    columns: usize,
    push: &dyn Fn(usize, &mut Vec<u8>) -> QueryResult<()>,
    server: &mut dyn Write,
) -> QueryResult<()> {
    let columns = i16::try_from(columns).map_err(too_large)?.to_be_bytes();
    let mut data = Vec::with_capacity(2 * PIECE);
    data.extend_from_slice(HEADER);
    for row in 0..rows {
        data.extend_from_slice(&columns);
        push(row, &mut data)?;
        if data.len() >= PIECE {
            server.write_all(&data).map_err(not_sent)?;
            data.clear();
        }
    }
    data.extend_from_slice(&TRAILER);
    server.write_all(&data).map_err(not_sent)
}

/// Is it the table that the database does not want? If its language is not English, it is
/// whatever leaves the connection open.
fn is_refusal(error: &DieselError) -> bool {
    match error {
        DieselError::DatabaseError(
            DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::SerializationFailure,
            _,
        ) => false,
        DieselError::DatabaseError(_, information) => {
            let others = [
                "canceling statement",
                "deadlock detected",
                "out of shared memory",
                "terminating connection",
            ];
            let message = information.message();
            !others.iter().any(|other| message.starts_with(other))
        }
        _ => false,
    }
}

fn too_large(_: impl std::error::Error) -> DieselError {
    refuse("a row is too large to be sent by COPY")
}

/// What Diesel says in an I/O error.
fn not_sent(error: io::Error) -> DieselError {
    let Some(inner) = error.into_inner() else {
        return refuse("the rows of a COPY cannot be sent");
    };
    match inner.downcast::<DieselError>() {
        Ok(error) => *error,
        Err(error) => DieselError::SerializationError(error),
    }
}

/// Appends a value behind its length.
///
/// The bytes are those of Diesel's bind, and the table has the binds' types: none of them
/// can be taken for a value of another type.
pub(super) fn push<ST, T>(value: &T, plain: Plain<'_>, data: &mut Vec<u8>) -> QueryResult<()>
where
    ST: SqlType,
    Pg: HasSqlType<ST>,
    T: ToSql<ST, Pg> + ?Sized,
{
    if push_plain::<ST>(plain, data) {
        return Ok(());
    }
    let mut binds = RawBytesBindCollector::<Pg>::new();
    binds.push_bound_value::<ST, T>(value, &mut NoTypes)?;
    match binds.binds.pop().flatten() {
        Some(bytes) => {
            let length = i32::try_from(bytes.len()).map_err(too_large)?;
            data.extend_from_slice(&length.to_be_bytes());
            data.extend_from_slice(&bytes);
        }
        None => data.extend_from_slice(&NULL),
    }
    Ok(())
}

/// The same, without Diesel, for values of its own types that are written as they are.
/// `false` for others.
#[inline]
fn push_plain<ST: 'static>(plain: Plain<'_>, data: &mut Vec<u8>) -> bool {
    match plain {
        Plain::Integer(value) if is::<ST, SmallInt>() => {
            i16::try_from(value).is_ok_and(|value| push_bytes(&value.to_be_bytes(), data))
        }
        Plain::Integer(value) if is::<ST, Integer>() => {
            i32::try_from(value).is_ok_and(|value| push_bytes(&value.to_be_bytes(), data))
        }
        Plain::Integer(value) if is::<ST, BigInt>() => push_bytes(&value.to_be_bytes(), data),
        Plain::Float(value) if is::<ST, Double>() => push_bytes(&value.to_be_bytes(), data),
        Plain::Text(value) if is::<ST, Text>() => push_bytes(value.as_bytes(), data),
        Plain::Bytes(value) if is::<ST, Binary>() => push_bytes(value, data),
        _ => false,
    }
}

/// Is it this SQL type, nullable or not?
#[inline]
fn is<ST, Known>() -> bool
where
    ST: 'static,
    Known: SqlType<IsNull = NotNull>,
{
    TypeId::of::<ST>() == TypeId::of::<Known>()
        || TypeId::of::<ST>() == TypeId::of::<Nullable<Known>>()
}

/// `false` if there are too many.
#[inline]
fn push_bytes(bytes: &[u8], data: &mut Vec<u8>) -> bool {
    let Ok(length) = i32::try_from(bytes.len()) else {
        return false;
    };
    data.extend_from_slice(&length.to_be_bytes());
    data.extend_from_slice(bytes);
    true
}

diesel::table! {
    /// What stands for the staging table, whose columns are those of the call.
    __upsert_copy (c0) {
        c0 -> Integer,
    }
}

/// The staging table, all of its columns.
struct Target;

impl CopyTarget for Target {
    type Table = __upsert_copy::table;
    type SqlType = Integer;

    fn walk_target(mut pass: AstPass<'_, '_, Pg>) -> QueryResult<()> {
        pass.push_sql("pg_temp.__upsert_copy");
        Ok(())
    }
}

/// Makes the staging table: its columns have the types of the binds.
struct CreateTable<'r> {
    row: &'r dyn QueryFragment<Pg>,
    columns: usize,
}

impl QueryFragment<Pg> for CreateTable<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        out.push_sql("CREATE TEMP TABLE __upsert_copy (");
        for column in 0..self.columns {
            out.push_sql(if column > 0 { ", c" } else { "c" });
            out.push_sql(&column.to_string());
        }
        out.push_sql(") ON COMMIT DROP AS SELECT ");
        self.row.walk_ast(out.reborrow())?;
        out.push_sql(" WITH NO DATA");
        Ok(())
    }
}

impl QueryId for CreateTable<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl RunQueryDsl<PgConnection> for CreateTable<'_> {}

//! SQLite.

use core::any::TypeId;

use diesel::RunQueryDsl;
use diesel::backend::Backend;
use diesel::connection::{Connection, LoadConnection, TransactionManager};
use diesel::deserialize::{self, FromSql};
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::{DatabaseErrorKind, Error as DieselError, QueryResult};
use diesel::sql_types::{self, BigInt, Nullable, Text};
use diesel::sqlite::Sqlite;

use super::on_conflict::{OnConflict, push_is_changed, push_on_conflict};
use super::outcomes::push_numbered_values;
use super::{
    Assignment, ConflictClause, Dialect, Equals, Fault, Inspection, KeyColumn, KeyColumns, KeyPart,
    Outcomes, Report, Rows, SupportsExpressionTarget, SupportsPartialTarget, TargetLookup,
    TypeKind, Values, encode_by_collector, push_condition, push_existing, push_plain_sum,
    push_value, unquote,
};
use crate::error::{message, refuse};
use crate::field::{ColumnDef, Rule};
use crate::statement::ResultQuery;

impl Dialect for Sqlite {
    // SQLITE_MAX_VARIABLE_NUMBER since SQLite 3.32; builds may raise it, and
    // Diesel 2.3 cannot ask. https://www.sqlite.org/limits.html
    const MAX_BINDS: usize = 32_766;
    // Measured: more rows win nothing, and take longer to parse the first time.
    const MAX_ROWS: usize = 128;
    // There is no round trip to save.
    const SPLITS_REST: bool = true;
    // A single writer deadlocks with nobody.
    const SORTS_FEW_ROWS: bool = false;
    const APPLIES_ROWS_IN_ORDER: bool = true;

    fn push_conflict_clause<'b>(
        conflict: &ConflictClause<'b, Self>,
        out: &mut AstPass<'_, 'b, Self>,
    ) -> QueryResult<()> {
        // SQLite takes the name for the table's, and would write the old values.
        let (_, table) = unquote(conflict.table);
        if table.eq_ignore_ascii_case("excluded") && !conflict.assignments.is_empty() {
            return Err(refuse(
                "on SQLite `excluded` means the table of that name, and not the proposed row: \
                 rename the table",
            ));
        }
        push_on_conflict(conflict, out)
    }

    /// The parser takes `ON` behind a table's name for a join's, unless there
    /// is a `WHERE` (<https://www.sqlite.org/lang_upsert.html>, "Parsing
    /// Ambiguity"):
    ///
    /// ```sql
    /// SELECT * FROM (SELECT ..) WHERE 1
    /// ```
    fn push_select<'b>(
        query: &'b dyn QueryFragment<Self>,
        _: usize,
        mut out: AstPass<'_, 'b, Self>,
    ) -> QueryResult<()> {
        out.push_sql("SELECT * FROM (");
        query.walk_ast(out.reborrow())?;
        out.push_sql(") WHERE 1");
        Ok(())
    }

    encode_by_collector!(&mut ());

    fn key_part(kind: TypeKind, bytes: &[u8]) -> KeyPart<'_> {
        let equals = match kind {
            TypeKind::Exact | TypeKind::Date => Equals::Same,
            // Times are text in SQLite.
            TypeKind::Text | TypeKind::Time | TypeKind::Other => fold(bytes),
            TypeKind::Number | TypeKind::Json => Equals::Unknown,
        };
        KeyPart::new(bytes, equals)
    }

    fn fault(error: &DieselError) -> Fault {
        match (error, message(error)) {
            (_, Some(message))
                if message
                    .contains("ON CONFLICT clause does not match any PRIMARY KEY or UNIQUE") =>
            {
                Fault::NoUniqueIndex
            }
            (DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _), Some(message)) => {
                Fault::UniqueViolation(
                    // The message lists columns, never values.
                    message
                        .strip_prefix("UNIQUE constraint failed: ")
                        .map(str::to_owned),
                )
            }
            _ => Fault::Other,
        }
    }

    /// A transaction that reads before it writes may find that it can no
    /// longer write (`SQLITE_BUSY_SNAPSHOT`), so it takes the write lock first:
    ///
    /// ```sql
    /// BEGIN IMMEDIATE
    /// ```
    fn begin<C: Connection<Backend = Self>>(conn: &mut C) -> QueryResult<()> {
        // Diesel has begun a deferred transaction, which holds no lock yet.
        let result = conn.batch_execute("COMMIT; BEGIN IMMEDIATE");
        if result.is_err() {
            // Diesel will roll back, and expects a transaction to be there. Some
            // of its versions see by themselves that there is none, others do
            // not.
            let depth =
                C::TransactionManager::transaction_manager_status_mut(conn).transaction_depth()?;
            if depth.is_none() {
                C::TransactionManager::begin_transaction(conn)?;
            } else {
                conn.batch_execute("BEGIN")?;
            }
        }
        result
    }

    /// Looks for a collation of the application's, and for a column of text
    /// whose declared type makes SQLite store numbers (`STRING`).
    fn inspect<C: Connection<Backend = Self>>(
        conn: &mut C,
        target: &TargetLookup<'_>,
    ) -> QueryResult<Inspection> {
        let mut inspection = Inspection {
            has_unique_index: true,
            may_sort: true,
        };
        if target.sorts && target.depends_on_column {
            let (schema, table) = target.names();
            let look = conn.execute_returning_count(&RaiseObstacles {
                schema: schema.as_deref(),
                table: &table,
                columns: target.columns,
            });
            match look {
                Err(error) if message(&error) == Some(RAISED) => inspection.may_sort = false,
                look => look.map(|_| ())?,
            }
        }
        Ok(inspection)
    }
}

impl SupportsExpressionTarget for Sqlite {}
impl SupportsPartialTarget for Sqlite {}

/// The class of text under SQLite's own collations: `NOCASE` compares the
/// letters of ASCII without regard to case, `RTRIM` ignores spaces at the end.
fn fold(text: &[u8]) -> Equals<'_> {
    let end = text.iter().rposition(|byte| *byte != b' ');
    let text = &text[..end.map_or(0, |last| last + 1)];
    Equals::Class(text.to_ascii_lowercase().into())
}

/// An expression that fails with [`RAISED`].
const RAISE: &str = "abs(-9223372036854775808)";

impl Values for Sqlite {
    const MAX: &'static str = "max";
    const MIN: &'static str = "min";
    const EXTREME_OF_NULL_IS_NULL: bool = true;

    fn push_extreme(
        column: &ColumnDef,
        table: &str,
        out: &mut AstPass<'_, '_, Self>,
    ) -> QueryResult<()> {
        // Of equal values `max` takes the first and `min` the last.
        if column.rule == Rule::Min {
            out.push_sql("min(");
            Self::push_excluded(column.name, out)?;
            out.push_sql(", ");
            push_existing(table, column.name, out)?;
        } else {
            out.push_sql("max(");
            push_existing(table, column.name, out)?;
            out.push_sql(", ");
            Self::push_excluded(column.name, out)?;
        }
        out.push_sql(")");
        Ok(())
    }

    /// SQLite goes on with a floating point number where whole numbers
    /// overflow, stores numbers that the column's type in `table!` cannot
    /// hold, and has infinity behind the largest floating point number. Other
    /// databases raise an error, so this does:
    ///
    /// ```sql
    /// CASE WHEN (t.c + excluded.c) BETWEEN .. AND .. AND typeof((t.c + excluded.c)) = 'integer'
    ///     OR (t.c + excluded.c) IS NULL
    /// THEN (t.c + excluded.c) ELSE abs(-9223372036854775808) END
    /// ```
    fn push_sum(
        column: &ColumnDef,
        table: &str,
        out: &mut AstPass<'_, '_, Self>,
    ) -> QueryResult<()> {
        let Some(range) = Range::of((column.sql_type)()) else {
            return push_plain_sum(column, table, out);
        };
        out.push_sql("CASE WHEN ");
        push_plain_sum(column, table, out)?;
        out.push_sql(range.between());
        if range.is_integer() {
            out.push_sql(" AND typeof(");
            push_plain_sum(column, table, out)?;
            out.push_sql(") = 'integer'");
        } else {
            // Infinity plus something is not an overflow.
            out.push_sql(" OR abs(");
            push_existing(table, column.name, out)?;
            out.push_sql(") = 9e999 OR abs(");
            Self::push_excluded(column.name, out)?;
            out.push_sql(") = 9e999");
        }
        out.push_sql(" OR ");
        push_plain_sum(column, table, out)?;
        out.push_sql(" IS NULL THEN ");
        push_plain_sum(column, table, out)?;
        out.push_sql(" ELSE ");
        out.push_sql(RAISE);
        out.push_sql(" END");
        Ok(())
    }
}

impl OnConflict for Sqlite {
    fn push_is_changed<'b>(
        table: &str,
        compared: &[&Assignment<'b, Self>],
        out: &mut AstPass<'_, 'b, Self>,
    ) -> QueryResult<()> {
        for (i, assignment) in compared.iter().enumerate() {
            if i > 0 {
                out.push_sql(" OR ");
            }
            push_existing(table, assignment.column.name, out)?;
            // Whatever the column's collation holds equal is a change.
            out.push_sql(" COLLATE BINARY IS NOT (");
            push_value(table, assignment, out)?;
            out.push_sql(")");
        }
        Ok(())
    }
}

impl Outcomes for Sqlite {
    /// Measured: `RETURNING` takes longer than to read the rows back by their
    /// keys, and it does not see what AFTER triggers write.
    const REPORT: Report = Report::Nothing;

    const ROW_ID: Option<&'static str> = Some("_rowid_");
    // Binds have no affinity.
    const NUMBERED_LIKE_COLUMNS: bool = false;

    fn read_number(value: <Self as Backend>::RawValue<'_>) -> deserialize::Result<i64> {
        <i64 as FromSql<BigInt, Self>>::from_sql(value)
    }

    fn load_text<C>(conn: &mut C, query: &dyn QueryFragment<Self>) -> QueryResult<Option<String>>
    where
        C: LoadConnection<Backend = Self>,
    {
        ResultQuery::<Self, Nullable<Text>>::new(query).get_result(conn)
    }

    /// The collations are those of the unique index, which need not be those of
    /// the columns.
    fn key_columns<C>(
        conn: &mut C,
        table: &str,
        columns: &[&'static str],
        _: Option<&str>,
    ) -> QueryResult<KeyColumns>
    where
        C: LoadConnection<Backend = Self>,
    {
        let (schema, table) = unquote(table);
        let query = Collations {
            schema: schema.as_deref(),
            table: &table,
            columns,
        };
        let found: Vec<(String, Option<String>)> =
            ResultQuery::<Self, (Text, Nullable<Text>)>::new(&query).load(conn)?;
        let triggers = HasTriggers {
            schema: schema.as_deref(),
            table: &table,
        };
        let column = |name: &&'static str| KeyColumn {
            name: (*name).to_owned(),
            comparison: found
                .iter()
                .find(|(found, _)| found.eq_ignore_ascii_case(name))
                .and_then(|(_, collation)| collation.as_deref())
                .map(|collation| format!(" COLLATE `{}`", collation.replace('`', "``"))),
        };
        Ok(KeyColumns {
            columns: columns.iter().map(column).collect(),
            index: None,
            has_children: false,
            one_by_one: Self::load_text(conn, &triggers)?.as_deref() == Some("yes"),
        })
    }

    fn push_reporting_rows<'b>(
        _: &dyn Rows<'b, Self>,
        _: &mut AstPass<'_, 'b, Self>,
    ) -> QueryResult<()> {
        Ok(())
    }

    fn push_returned_number(_: &mut AstPass<'_, '_, Self>) {}

    fn push_log(_: &mut AstPass<'_, '_, Self>) {}

    /// ```sql
    /// (SELECT column1 AS __upsert_row, column2 AS "sku" FROM (VALUES (0, ?), (1, ?)))
    /// ```
    fn push_numbered_rows<'b>(
        rows: &dyn Rows<'b, Self>,
        _: &str,
        _: &[KeyColumn],
        out: &mut AstPass<'_, 'b, Self>,
    ) -> QueryResult<()> {
        out.push_sql("(SELECT column1 AS __upsert_row");
        for (i, column) in rows.columns().iter().enumerate() {
            out.push_sql(&format!(", column{} AS ", i + 2));
            out.push_identifier(column.name)?;
        }
        out.push_sql(" FROM ");
        push_numbered_values(rows, out)?;
        out.push_sql(")");
        Ok(())
    }

    fn push_effect<'b>(
        conflict: &ConflictClause<'b, Self>,
        out: &mut AstPass<'_, 'b, Self>,
    ) -> QueryResult<()> {
        if conflict.assignments.is_empty() {
            out.push_sql("1");
            return Ok(());
        }
        for (i, condition) in conflict.conditions.iter().enumerate() {
            out.push_sql(if i > 0 { " AND " } else { "CASE WHEN " });
            push_condition(conflict.table, condition, true, out)?;
        }
        if !conflict.conditions.is_empty() {
            out.push_sql(" THEN ");
        }
        if conflict.skip_unchanged {
            out.push_sql("CASE WHEN ");
            push_is_changed(conflict, out)?;
            out.push_sql(" THEN 3 ELSE 2 END");
        } else {
            out.push_sql("3");
        }
        if !conflict.conditions.is_empty() {
            out.push_sql(" ELSE 1 END");
        }
        Ok(())
    }

    /// A transaction that reads before it writes may find that it can no longer
    /// write.
    fn lock_table<C>(conn: &mut C, table: &str, column: &str) -> QueryResult<()>
    where
        C: LoadConnection<Backend = Self>,
    {
        let name = column.replace('`', "``");
        conn.batch_execute(&format!("UPDATE {table} SET `{name}` = `{name}` WHERE 0"))
    }

    fn numbered_column<C>(_: &mut C, _: &str) -> QueryResult<Option<String>>
    where
        C: LoadConnection<Backend = Self>,
    {
        Ok(Self::ROW_ID.map(str::to_owned))
    }

    /// ```sql
    /// "t"."_rowid_" = last_insert_rowid()
    /// ```
    fn push_is_last_inserted(
        table: &str,
        column: &str,
        out: &mut AstPass<'_, '_, Self>,
    ) -> QueryResult<()> {
        push_existing(table, column, out)?;
        out.push_sql(" = last_insert_rowid()");
        Ok(())
    }
}

/// The numbers that a column can hold, by its SQL type in `table!`.
#[derive(Debug, Clone, Copy)]
enum Range {
    SmallInt,
    Integer,
    BigInt,
    Float,
    Double,
}

impl Range {
    fn of(id: TypeId) -> Option<Self> {
        let is = |not_null: TypeId, nullable: TypeId| id == not_null || id == nullable;
        macro_rules! is {
            ($ty:ident) => {
                is(
                    TypeId::of::<sql_types::$ty>(),
                    TypeId::of::<Nullable<sql_types::$ty>>(),
                )
            };
        }
        if is!(SmallInt) {
            Some(Self::SmallInt)
        } else if is!(Integer) {
            Some(Self::Integer)
        } else if is!(BigInt) {
            Some(Self::BigInt)
        } else if is!(Float) {
            Some(Self::Float)
        } else if is!(Double) {
            Some(Self::Double)
        } else {
            None
        }
    }

    const fn is_integer(self) -> bool {
        matches!(self, Self::SmallInt | Self::Integer | Self::BigInt)
    }

    const fn between(self) -> &'static str {
        match self {
            Self::SmallInt => " BETWEEN -32768 AND 32767",
            Self::Integer => " BETWEEN -2147483648 AND 2147483647",
            Self::BigInt => " BETWEEN -9223372036854775808 AND 9223372036854775807",
            // What is halfway to the next one already rounds up.
            Self::Float => " BETWEEN -3.4028235677973362e38 AND 3.4028235677973362e38",
            Self::Double => " BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308",
        }
    }
}

/// SQLite's message for `abs` of the smallest integer.
const RAISED: &str = "integer overflow";

/// Raises an error if there is a reason why keys may be equal that are not in
/// one class. A `Connection` that is not known to be a `LoadConnection` returns
/// no rows.
struct RaiseObstacles<'t> {
    schema: Option<&'t str>,
    table: &'t str,
    columns: &'t [&'static str],
}

impl QueryId for RaiseObstacles<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<'t> RaiseObstacles<'t> {
    /// Without a schema, SQLite looks into all of them, as the statement does.
    fn push_schema<'b>(&'b self, out: &mut AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        if let Some(schema) = &self.schema {
            out.push_sql(", ");
            out.push_bind_param::<Text, &'t str>(schema)?;
        }
        Ok(())
    }
}

impl QueryFragment<Sqlite> for RaiseObstacles<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("SELECT abs(CASE WHEN EXISTS (SELECT 1 FROM pragma_index_list(");
        out.push_bind_param::<Text, _>(self.table)?;
        self.push_schema(&mut out)?;
        out.push_sql(") AS i, pragma_index_xinfo(i.name");
        self.push_schema(&mut out)?;
        out.push_sql(
            ") AS c WHERE i.\"unique\" AND c.\"key\" \
             AND upper(c.coll) NOT IN ('BINARY', 'NOCASE', 'RTRIM')) \
             OR EXISTS (SELECT 1 FROM pragma_table_info(",
        );
        out.push_bind_param::<Text, _>(self.table)?;
        self.push_schema(&mut out)?;
        // https://www.sqlite.org/datatype3.html#determination_of_column_affinity
        out.push_sql(
            ") AS c WHERE c.type <> '' AND (c.type LIKE '%INT%' \
             OR c.type NOT LIKE '%CHAR%' AND c.type NOT LIKE '%CLOB%' \
             AND c.type NOT LIKE '%TEXT%' AND c.type NOT LIKE '%BLOB%') AND c.name IN (",
        );
        for (i, column) in self.columns.iter().enumerate() {
            if i > 0 {
                out.push_sql(", ");
            }
            out.push_bind_param::<Text, &'static str>(column)?;
        }
        out.push_sql(")) THEN -9223372036854775808 ELSE 0 END)");
        Ok(())
    }
}

/// Selects the columns of the unique index on exactly `columns`, and their
/// collations.
struct Collations<'t> {
    schema: Option<&'t str>,
    table: &'t str,
    columns: &'t [&'static str],
}

impl QueryFragment<Sqlite> for Collations<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("SELECT c.name, c.coll FROM pragma_index_list(");
        out.push_bind_param::<Text, &str>(&self.table)?;
        if let Some(schema) = &self.schema {
            out.push_sql(", ");
            out.push_bind_param::<Text, &str>(schema)?;
        }
        out.push_sql(") AS i, pragma_index_xinfo(i.name");
        if let Some(schema) = &self.schema {
            out.push_sql(", ");
            out.push_bind_param::<Text, &str>(schema)?;
        }
        out.push_sql(") AS c WHERE i.\"unique\" AND NOT i.partial AND c.\"key\" AND c.name IN (");
        for (i, column) in self.columns.iter().enumerate() {
            if i > 0 {
                out.push_sql(", ");
            }
            out.push_bind_param::<Text, &'static str>(column)?;
        }
        out.push_sql(") AND (SELECT COUNT(*) FROM pragma_index_info(i.name");
        if let Some(schema) = &self.schema {
            out.push_sql(", ");
            out.push_bind_param::<Text, &str>(schema)?;
        }
        out.push_sql(&format!(")) = {} ORDER BY i.seq", self.columns.len()));
        Ok(())
    }
}

/// Selects whether a trigger may write rows of the table, as far as its text
/// tells.
struct HasTriggers<'t> {
    schema: Option<&'t str>,
    table: &'t str,
}

impl QueryFragment<Sqlite> for HasTriggers<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("SELECT CASE WHEN EXISTS (SELECT 1 FROM (SELECT type, sql FROM ");
        if let Some(schema) = self.schema {
            out.push_identifier(schema)?;
            out.push_sql(".");
        }
        // Behind `BEGIN` is what the trigger does.
        out.push_sql(
            "sqlite_master UNION ALL SELECT type, sql FROM sqlite_temp_master) AS s \
             WHERE s.type = 'trigger' \
             AND instr(substr(lower(s.sql), instr(lower(s.sql), 'begin')), lower(",
        );
        out.push_bind_param::<Text, &str>(&self.table)?;
        out.push_sql("))) THEN 'yes' ELSE 'no' END");
        Ok(())
    }
}

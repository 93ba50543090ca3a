//! SQLite.

use core::any::TypeId;

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql};
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::{DatabaseErrorKind, Error as DieselError, QueryResult};
use diesel::sql_types::{self, BigInt, Nullable, Text};
use diesel::sqlite::Sqlite;

use super::on_conflict::{OnConflict, push_is_changed, push_on_conflict};
use super::outcomes::push_numbered_values;
use super::{
    Assignment, Catalog, ConflictClause, Dialect, Dropped, Equals, Fault, Inspection, KeyColumn,
    KeyColumns, KeyLookup, KeyPart, Outcomes, Question, Report, Rows, SupportsExpressionTarget,
    SupportsPartialTarget, TargetLookup, TypeKind, Values, encode_by_collector, fault_of_kind,
    push_condition, push_existing, push_plain_sum, push_value, unquote,
};
use crate::error::{Contention, is_of_row, message, refuse};
use crate::expression::Fragment;
use crate::field::{ColumnDef, Rule};

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
    // A transaction that reads before it writes may find that it can no longer
    // write (`SQLITE_BUSY_SNAPSHOT`), so it takes the write lock first.
    const BEGIN: &'static str = "BEGIN IMMEDIATE";
    const IS_EMBEDDED: bool = true;
    const DROPPED: Dropped = Dropped::Finishes;

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
            (_, Some("too many SQL variables")) => Fault::TooManyBinds,
            // Its text quotes the schema.
            _ if is_of_row(error) => Fault::Row,
            (_, Some(message)) if BUSY.iter().any(|text| begins(message, text)) => {
                Fault::Contention(Contention::Busy)
            }
            (_, Some(message)) if is_not_of_row(message) => Fault::NotRow,
            _ => fault_of_kind(error),
        }
    }

    /// A transaction that reads before it writes may find that it can no longer
    /// write.
    fn lock_table(table: &str, column: &str) -> Option<String> {
        let name = column.replace('`', "``");
        Some(format!("UPDATE {table} SET `{name}` = `{name}` WHERE 0"))
    }

    /// Looks for a collation of the application's, and for a column of text
    /// whose declared type makes SQLite store numbers (`STRING`).
    fn inspect<'t>(target: &TargetLookup<'t>) -> Option<Question<'t, Self>> {
        if !target.sorts || !target.depends_on_column {
            return None;
        }
        let (schema, table) = target.names();
        Some(Question::Rows(Box::new(RaiseObstacles {
            schema,
            table,
            columns: target.columns,
        })))
    }

    fn inspection(obstacles: usize) -> Inspection {
        Inspection {
            may_sort: obstacles == 0,
            ..Inspection::default()
        }
    }

    fn answer(result: QueryResult<usize>) -> QueryResult<usize> {
        match result {
            Err(error) if message(&error) == Some(RAISED) => Ok(1),
            result => result.map(|_| 0),
        }
    }
}

impl SupportsExpressionTarget for Sqlite {}
impl SupportsPartialTarget for Sqlite {}

/// What SQLite says where another connection is in the way, alone or with a name behind it; it
/// has no other language (`sqlite3ErrStr`, `sqlite3LockAndPrepare` and `sqlite3BtreeSchemaLocked`
/// in its source).
const BUSY: &[&str] = &[
    "database is locked",
    "database table is locked",
    "database schema is locked",
    "locking protocol",
];

/// What SQLite says where no row of a statement can be written, alone or with a name behind it.
const NOT_ROW: &[&str] = &[
    "no such table",
    "no such column",
    "attempt to write a readonly database",
    "database or disk is full",
    "disk I/O error",
    "unable to open database file",
    "database disk image is malformed",
    "file is not a database",
    "out of memory",
    "interrupted",
    "not authorized",
];

/// Is a message this text, or does a name follow it?
fn begins(message: &str, text: &str) -> bool {
    message
        .strip_prefix(text)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(": "))
}

/// Does SQLite say that no row can be written?
fn is_not_of_row(message: &str) -> bool {
    NOT_ROW.iter().any(|text| begins(message, text))
        || message.starts_with("table ") && message.contains(" has no column named ")
        || message.starts_with("near ") && message.ends_with(": syntax error")
}

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

    fn read_text(mut value: <Self as Backend>::RawValue<'_>) -> deserialize::Result<String> {
        Ok(value.read_text().to_owned())
    }

    /// The collations are those of the unique index, which need not be those of
    /// the columns.
    fn key_columns<'t>(target: &KeyLookup<'t>) -> Fragment<'t, Self> {
        let (schema, table) = unquote(target.table);
        Box::new(LookUpKey {
            schema,
            table,
            columns: target.columns,
        })
    }

    fn read_key_columns(target: &KeyLookup<'_>, rows: Vec<Vec<Option<String>>>) -> KeyColumns {
        let one_by_one = rows
            .first()
            .is_some_and(|row| row[1].as_deref() == Some("yes"));
        let column = |name: &&'static str| {
            let mut found = rows.iter().skip(1);
            let is_named = |row: &&Vec<Option<String>>| {
                row[0]
                    .as_ref()
                    .is_some_and(|it| it.eq_ignore_ascii_case(name))
            };
            KeyColumn {
                name: (*name).to_owned(),
                comparison: found
                    .find(is_named)
                    .and_then(|row| row[1].as_deref())
                    .map(|collation| format!(" COLLATE `{}`", collation.replace('`', "``"))),
            }
        };
        KeyColumns {
            columns: target.columns.iter().map(column).collect(),
            index: None,
            has_children: false,
            one_by_one,
        }
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

impl Catalog for Sqlite {
    const EXPLAIN: &'static str = "EXPLAIN QUERY PLAN ";

    /// A trigger cannot give a column its value here.
    fn facts(table: &str) -> Fragment<'_, Self> {
        of_table(table, |schema, table, out| {
            out.push_sql("SELECT 'kind', CASE type WHEN 'view' THEN 'view' ELSE 'table' END FROM ");
            push_master(schema, out)?;
            out.push_sql(" WHERE type IN ('table', 'view') AND name = ");
            out.push_bind_param::<Text, str>(table)?;
            // As far as its text tells.
            for declared in ["REPLACE", "IGNORE", "FAIL"] {
                out.push_sql(" COLLATE NOCASE UNION ALL SELECT 'declared', '");
                out.push_sql(declared);
                out.push_sql("' FROM ");
                push_master(schema, out)?;
                out.push_sql(" WHERE type = 'table' AND upper(sql) LIKE '%ON CONFLICT ");
                out.push_sql(declared);
                out.push_sql("%' AND name = ");
                out.push_bind_param::<Text, str>(table)?;
            }
            out.push_sql(" COLLATE NOCASE");
            Ok(())
        })
    }

    /// An `INTEGER PRIMARY KEY` is numbered where it gets no value.
    fn columns(table: &str) -> Fragment<'_, Self> {
        of_table(table, |schema, table, out| {
            out.push_sql(
                "SELECT c.name, CASE WHEN c.\"notnull\" OR is_rowid AND c.pk THEN 'no' ELSE 'yes' END, \
                 CASE WHEN c.dflt_value IS NOT NULL OR is_rowid AND c.pk THEN 'yes' ELSE 'no' END, \
                 CASE WHEN c.hidden IN (2, 3) THEN 'yes' ELSE 'no' END FROM (SELECT \
                 count(*) = 1 AND min(upper(p.type)) = 'INTEGER' AND NOT EXISTS (\
                 SELECT 1 FROM pragma_index_list(",
            );
            push_of(table, schema, out)?;
            out.push_sql(") AS i WHERE i.origin = 'pk') AS is_rowid FROM pragma_table_xinfo(");
            push_of(table, schema, out)?;
            out.push_sql(") AS p WHERE p.pk), pragma_table_xinfo(");
            push_of(table, schema, out)?;
            out.push_sql(") AS c ORDER BY c.cid");
            Ok(())
        })
    }

    /// A rowid's index is the table itself, and not in the list.
    fn unique_indexes(table: &str) -> Fragment<'_, Self> {
        of_table(table, |schema, table, out| {
            out.push_sql(
                "SELECT name, part, predicate, 'yes', 'no', 'no', 'no' FROM (\
                 SELECT 0 AS seq, 0 AS position, 'PRIMARY KEY' AS name, c.name AS part, \
                 NULL AS predicate FROM pragma_table_xinfo(",
            );
            push_of(table, schema, out)?;
            out.push_sql(") AS c WHERE c.pk AND NOT EXISTS (SELECT 1 FROM pragma_index_list(");
            push_of(table, schema, out)?;
            out.push_sql(
                ") AS i WHERE i.origin = 'pk') \
                 UNION ALL SELECT CASE i.origin WHEN 'pk' THEN 0 ELSE i.seq + 1 END, c.seqno, \
                 CASE i.origin WHEN 'pk' THEN 'PRIMARY KEY' ELSE i.name END, c.name, \
                 CASE WHEN i.partial THEN (SELECT substr(s.sql, instr(upper(s.sql), ' WHERE ') + 7) \
                 FROM ",
            );
            push_master(schema, out)?;
            out.push_sql(" AS s WHERE s.name = i.name) END FROM pragma_index_list(");
            push_of(table, schema, out)?;
            out.push_sql(") AS i, pragma_index_info(i.name");
            push_schema(schema, out)?;
            out.push_sql(") AS c WHERE i.\"unique\") ORDER BY seq, position");
            Ok(())
        })
    }
}

/// Writes a query about a table, from its schema and its name.
type PushOfTable =
    for<'b> fn(Option<&'b str>, &'b str, &mut AstPass<'_, 'b, Sqlite>) -> QueryResult<()>;

/// A query of the catalog about one table.
struct OfTable {
    schema: Option<String>,
    table: String,
    push: PushOfTable,
}

fn of_table(table: &str, push: PushOfTable) -> Fragment<'_, Sqlite> {
    let (schema, table) = unquote(table);
    Box::new(OfTable {
        schema,
        table,
        push,
    })
}

impl QueryFragment<Sqlite> for OfTable {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        (self.push)(self.schema.as_deref(), &self.table, &mut out)
    }
}

/// Writes the relation of all tables and indexes, the temporary ones too.
fn push_master(schema: Option<&str>, out: &mut AstPass<'_, '_, Sqlite>) -> QueryResult<()> {
    let Some(schema) = schema else {
        out.push_sql("(SELECT * FROM sqlite_temp_master UNION ALL SELECT * FROM sqlite_master)");
        return Ok(());
    };
    out.push_identifier(schema)?;
    out.push_sql(".sqlite_master");
    Ok(())
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
    schema: Option<String>,
    table: String,
    columns: &'t [&'static str],
}

impl QueryFragment<Sqlite> for RaiseObstacles<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let schema = self.schema.as_deref();
        out.push_sql("SELECT abs(CASE WHEN EXISTS (SELECT 1 FROM pragma_index_list(");
        push_of(&self.table, schema, &mut out)?;
        out.push_sql(") AS i, pragma_index_xinfo(i.name");
        push_schema(schema, &mut out)?;
        out.push_sql(
            ") AS c WHERE i.\"unique\" AND c.\"key\" \
             AND upper(c.coll) NOT IN ('BINARY', 'NOCASE', 'RTRIM')) \
             OR EXISTS (SELECT 1 FROM pragma_table_info(",
        );
        push_of(&self.table, schema, &mut out)?;
        // https://www.sqlite.org/datatype3.html#determination_of_column_affinity
        out.push_sql(
            ") AS c WHERE c.type <> '' AND (c.type LIKE '%INT%' \
             OR c.type NOT LIKE '%CHAR%' AND c.type NOT LIKE '%CLOB%' \
             AND c.type NOT LIKE '%TEXT%' AND c.type NOT LIKE '%BLOB%') AND c.name IN (",
        );
        push_names(self.columns, &mut out)?;
        out.push_sql(")) THEN -9223372036854775808 ELSE 0 END)");
        Ok(())
    }
}

/// Selects whether a trigger may write rows of the table, as far as its text
/// tells; and then the columns of the unique index on exactly `columns`, and
/// their collations.
struct LookUpKey<'t> {
    schema: Option<String>,
    table: String,
    columns: &'t [&'static str],
}

impl QueryFragment<Sqlite> for LookUpKey<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let schema = self.schema.as_deref();
        out.push_sql("SELECT NULL, CASE WHEN EXISTS (SELECT 1 FROM (SELECT type, sql FROM ");
        if let Some(schema) = schema {
            out.push_identifier(schema)?;
            out.push_sql(".");
        }
        // Behind `BEGIN` is what the trigger does.
        out.push_sql(
            "sqlite_master UNION ALL SELECT type, sql FROM sqlite_temp_master) AS s \
             WHERE s.type = 'trigger' \
             AND instr(substr(lower(s.sql), instr(lower(s.sql), 'begin')), lower(",
        );
        out.push_bind_param::<Text, str>(&self.table)?;
        out.push_sql(
            "))) THEN 'yes' ELSE 'no' END UNION ALL SELECT * FROM (SELECT c.name, c.coll \
             FROM pragma_index_list(",
        );
        push_of(&self.table, schema, &mut out)?;
        out.push_sql(") AS i, pragma_index_xinfo(i.name");
        push_schema(schema, &mut out)?;
        out.push_sql(") AS c WHERE i.\"unique\" AND NOT i.partial AND c.\"key\" AND c.name IN (");
        push_names(self.columns, &mut out)?;
        out.push_sql(") AND (SELECT COUNT(*) FROM pragma_index_info(i.name");
        push_schema(schema, &mut out)?;
        out.push_sql(&format!(")) = {} ORDER BY i.seq)", self.columns.len()));
        Ok(())
    }
}

/// Writes the arguments of a pragma's function: the table, and its schema.
fn push_of<'b>(
    table: &'b str,
    schema: Option<&'b str>,
    out: &mut AstPass<'_, 'b, Sqlite>,
) -> QueryResult<()> {
    out.push_bind_param::<Text, str>(table)?;
    push_schema(schema, out)
}

/// Without a schema, SQLite looks into all of them, as the statement does.
fn push_schema<'b>(schema: Option<&'b str>, out: &mut AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
    if let Some(schema) = schema {
        out.push_sql(", ");
        out.push_bind_param::<Text, str>(schema)?;
    }
    Ok(())
}

fn push_names<'b>(names: &'b [&'static str], out: &mut AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
    for (i, name) in names.iter().enumerate() {
        if i > 0 {
            out.push_sql(", ");
        }
        out.push_bind_param::<Text, &'static str>(name)?;
    }
    Ok(())
}

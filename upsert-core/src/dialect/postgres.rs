//! PostgreSQL.

#[cfg(feature = "copy")]
use core::any::Any;
use core::any::TypeId;
use core::mem;

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql};
use diesel::pg::{Pg, PgMetadataLookup, PgTypeMetadata};
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::{DatabaseErrorKind, Error as DieselError, QueryResult};
use diesel::serialize::ToSql;
use diesel::sql_types::{Array, BigInt, HasSqlType, Nullable, SqlType, Text, Timestamp};

use super::on_conflict::{OnConflict, push_on_conflict};
use super::outcomes::push_numbered_values;
use super::{
    Assignment, Catalog, ConflictClause, Dialect, Dropped, Equals, Fault, Inspection, KeyColumn,
    KeyColumns, KeyLookup, KeyPart, Outcomes, Question, Report, Rows, SupportsConstraintTarget,
    SupportsExpressionTarget, SupportsPartialTarget, TargetLookup, TypeKind, Values,
    encode_by_collector, fault_of_kind, push_existing, push_value,
};
#[cfg(feature = "copy")]
use super::{Copier, Plain};
use crate::error::Contention;
use crate::expression::Fragment;
use crate::field::Rule;
use crate::sql::push_identifiers;

#[cfg(feature = "copy")]
pub(crate) mod copy;
mod messages;

impl Dialect for Pg {
    // The protocol counts parameters in 16 bits.
    const MAX_BINDS: usize = 65_535;
    // A prepared statement of this size is planned once; larger ones win
    // nothing.
    const MAX_ROWS: usize = 1024;
    // Measured: 4 000 to 16 000 rows are the same.
    const MAX_ARRAY_ROWS: usize = 8192;
    // Two statements with arrays. A table, COPY and the rest take more round trips.
    const MIN_COPY_ROWS: usize = 16_384;
    const MAX_COPY_ROWS: usize = 65_536;
    const SELECT_COPIED: &'static str = "SELECT * FROM pg_temp.__upsert_copy";
    // Memory for the arrays, here and at the server.
    const MAX_BYTES: Option<usize> = Some(64 * 1024 * 1024);
    const APPLIES_ROWS_IN_ORDER: bool = false;
    const ERRORS_END_TRANSACTIONS: bool = true;
    // Requests are pipelined in the order in which they are first polled:
    // https://docs.rs/tokio-postgres/0.7/tokio_postgres/#behavior
    const DROPPED: Dropped = Dropped::Queues;

    fn push_conflict_clause<'b>(
        conflict: &ConflictClause<'b, Self>,
        out: &mut AstPass<'_, 'b, Self>,
    ) -> QueryResult<()> {
        push_on_conflict(conflict, out)
    }

    /// A backslash means itself or not by `standard_conforming_strings`, but
    /// always the same in `E'..'`.
    fn push_text(value: &str, out: &mut AstPass<'_, '_, Self>) {
        let value = value.replace('\'', "''");
        if value.contains('\\') {
            out.push_sql("E'");
            out.push_sql(&value.replace('\\', "\\\\"));
        } else {
            out.push_sql("'");
            out.push_sql(&value);
        }
        out.push_sql("'");
    }

    /// `unnest` flattens an array in an array, which has no array type of its own,
    /// and takes a composite type apart, which any type may be that has only a name.
    fn has_array<ST>() -> bool
    where
        ST: SqlType,
        Self: HasSqlType<ST>,
    {
        const RECORD: u32 = 2249;
        let types: &mut dyn PgMetadataLookup = &mut NoTypes;
        let metadata = <Self as HasSqlType<ST>>::metadata(types);
        matches!(metadata.oid(), Ok(oid) if oid != 0 && oid != RECORD)
            && matches!(metadata.array_oid(), Ok(oid) if oid != 0)
    }

    fn push_array<'b, ST, T>(values: &'b [T], out: &mut AstPass<'_, 'b, Self>) -> QueryResult<()>
    where
        ST: SqlType,
        Self: HasSqlType<ST>,
        T: ToSql<ST, Self>,
    {
        out.push_bind_param::<Array<ST>, [T]>(values)
    }

    #[cfg(feature = "copy")]
    fn copier(connection: &mut dyn Any) -> Option<&mut dyn Copier<Self>> {
        copy::copier(connection)
    }

    #[cfg(feature = "copy")]
    fn push_copy<ST, T>(value: &T, plain: Plain<'_>, data: &mut Vec<u8>) -> QueryResult<()>
    where
        ST: SqlType,
        Self: HasSqlType<ST>,
        T: ToSql<ST, Self> + ?Sized,
    {
        copy::push(value, plain, data)
    }

    encode_by_collector!(&mut NoTypes as &mut dyn PgMetadataLookup);

    fn key_part(kind: TypeKind, bytes: &[u8]) -> KeyPart<'_> {
        let equals = match kind {
            // A `varchar(n)` silently cuts spaces that it has no room for.
            TypeKind::Text if bytes.ends_with(b" ") => Equals::Class(bytes.trim_ascii_end().into()),
            TypeKind::Exact
            | TypeKind::Date
            | TypeKind::Text
            | TypeKind::Time
            | TypeKind::Other => Equals::Same,
            TypeKind::Number | TypeKind::Json => Equals::Unknown,
        };
        KeyPart::new(bytes, equals)
    }

    /// PostgreSQL's SQLSTATE does not reach Diesel's errors, so where Diesel's kind does not
    /// tell, the message is matched, in the languages that PostgreSQL speaks.
    fn fault(error: &DieselError) -> Fault {
        let DieselError::DatabaseError(DatabaseErrorKind::Unknown, info) = error else {
            return fault_of_kind(error);
        };
        let message = info.message();
        let says = |texts| messages::is_one_of(message, texts);
        if info.details().is_some_and(messages::is_ring) || message == "deadlock detected" {
            Fault::Contention(Contention::Deadlock)
        } else if says(messages::TERMINATED)
            || message.starts_with("terminating connection")
            || messages::OF_PGBOUNCER.contains(&message)
            // CockroachDB's 40003.
            || message.starts_with("result is ambiguous")
        {
            Fault::ConnectionLost
        } else if says(messages::LOCK_TIMEOUT) {
            Fault::Contention(Contention::LockTimeout)
        } else if says(messages::CARDINALITY) {
            Fault::CardinalityViolation
        } else if says(messages::NO_INDEX) || says(messages::NO_CONSTRAINT) {
            Fault::NoUniqueIndex
        } else if says(messages::NOT_IN_TIME)
            || says(messages::CANCELED)
            // The parser points at what is wrong with a statement.
            || info.statement_position().is_some()
            || NOT_ROW.iter().any(|text| message.starts_with(text))
        {
            Fault::NotRow
        } else if ROW.iter().any(|text| message.starts_with(text)) {
            Fault::Row
        } else {
            Fault::Other
        }
    }

    /// Counts what is in the way of sorting rows by their binds: the row count of
    /// a `SELECT` is the number of rows that it returned.
    fn inspect<'t>(target: &TargetLookup<'t>) -> Option<Question<'t, Self>> {
        let obstacles = Obstacles {
            table: target.table,
            columns: target.columns,
        };
        target.sorts.then(|| Question::Rows(Box::new(obstacles)))
    }

    fn inspection(obstacles: usize) -> Inspection {
        Inspection {
            may_sort: obstacles == 0,
            ..Inspection::default()
        }
    }
}

impl SupportsConstraintTarget for Pg {}
impl SupportsExpressionTarget for Pg {}
impl SupportsPartialTarget for Pg {}

impl Values for Pg {
    const MAX: &'static str = "GREATEST";
    const MIN: &'static str = "LEAST";
    const EXTREME_OF_NULL_IS_NULL: bool = false;
}

/// As what values are compared whose types may differ; with the parenthesis before it.
fn compared_as(kind: TypeKind) -> &'static [&'static str] {
    const ITSELF: &str = ")";
    const TEXT: &str = ")::pg_catalog.text COLLATE pg_catalog.\"C\"";
    match kind {
        TypeKind::Exact | TypeKind::Date | TypeKind::Time => &[ITSELF],
        // `1.0` and `1.00` are equal, and not the same; with few `extra_float_digits` the
        // texts of numbers are the same that are not equal.
        TypeKind::Number => &[ITSELF, TEXT],
        TypeKind::Text | TypeKind::Json | TypeKind::Other => &[TEXT],
    }
}

impl OnConflict for Pg {
    /// `*<>` compares the bytes of the values, so it takes types that have no
    /// `=`, such as `json` and `point`, and tells apart what a collation or a
    /// type holds equal
    /// (<https://www.postgresql.org/docs/current/functions-comparisons.html>):
    ///
    /// ```sql
    /// ROW("t"."a", "t"."b")::pg_catalog.record OPERATOR(pg_catalog.*<>) ROW(excluded."a", excluded."b")::pg_catalog.record
    /// ```
    ///
    /// Both sides need to have the same type there, which a sum in a domain and
    /// the application's expressions need not have.
    fn push_is_changed<'b>(
        table: &str,
        compared: &[&Assignment<'b, Self>],
        out: &mut AstPass<'_, 'b, Self>,
    ) -> QueryResult<()> {
        let (others, same_type): (Vec<&Assignment<'b, Self>>, Vec<_>) = compared
            .iter()
            .partition(|it| matches!(it.column.rule, Rule::Add | Rule::Set));
        if !same_type.is_empty() {
            out.push_sql("ROW(");
            for (i, assignment) in same_type.iter().enumerate() {
                if i > 0 {
                    out.push_sql(", ");
                }
                push_existing(table, assignment.column.name, out)?;
            }
            out.push_sql(")::pg_catalog.record OPERATOR(pg_catalog.*<>) ROW(");
            for (i, assignment) in same_type.iter().enumerate() {
                if i > 0 {
                    out.push_sql(", ");
                }
                push_value(table, assignment, out)?;
            }
            out.push_sql(")::pg_catalog.record");
        }
        let mut is_first = same_type.is_empty();
        for assignment in others {
            for as_what in compared_as(TypeKind::of((assignment.column.sql_type)())) {
                if !mem::take(&mut is_first) {
                    out.push_sql(" OR ");
                }
                out.push_sql("(");
                push_existing(table, assignment.column.name, out)?;
                out.push_sql(as_what);
                out.push_sql(" IS DISTINCT FROM (");
                push_value(table, assignment, out)?;
                out.push_sql(as_what);
            }
        }
        Ok(())
    }

    fn push_note_updated(out: &mut AstPass<'_, '_, Self>) {
        out.push_sql(
            "pg_catalog.set_config('upsert.row', \
             (pg_catalog.current_setting('upsert.row')::pg_catalog.int8 + 1)::pg_catalog.text, \
             TRUE) IS NOT NULL",
        );
    }

    fn push_note_unchanged(out: &mut AstPass<'_, '_, Self>) {
        out.push_sql(
            "pg_catalog.set_config('upsert.unchanged', \
             pg_catalog.concat(pg_catalog.current_setting('upsert.unchanged', TRUE), ' ', \
             pg_catalog.current_setting('upsert.row')), TRUE) IS NULL",
        );
    }

    /// `CURRENT_TIMESTAMP` has a time zone, and would make the whole `CASE` have
    /// one: the column's own value would go through the session's time zone
    /// and back, which the hour that is skipped in spring does not survive.
    fn push_touched<'b>(
        table: &str,
        assignment: &Assignment<'b, Self>,
        out: &mut AstPass<'_, 'b, Self>,
    ) -> QueryResult<()> {
        let id = (assignment.column.sql_type)();
        let is_timestamp =
            id == TypeId::of::<Timestamp>() || id == TypeId::of::<Nullable<Timestamp>>();
        if !is_timestamp || assignment.expression.is_none() {
            return push_value(table, assignment, out);
        }
        out.push_sql("(");
        push_value(table, assignment, out)?;
        out.push_sql(")::pg_catalog.timestamp");
        Ok(())
    }
}

impl Outcomes for Pg {
    const REPORT: Report = Report::Returning;

    fn read_number(value: <Self as Backend>::RawValue<'_>) -> deserialize::Result<i64> {
        <i64 as FromSql<BigInt, Self>>::from_sql(value)
    }

    fn read_text(value: <Self as Backend>::RawValue<'_>) -> deserialize::Result<String> {
        <String as FromSql<Text, Self>>::from_sql(value)
    }

    fn key_columns<'t>(target: &KeyLookup<'t>) -> Fragment<'t, Self> {
        Box::new(LookUpKey {
            table: target.table,
            columns: target.columns,
            constraint: target.constraint,
        })
    }

    fn read_key_columns(_: &KeyLookup<'_>, rows: Vec<Vec<Option<String>>>) -> KeyColumns {
        let has_children = rows.iter().any(|row| row[2].as_deref() == Some("yes"));
        let columns = rows.into_iter().map(|row| {
            let mut texts = row.into_iter();
            KeyColumn {
                name: texts.next().flatten().unwrap_or_default(),
                comparison: texts.next().flatten(),
            }
        });
        KeyColumns {
            columns: columns.collect(),
            index: None,
            has_children,
            one_by_one: false,
        }
    }

    /// A setting of the session holds the number of the row that the statement is
    /// at: rows are read, written and returned one after the other. Unlike `xmax`,
    /// it can be read for a partitioned table too, and unlike the key it is what it
    /// was, whatever a trigger does.
    ///
    /// ```sql
    /// SELECT "sku", "name" FROM (VALUES (0, $1, $2), (1, $3, $4)) AS __upsert_rows (__upsert_row, "sku", "name")
    /// WHERE pg_catalog.set_config('upsert.row', (__upsert_row * 4)::pg_catalog.text, TRUE) IS NOT NULL
    /// ```
    fn push_reporting_rows<'b>(
        rows: &dyn Rows<'b, Self>,
        out: &mut AstPass<'_, 'b, Self>,
    ) -> QueryResult<()> {
        out.push_sql("SELECT ");
        push_identifiers(rows.columns().iter().map(|column| column.name), out)?;
        out.push_sql(" FROM ");
        push_named_values(rows, out)?;
        out.push_sql(
            " WHERE pg_catalog.set_config('upsert.row', (__upsert_row * 4)::pg_catalog.text, TRUE) \
             IS NOT NULL",
        );
        Ok(())
    }

    fn push_returned_number(out: &mut AstPass<'_, '_, Self>) {
        out.push_sql("pg_catalog.current_setting('upsert.row')::pg_catalog.int8");
    }

    fn push_log(out: &mut AstPass<'_, '_, Self>) {
        out.push_sql(
            "SELECT pg_catalog.concat(pg_catalog.current_setting('upsert.unchanged', TRUE), \
             pg_catalog.set_config('upsert.unchanged', '', TRUE))",
        );
    }

    /// A bind has the type of the Rust value, which may be compared otherwise
    /// than the column's: `citext` as `text`.
    ///
    /// ```sql
    /// (SELECT __upsert_row::pg_catalog.int8, "name"::citext COLLATE "pg_catalog"."default" AS "name"
    ///  FROM (VALUES (0, $1)) AS __upsert_rows (__upsert_row, "name"))
    /// ```
    fn push_numbered_rows<'b>(
        rows: &dyn Rows<'b, Self>,
        _: &str,
        keys: &[KeyColumn],
        out: &mut AstPass<'_, 'b, Self>,
    ) -> QueryResult<()> {
        out.push_sql("(SELECT __upsert_row::pg_catalog.int8");
        for column in rows.columns() {
            out.push_sql(", ");
            out.push_identifier(column.name)?;
            let key = keys.iter().find(|key| key.name == column.name);
            if let Some(comparison) = key.and_then(|key| key.comparison.as_deref()) {
                out.push_sql(comparison);
                out.push_sql(" AS ");
                out.push_identifier(column.name)?;
            }
        }
        out.push_sql(" FROM ");
        push_named_values(rows, out)?;
        out.push_sql(")");
        Ok(())
    }
}

impl Catalog for Pg {
    const EXPLAIN: &'static str = "EXPLAIN (COSTS OFF) ";
    const ARBITER: Option<&'static str> = Some("Conflict Arbiter Indexes: ");

    /// The type of its rows says what its columns are, and may be used without rights.
    fn push_columns_of(table: &str, out: &mut AstPass<'_, '_, Self>) {
        out.push_sql("(SELECT (NULL::");
        out.push_sql(table);
        out.push_sql(").*) AS __upsert_rows");
    }

    fn facts(table: &str) -> Fragment<'_, Self> {
        Box::new(OfTable {
            table,
            query: "SELECT 'kind'::pg_catalog.text, CASE WHEN r.relkind IN ('v', 'm') THEN 'view' \
                    ELSE 'table' END FROM pg_catalog.pg_class r \
                    WHERE r.oid = (SELECT pg_catalog.to_regclass(name) FROM named) \
                    UNION ALL SELECT 'trigger', 'yes' WHERE EXISTS (\
                    SELECT FROM pg_catalog.pg_trigger t \
                    WHERE t.tgrelid = (SELECT pg_catalog.to_regclass(name) FROM named) \
                    AND NOT t.tgisinternal AND t.tgtype & 6 = 6)",
        })
    }

    fn columns(table: &str) -> Fragment<'_, Self> {
        Box::new(OfTable {
            table,
            query: "SELECT a.attname::pg_catalog.text, \
                    CASE WHEN a.attnotnull OR t.typnotnull THEN 'no' ELSE 'yes' END, \
                    CASE WHEN a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL \
                    THEN 'yes' ELSE 'no' END, \
                    CASE WHEN a.attgenerated <> '' OR a.attidentity = 'a' THEN 'yes' ELSE 'no' END \
                    FROM pg_catalog.pg_attribute a \
                    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
                    WHERE a.attrelid = (SELECT pg_catalog.to_regclass(name) FROM named) \
                    AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        })
    }

    /// `indnullsnotdistinct` is there since PostgreSQL 15.
    fn unique_indexes(table: &str) -> Fragment<'_, Self> {
        Box::new(OfTable {
            table,
            query: "SELECT c.relname::pg_catalog.text, a.attname::pg_catalog.text, \
                    pg_catalog.pg_get_expr(i.indpred, i.indrelid), \
                    CASE WHEN i.indisvalid THEN 'yes' ELSE 'no' END, \
                    CASE WHEN i.indimmediate THEN 'no' ELSE 'yes' END, 'no', \
                    CASE WHEN pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct' = 'true' \
                    THEN 'yes' ELSE 'no' END \
                    FROM pg_catalog.pg_index i \
                    JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
                    CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::pg_catalog.int2[]) \
                    WITH ORDINALITY AS k (attnum, position) \
                    LEFT JOIN pg_catalog.pg_attribute a \
                    ON a.attrelid = i.indrelid AND a.attnum = k.attnum \
                    WHERE i.indrelid = (SELECT pg_catalog.to_regclass(name) FROM named) \
                    AND i.indisunique AND k.position <= i.indnkeyatts \
                    ORDER BY i.indisprimary DESC, c.relname, c.oid, k.position",
        })
    }
}

/// A query of the catalog about one table.
struct OfTable<'t> {
    table: &'t str,
    query: &'static str,
}

impl QueryFragment<Pg> for OfTable<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH named (name) AS (SELECT ");
        out.push_bind_param::<Text, str>(self.table)?;
        out.push_sql("::pg_catalog.text) ");
        out.push_sql(self.query);
        Ok(())
    }
}

/// Writes `(VALUES (0, $1)) AS __upsert_rows (__upsert_row, "sku")`.
fn push_named_values<'b>(
    rows: &dyn Rows<'b, Pg>,
    out: &mut AstPass<'_, 'b, Pg>,
) -> QueryResult<()> {
    push_numbered_values(rows, out)?;
    out.push_sql(" AS __upsert_rows (__upsert_row");
    for column in rows.columns() {
        out.push_sql(", ");
        out.push_identifier(column.name)?;
    }
    out.push_sql(")");
    Ok(())
}

/// Selects the columns, or those of a constraint, and their types.
struct LookUpKey<'t> {
    table: &'t str,
    columns: &'t [&'static str],
    constraint: Option<&'t str>,
}

impl QueryFragment<Pg> for LookUpKey<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "SELECT a.attname::pg_catalog.text, \
             pg_catalog.concat('::', pg_catalog.format_type(a.atttypid, a.atttypmod), \
             (SELECT pg_catalog.format(' COLLATE %I.%I', n.nspname, c.collname) \
             FROM pg_catalog.pg_collation c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace \
             WHERE c.oid = COALESCE(",
        );
        // The collation of the unique index on exactly these columns, which need
        // not be the column's.
        out.push_sql(
            "(SELECT k.coll FROM pg_catalog.pg_index i, LATERAL ROWS FROM (\
             pg_catalog.unnest(i.indkey::pg_catalog.int2[]), \
             pg_catalog.unnest(i.indcollation::pg_catalog.oid[])) AS k (attnum, coll) \
             WHERE i.indrelid = a.attrelid AND i.indisunique AND k.attnum = a.attnum AND i.indnkeyatts = pg_catalog.cardinality(",
        );
        out.push_bind_param::<Array<Text>, _>(self.columns)?;
        out.push_sql(
            ") AND i.indnkeyatts = (SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute b \
             WHERE b.attrelid = i.indrelid AND b.attnum = ANY(i.indkey) AND b.attname = ANY(",
        );
        out.push_bind_param::<Array<Text>, _>(self.columns)?;
        out.push_sql(
            ")) LIMIT 1), a.attcollation))), \
             (SELECT CASE WHEN r.relkind = 'r' AND r.relhassubclass THEN 'yes' END \
             FROM pg_catalog.pg_class r WHERE r.oid = a.attrelid) \
             FROM pg_catalog.pg_attribute a WHERE a.attrelid = pg_catalog.to_regclass(",
        );
        out.push_bind_param::<Text, _>(self.table)?;
        out.push_sql(") AND NOT a.attisdropped AND ");
        if let Some(constraint) = &self.constraint {
            // An exclusion constraint (`x`) compares with other operators.
            out.push_sql(
                "a.attnum = ANY(SELECT pg_catalog.unnest(c.conkey) \
                 FROM pg_catalog.pg_constraint c WHERE c.conrelid = a.attrelid \
                 AND c.contype IN ('p', 'u') AND c.conname = ",
            );
            out.push_bind_param::<Text, &str>(constraint)?;
        } else {
            out.push_sql("a.attname = ANY(");
            out.push_bind_param::<Array<Text>, _>(self.columns)?;
        }
        out.push_sql(")");
        Ok(())
    }
}

/// What the messages of errors begin with for which no row is to blame, in English.
const NOT_ROW: &[&str] = &[
    "permission denied for ",
    "current transaction is aborted",
    "cached plan must not change result type",
    "could not create ",
    "could not extend file",
    "could not open ",
    "could not write ",
    "temporary file size exceeds",
    "out of shared memory",
    "out of memory",
    "remaining connection slots",
    "prepared statement ",
    "unnamed prepared statement",
];

/// What the messages of errors begin with for which a row's values are to blame, in English;
/// those of constraints have a kind of their own.
const ROW: &[&str] = &[
    "value too long for type ",
    "numeric field overflow",
    "invalid input ",
    "invalid byte sequence for encoding ",
    "smallint out of range",
    "integer out of range",
    "bigint out of range",
    "index row ",
    "row is too big",
    "new row violates row-level security policy",
];

/// Selects a row for each reason why the database may hold keys equal that have
/// different binds.
struct Obstacles<'t> {
    table: &'t str,
    columns: &'t [&'static str],
}

impl QueryFragment<Pg> for Obstacles<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH this AS (SELECT pg_catalog.to_regclass(");
        out.push_bind_param::<Text, _>(self.table)?;
        // Types that are not listed, `citext` and `char(n)` among them, may hold
        // different binds equal. A type modifier other than a length rounds, as
        // in `timestamp(0)`.
        out.push_sql(
            ") AS oid) SELECT 1 FROM this \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = this.oid \
             JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
             WHERE a.attname = ANY(",
        );
        out.push_bind_param::<Array<Text>, _>(self.columns)?;
        out.push_sql(
            ") AND NOT ((t.typtype = 'e' OR (t.typnamespace = 'pg_catalog'::regnamespace \
             AND t.typname IN ('text', 'varchar', 'bool', 'int2', 'int4', 'int8', 'oid', 'uuid', \
             'bytea', 'date', 'time', 'timestamp', 'timestamptz', 'macaddr', 'macaddr8', 'inet', \
             'cidr'))) AND (a.atttypmod = -1 OR t.typcategory = 'S'))",
        );
        // A nondeterministic collation, the column's or the index's own, holds
        // different text equal.
        out.push_sql(
            " UNION ALL SELECT 1 FROM this \
             JOIN pg_catalog.pg_index i ON i.indrelid = this.oid AND i.indisunique \
             JOIN pg_catalog.pg_collation c ON c.oid = ANY(i.indcollation::pg_catalog.oid[]) \
             WHERE NOT c.collisdeterministic",
        );
        // NULLS NOT DISTINCT, since PostgreSQL 15, holds NULLs equal, which count
        // as different here.
        out.push_sql(
            " UNION ALL SELECT 1 FROM this \
             JOIN pg_catalog.pg_index i ON i.indrelid = this.oid AND i.indisunique \
             WHERE pg_catalog.to_jsonb(i)->>'indnullsnotdistinct' = 'true'",
        );
        // A row-level BEFORE INSERT trigger (bits 1, 2 and 4 of `tgtype`) sees
        // the key before the index does. Partitions have triggers of their own.
        out.push_sql(
            " UNION ALL SELECT 1 FROM this JOIN pg_catalog.pg_trigger g ON (g.tgrelid = this.oid \
             OR g.tgrelid IN (SELECT relid FROM pg_catalog.pg_partition_tree(this.oid))) \
             WHERE NOT g.tgisinternal AND g.tgenabled <> 'D' AND (g.tgtype & 7) = 7",
        );
        // What is behind a view is not looked at.
        out.push_sql(
            " UNION ALL SELECT 1 FROM this JOIN pg_catalog.pg_class r ON r.oid = this.oid \
             WHERE r.relkind = 'v'",
        );
        Ok(())
    }
}

/// Knows no type: for binds that are compared with each other, never sent.
struct NoTypes;

impl PgMetadataLookup for NoTypes {
    fn lookup_type(&mut self, _: &str, _: Option<&str>) -> PgTypeMetadata {
        PgTypeMetadata::new(0, 0)
    }
}

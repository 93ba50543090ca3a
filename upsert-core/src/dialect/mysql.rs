//! MySQL and MariaDB.

use core::any::TypeId;
use std::fmt::Write;

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql};
use diesel::mysql::Mysql;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::{DatabaseErrorKind, Error as DieselError, QueryResult};
use diesel::sql_types::{BigInt, Binary, Nullable, Text};

use super::outcomes::push_values;
use super::{
    Catalog, ConflictClause, Dialect, Equals, Fault, Inspection, KeyColumn, KeyColumns, KeyLookup,
    KeyPart, Outcomes, Question, Report, Rows, TargetLookup, TypeKind, encode_by_collector,
    fault_of_kind, fold_ascii, push_existing, unquote,
};
use crate::error::{Contention, message};
use crate::expression::Fragment;
use crate::field::ColumnDef;

mod catalog;
mod clause;

/// Does the client say that the connection is lost, or of no use? It has no other language, unlike the
/// server: errors 2006, 2013 and 2055 of the C library, and what `mysql_async`
/// says.
fn is_lost(message: &str) -> bool {
    message.starts_with("Lost connection to ")
        || matches!(message, "MySQL server has gone away" | "Server has gone away")
        || message.starts_with("Input/output error: ")
        || message.starts_with("Driver error: ")
        // A node of Galera without the others answers nothing else, to a ROLLBACK either.
        || message.starts_with("WSREP has not yet prepared node")
}

/// How the server repeats [`clause::RAISE`] in its message, in lower case,
/// without the spaces and parentheses that servers set differently.
const RAISED: &str = "exp710+";

/// The same for [`catalog::recall`].
const FORGOTTEN: &str = "exp711*";

impl Dialect for Mysql {
    // The protocol counts parameters in 16 bits (server error 1390).
    const MAX_BINDS: usize = 65_535;
    // Measured on MariaDB: 500 and 1000 rows are the fastest, into an empty table 4000 take a
    // fourth longer.
    const MAX_ROWS: usize = 1000;
    // The smallest `max_allowed_packet` that a supported server comes with;
    // the one in force is asked for where it could matter.
    const MAX_BYTES: Option<usize> = Some(16 * 1024 * 1024);
    const COUNTS_KEPT_ROWS: bool = true;
    const APPLIES_ROWS_IN_ORDER: bool = true;
    // `AUTO_INCREMENT`, without `NO_AUTO_VALUE_ON_ZERO`.
    const NUMBERS_ZEROS: bool = true;
    // https://mariadb.com/kb/en/information-schema-triggers-table/
    const HIDES_TRIGGERS: bool = true;
    // https://mariadb.com/kb/en/sql-statements-that-cause-an-implicit-commit/
    const COMMITS_BY_OTHERS: bool = true;

    /// `ON DUPLICATE KEY UPDATE` fires on any unique index and would rewrite
    /// whatever row it finds. The first assignment compares that row's key with
    /// the proposed one, and raises an error where they differ:
    ///
    /// ```sql
    /// ON DUPLICATE KEY UPDATE
    ///     `sku` = IF(IF(`t`.`sku` = VALUES(`sku`), 0, EXP(710 + (`t`.`sku` IS NULL))) IS NULL,
    ///         `t`.`sku`, `t`.`sku`),
    ///     `name` = VALUES(`name`)
    /// ```
    ///
    /// The double never becomes the key's value, which it would round. A row with
    /// a NULL in its key was found by another index, so NULL is not equal.
    ///
    /// There is no `WHERE`, and assignments run from left to right, each seeing
    /// what those before it wrote. So the first one, which sees the old row,
    /// also finds out whether the row is written, in place of the `0`:
    ///
    /// ```sql
    /// IF(@upsert_write := (`t`.`version` < VALUES(`version`)), 0, @upsert_kept := @upsert_kept + 1)
    /// ```
    ///
    /// and the others are `` `name` = IF(@upsert_write, VALUES(`name`), `t`.`name`) ``.
    /// Those that are not written are counted, because the server counts them
    /// as one row, like inserted ones.
    fn push_conflict_clause<'b>(
        conflict: &ConflictClause<'b, Self>,
        out: &mut AstPass<'_, 'b, Self>,
    ) -> QueryResult<()> {
        clause::push(conflict, out)
    }

    /// ```sql
    /// VALUES(`name`)
    /// ```
    fn push_excluded(column: &str, out: &mut AstPass<'_, '_, Self>) -> QueryResult<()> {
        out.push_sql("VALUES(");
        out.push_identifier(column)?;
        out.push_sql(")");
        Ok(())
    }

    /// A backslash means itself or not by the `sql_mode`, so text is written in
    /// hexadecimal. With an introducer it has no collation of its own.
    fn push_text(value: &str, out: &mut AstPass<'_, '_, Self>) {
        out.push_sql("_utf8mb4 X'");
        out.push_sql(&hex(value));
        out.push_sql("'");
    }

    /// Counts the rows on their way, as the server's own count has updated
    /// rows twice. The columns get names, which those of a query need not have.
    /// The limit keeps the server from merging the query into what counts, and
    /// its order.
    ///
    /// ```sql
    /// WITH upsert_rows (c0, c1) AS ((SELECT ..) LIMIT 18446744073709551615)
    /// SELECT * FROM upsert_rows
    /// WHERE (@upsert_rows := COALESCE(@upsert_rows, 0) + 1) IS NOT NULL
    /// ```
    fn push_select<'b>(
        query: &'b dyn QueryFragment<Self>,
        columns: usize,
        mut out: AstPass<'_, 'b, Self>,
    ) -> QueryResult<()> {
        out.push_sql("WITH upsert_rows (");
        for column in 0..columns {
            out.push_sql(if column > 0 { ", c" } else { "c" });
            out.push_sql(&column.to_string());
        }
        out.push_sql(") AS ((");
        query.walk_ast(out.reborrow())?;
        out.push_sql(
            ") LIMIT 18446744073709551615) SELECT * FROM upsert_rows \
             WHERE (@upsert_rows := COALESCE(@upsert_rows, 0) + 1) IS NOT NULL",
        );
        Ok(())
    }

    encode_by_collector!(&mut ());

    fn key_part(kind: TypeKind, bytes: &[u8]) -> KeyPart<'_> {
        match kind {
            // A `binary(n)` is padded with zeros. Whole numbers of a type that
            // the engine does not know pass here too, and lose nothing by it.
            TypeKind::Exact if bytes.ends_with(&[0]) => {
                let end = bytes.iter().rposition(|byte| *byte != 0);
                let class = &bytes[..end.map_or(0, |last| last + 1)];
                KeyPart::new(bytes, Equals::Class(class.into()))
            }
            TypeKind::Exact => KeyPart::new(bytes, Equals::Same),
            TypeKind::Text | TypeKind::Other => KeyPart::new(bytes, fold_ascii(bytes)),
            TypeKind::Date | TypeKind::Time => time_part(bytes),
            TypeKind::Number | TypeKind::Json => KeyPart::new(bytes, Equals::Unknown),
        }
    }

    fn fault(error: &DieselError) -> Fault {
        let Some(message) = message(error) else {
            return Fault::Other;
        };
        if let DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) = error {
            // "Duplicate entry '<values>' for key '<index>'"
            let index = message
                .rsplit_once(" for key '")
                .and_then(|(_, name)| name.strip_suffix('\''));
            return Fault::UniqueViolation(index.map(str::to_owned));
        }
        if is_lost(message) {
            return Fault::ConnectionLost;
        }
        let bare = message.to_ascii_lowercase().replace([' ', '(', ')'], "");
        if bare.contains(RAISED) && bare.contains("isnull") {
            Fault::UniqueViolation(None)
        } else if bare.contains(FORGOTTEN) {
            Fault::Forgotten
        } else if message.contains("max_allowed_packet") {
            Fault::TooLarge
        } else if message.starts_with("Deadlock found when trying to get lock") {
            Fault::Contention(Contention::Deadlock)
        } else {
            match fault_of_kind(error) {
                // Diesel's kind for 1213.
                Fault::Contention(Contention::Serialization) => {
                    Fault::Contention(Contention::Deadlock)
                }
                fault => fault,
            }
        }
    }

    /// The last of the conditions, as warnings come before the error.
    fn last_error() -> Option<Question<'static, Self>> {
        Some(number(
            "SET @upsert_number = 0; GET DIAGNOSTICS @upsert_number = NUMBER; \
             GET DIAGNOSTICS CONDITION @upsert_number @upsert_number = MYSQL_ERRNO",
        ))
    }

    /// <https://mariadb.com/kb/en/mariadb-error-codes/>
    fn fault_of(number: usize) -> Fault {
        match number {
            1213 => Fault::Contention(Contention::Deadlock),
            1205 => Fault::Contention(Contention::LockTimeout),
            // `innodb_snapshot_isolation`, and Galera's nodes among each other.
            1020 => Fault::Contention(Contention::Serialization),
            // A connection that was killed, a server that shuts down.
            1053 | 1927 => Fault::ConnectionLost,
            // Nobody says that a row is at fault: no database, table, column or right, a server
            // that is read-only, out of space or of time.
            1021
            | 1030
            | 1037
            | 1041
            | 1044..=1047
            | 1049
            | 1054
            | 1064
            | 1114
            | 1099
            | 1142
            | 1143
            | 1146
            | 1223
            | 1226
            | 1227
            | 1290
            | 1305
            | 1317
            | 1461
            | 1615
            | 1792
            | 1836
            | 1969
            | 3024 => Fault::NotRow,
            // NULL, no value, foreign keys, CHECK, values that the column's type does not hold.
            1048 | 1216 | 1217 | 1264 | 1265 | 1292 | 1364 | 1366 | 1367 | 1406 | 1411 | 1451
            | 1452 | 1690 | 3140 | 3819 | 4025 => Fault::Row,
            _ => Fault::Other,
        }
    }

    fn holds_token(token: &str) -> Option<Question<'static, Self>> {
        Some(number(&format!(
            "SET @upsert_number = (SELECT COUNT(*) FROM upsert_tokens \
             WHERE token = _utf8mb4 X'{token}' AND CAST(token AS BINARY) = X'{token}' FOR UPDATE)",
            token = hex(token)
        )))
    }

    const CREATE_TOKENS: &'static str =
        "CREATE TABLE upsert_tokens (token VARBINARY(255) NOT NULL PRIMARY KEY)";

    /// Without a unique index on the target, `ON DUPLICATE KEY UPDATE` appends
    /// every row, and says nothing. So the catalog is asked, and with the same
    /// question whether rows may be sorted. The connection keeps the answer.
    fn inspect<'t>(target: &TargetLookup<'t>) -> Option<Question<'t, Self>> {
        Some(number(&catalog::inspect(target)))
    }

    fn recall(target: &TargetLookup<'_>) -> Option<String> {
        Some(catalog::recall(target))
    }

    /// A value of the first row fails where the connection does not recall; elsewhere the
    /// comparison is false, so that the value is what is bound.
    ///
    /// ```sql
    /// VALUES (IF(EXP(711 * ((..) IS NOT TRUE)) IS NULL, NULL, ?), ?), (?, ?)
    /// ```
    fn push_recalling_rows<'b>(
        recall: &str,
        rows: &dyn Rows<'b, Self>,
        out: &mut AstPass<'_, 'b, Self>,
    ) -> QueryResult<()> {
        push_marked_rows(rows, out, |row| {
            (row == 0).then(|| format!("{recall} IS NULL"))
        })
    }

    fn inspection(answer: usize) -> Inspection {
        catalog::inspection(answer)
    }

    const BEGIN_COUNT: &'static str = "SET @upsert_kept = 0, @upsert_rows = 0";

    fn kept_rows() -> Option<Question<'static, Self>> {
        Some(number("SET @upsert_number = @upsert_kept"))
    }

    fn selected_rows() -> Option<Question<'static, Self>> {
        Some(number("SET @upsert_number = @upsert_rows"))
    }

    fn answer(result: QueryResult<usize>) -> QueryResult<usize> {
        match result {
            Err(error) => match message(&error).and_then(|number| number.parse().ok()) {
                Some(number) => Ok(number),
                None => Err(error),
            },
            Ok(_) => Err(DieselError::QueryBuilderError(
                "the server did not answer `SIGNAL` with an error".into(),
            )),
        }
    }
}

impl Outcomes for Mysql {
    const REPORT: Report = Report::Log;
    const SEES_COMMITTED: &'static str = " FOR UPDATE";
    const JOIN: &'static str = " STRAIGHT_JOIN ";

    fn read_number(value: <Self as Backend>::RawValue<'_>) -> deserialize::Result<i64> {
        <i64 as FromSql<BigInt, Self>>::from_sql(value)
    }

    fn read_text(value: <Self as Backend>::RawValue<'_>) -> deserialize::Result<String> {
        <String as FromSql<Text, Self>>::from_sql(value)
    }

    fn key_columns<'t>(target: &KeyLookup<'t>) -> Fragment<'t, Self> {
        let (schema, name) = literals(target.table);
        let names = target.columns.iter().map(|name| name_literal(name));
        let (names, count) = (names.collect::<Vec<_>>().join(", "), target.columns.len());
        Box::new(Written(format!(
            "SELECT MIN(INDEX_NAME) FROM (SELECT INDEX_NAME FROM information_schema.STATISTICS \
             WHERE NON_UNIQUE = 0 AND TABLE_SCHEMA = {schema} AND TABLE_NAME = {name} \
             GROUP BY INDEX_NAME HAVING COUNT(SUB_PART) = 0 AND COUNT(*) = {count} \
             AND SUM(COLUMN_NAME IN ({names})) = {count}) AS i"
        )))
    }

    fn read_key_columns(target: &KeyLookup<'_>, rows: Vec<Vec<Option<String>>>) -> KeyColumns {
        let column = |name: &&'static str| KeyColumn {
            name: (*name).to_owned(),
            comparison: None,
        };
        KeyColumns {
            columns: target.columns.iter().map(column).collect(),
            index: rows.into_iter().flatten().next().flatten(),
            has_children: false,
            one_by_one: false,
        }
    }

    /// A value of each row sets a variable to the row's number, and that of the
    /// first empties the log; the comparisons are false, so that the value is
    /// what is bound.
    ///
    /// ```sql
    /// VALUES (IF((@upsert_row := 0) < 0 OR (@upsert_log := '') > '', NULL, ?), ?),
    ///        (IF((@upsert_row := 1) < 0, NULL, ?), ?)
    /// ```
    fn push_reporting_rows<'b>(
        rows: &dyn Rows<'b, Self>,
        out: &mut AstPass<'_, 'b, Self>,
    ) -> QueryResult<()> {
        push_marked_rows(rows, out, |row| {
            let first = " OR (@upsert_log := '') > ''";
            let first = if row == 0 { first } else { "" };
            Some(format!("(@upsert_row := {row}) < 0{first}"))
        })
    }

    fn push_returned_number(_: &mut AstPass<'_, '_, Self>) {}

    fn push_log(out: &mut AstPass<'_, '_, Self>) {
        out.push_sql("SELECT @upsert_log");
    }

    /// The table's own columns, of no row, give the binds their types and
    /// collations.
    ///
    /// ```sql
    /// (SELECT 0 AS __upsert_row, `sku` FROM `t` WHERE FALSE UNION ALL SELECT 0, ? UNION ALL SELECT 1, ?)
    /// ```
    fn push_numbered_rows<'b>(
        rows: &dyn Rows<'b, Self>,
        table: &str,
        _: &[KeyColumn],
        out: &mut AstPass<'_, 'b, Self>,
    ) -> QueryResult<()> {
        out.push_sql("(SELECT 0 AS __upsert_row");
        for column in rows.columns() {
            out.push_sql(", ");
            out.push_identifier(column.name)?;
        }
        out.push_sql(" FROM ");
        out.push_sql(table);
        out.push_sql(" WHERE FALSE");
        for row in 0..rows.count() {
            out.push_sql(" UNION ALL SELECT ");
            out.push_sql(&row.to_string());
            push_values(rows, row, out)?;
        }
        out.push_sql(")");
        Ok(())
    }

    /// Looks for the column that the server numbers.
    fn numbered_column(table: &str) -> Option<Fragment<'static, Self>> {
        let of_table = of_table(table);
        Some(Box::new(Written(format!(
            "SELECT MIN(COLUMN_NAME) FROM information_schema.COLUMNS WHERE {of_table} \
             AND EXTRA LIKE '%auto_increment%'"
        ))))
    }

    const FORGET_LAST_INSERTED: Option<&'static str> =
        Some("SET @upsert_number = LAST_INSERT_ID(0)");

    /// The server sets it when it has numbered a row; it was 0 before the
    /// statement, which no row has.
    fn push_is_last_inserted(
        table: &str,
        column: &str,
        out: &mut AstPass<'_, '_, Self>,
    ) -> QueryResult<()> {
        push_existing(table, column, out)?;
        out.push_sql(" = LAST_INSERT_ID() AND LAST_INSERT_ID() > 0");
        Ok(())
    }
}

impl Catalog for Mysql {
    const NEEDS_INDEX: bool = false;

    fn facts(table: &str) -> Fragment<'_, Self> {
        let (of_table, of_triggers) = (of_table(table), of_trigger(table));
        Box::new(Written(format!(
            "SELECT 'kind', IF(TABLE_TYPE LIKE '%VIEW', 'view', 'table') \
             FROM information_schema.TABLES WHERE {of_table} \
             UNION ALL SELECT 'not strict', @@SESSION.sql_mode \
             FROM information_schema.TABLES WHERE {of_table} \
             AND INSTR(@@SESSION.sql_mode, 'STRICT_') = 0 \
             UNION ALL SELECT 'no transactions', e.ENGINE FROM information_schema.TABLES t \
             JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE \
             WHERE e.TRANSACTIONS = 'NO' AND {of_table} \
             UNION ALL SELECT 'trigger', 'yes' FROM information_schema.TRIGGERS \
             WHERE ACTION_TIMING = 'BEFORE' AND EVENT_MANIPULATION = 'INSERT' AND {of_triggers}"
        )))
    }

    /// MySQL calls a column with an expression as its DEFAULT `DEFAULT_GENERATED`.
    fn columns(table: &str) -> Fragment<'_, Self> {
        let of_table = of_table(table);
        Box::new(Written(format!(
            "SELECT COLUMN_NAME, IF(IS_NULLABLE = 'YES', 'yes', 'no'), \
             IF(COLUMN_DEFAULT IS NOT NULL OR EXTRA LIKE '%auto_increment%', 'yes', 'no'), \
             IF(EXTRA LIKE '%VIRTUAL%' OR EXTRA LIKE '%STORED%' OR EXTRA LIKE '%PERSISTENT%', \
             'yes', 'no') \
             FROM information_schema.COLUMNS WHERE {of_table} ORDER BY ORDINAL_POSITION"
        )))
    }

    fn unique_indexes(table: &str) -> Fragment<'_, Self> {
        let of_table = of_table(table);
        Box::new(Written(format!(
            "SELECT INDEX_NAME, COLUMN_NAME, NULL, 'yes', 'no', \
             IF(SUB_PART IS NULL, 'no', 'yes'), 'no' FROM information_schema.STATISTICS \
             WHERE NON_UNIQUE = 0 AND {of_table} \
             ORDER BY INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX"
        )))
    }
}

/// The condition that a row of the catalog is about a table.
fn of_table(table: &str) -> String {
    let (schema, name) = literals(table);
    format!("TABLE_SCHEMA = {schema} AND TABLE_NAME = {name}")
}

/// The condition that a trigger is a table's.
fn of_trigger(table: &str) -> String {
    let (schema, name) = literals(table);
    format!("EVENT_OBJECT_SCHEMA = {schema} AND EVENT_OBJECT_TABLE = {name}")
}

/// The schema and the name of a table, as SQL.
fn literals(table: &str) -> (String, String) {
    let (schema, name) = unquote(table);
    let schema = schema.map_or("DATABASE()".to_owned(), |schema| name_literal(&schema));
    (schema, name_literal(&name))
}

/// Writes `VALUES (..), (..)`. A value of a row for which there is a condition that is
/// false is bound in it:
///
/// ```sql
/// (IF(<condition>, NULL, ?), ?)
/// ```
fn push_marked_rows<'b>(
    rows: &dyn Rows<'b, Mysql>,
    out: &mut AstPass<'_, 'b, Mysql>,
    condition: impl Fn(usize) -> Option<String>,
) -> QueryResult<()> {
    let marked = marked_column(rows.columns());
    out.push_sql("VALUES ");
    for row in 0..rows.count() {
        out.push_sql(if row > 0 { ", (" } else { "(" });
        for column in 0..rows.columns().len() {
            if column > 0 {
                out.push_sql(", ");
            }
            let condition = (column == marked).then(|| condition(row)).flatten();
            match condition {
                Some(condition) => {
                    out.push_sql(&format!("IF({condition}, NULL, "));
                    rows.push_value(row, column, out)?;
                    out.push_sql(")");
                }
                None => rows.push_value(row, column, out)?,
            }
        }
        out.push_sql(")");
    }
    Ok(())
}

/// The column whose values are wrapped: of a type that goes through `IF` as it is.
fn marked_column(columns: &[ColumnDef]) -> usize {
    let is = |column: &ColumnDef, kind| {
        let id = (column.sql_type)();
        let is_binary = id == TypeId::of::<Binary>() || id == TypeId::of::<Nullable<Binary>>();
        TypeKind::of(id) == kind && !is_binary
    };
    let mut kinds = [TypeKind::Exact, TypeKind::Text].into_iter();
    kinds
        .find_map(|kind| columns.iter().position(|column| is(column, kind)))
        .unwrap_or(0)
}

/// Runs `statements`, which set the session variable `@upsert_number`, and reads
/// it.
///
/// A `Connection` that is not known to be a `LoadConnection` returns no rows,
/// so the number comes back as the message of an error, in the same round trip.
/// An error raised by `SIGNAL` ends neither the transaction nor a statement in
/// it.
fn number(statements: &str) -> Question<'static, Mysql> {
    let signal = "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = @upsert_number";
    Question::Statements(format!("{statements}; {signal}"))
}

/// A query that is text.
struct Written(String);

impl QueryFragment<Mysql> for Written {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        out.push_sql(&self.0);
        Ok(())
    }
}

/// A time with a fraction of a second may be rounded to its column.
///
/// Diesel binds dates and times as the C API's `MYSQL_TIME`: six `unsigned
/// int`s, the microseconds as an `unsigned long`, the sign, and more; between
/// the fields is padding that holds anything.
fn time_part(bytes: &[u8]) -> KeyPart<'_> {
    const INTS: usize = 6 * size_of::<core::ffi::c_uint>();
    const LONG: usize = size_of::<core::ffi::c_ulong>();
    let (Some(ints), Some(fraction), Some(sign)) = (
        bytes.get(..INTS),
        bytes.get(INTS..INTS + LONG),
        bytes.get(INTS + LONG),
    ) else {
        return KeyPart::new(bytes, Equals::Unknown);
    };
    // Big-endian numbers sort by time.
    let mut value = vec![u8::from(*sign == 0)];
    for int in ints.chunks(size_of::<core::ffi::c_uint>()) {
        value.extend(int.iter().rev());
    }
    value.extend(fraction.iter().rev());
    let equals = if fraction.iter().all(|byte| *byte == 0) {
        Equals::Same
    } else {
        Equals::Unknown
    };
    KeyPart {
        value: value.into(),
        equals,
    }
}

/// A name as a string literal, in the character set of the catalog.
pub(crate) fn name_literal(name: &str) -> String {
    format!("CONVERT(X'{}' USING utf8)", hex(name))
}

fn hex(text: &str) -> String {
    let mut hex = String::new();
    for byte in text.bytes() {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

//! MySQL and MariaDB.

use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};

use diesel::connection::Connection;
use diesel::mysql::Mysql;
use diesel::query_builder::AstPass;
use diesel::result::{DatabaseErrorKind, Error as DieselError, QueryResult};

use super::{
    ConflictClause, Dialect, Equals, Fault, Inspection, KeyKind, KeyPart, Target,
    encode_by_collector, fold_ascii,
};
use crate::error::message;

/// What [`push_conflict_clause`] raises for a row that another unique index
/// holds: `exp(710)` is out of a double's range. It is spelt with a column, or
/// the server would compute it before it sees a row.
///
/// [`push_conflict_clause`]: Dialect::push_conflict_clause
const RAISE: &str = "EXP(710 + (";
/// How the server repeats it in its message, in lower case, without the spaces
/// and parentheses that servers set differently.
const RAISED: &str = "exp710+";

impl Dialect for Mysql {
    // The protocol counts parameters in 16 bits (server error 1390).
    const MAX_BINDS: usize = 65_535;
    // Measured: 100 to 1000 rows are the same.
    const MAX_ROWS: usize = 512;
    // The smallest `max_allowed_packet` that a supported server comes with;
    // the one in force is asked for where it could matter.
    const MAX_BYTES: Option<usize> = Some(16 * 1024 * 1024);
    const COUNTS_KEPT_ROWS: bool = true;
    const APPLIES_ROWS_IN_ORDER: bool = true;

    /// `ON DUPLICATE KEY UPDATE` fires on any unique index and would rewrite
    /// whatever row it finds. The first assignment compares that row's key with
    /// the proposed one, and raises an error where they differ:
    ///
    /// ```sql
    /// ON DUPLICATE KEY UPDATE
    ///     `sku` = IF(IF(`sku` <=> VALUES(`sku`), 0, EXP(710 + (`sku` IS NULL))) IS NULL, `sku`, `sku`),
    ///     `name` = VALUES(`name`)
    /// ```
    ///
    /// The double never becomes the key's value, which it would round. Where
    /// nothing is updated, that assignment also counts the row, because the
    /// server counts it as one row, like an inserted one.
    fn push_conflict_clause(
        conflict: &ConflictClause<'_>,
        out: &mut AstPass<'_, '_, Self>,
    ) -> QueryResult<()> {
        let [first, ..] = conflict.target else {
            return Ok(());
        };
        out.push_sql(" ON DUPLICATE KEY UPDATE ");
        out.push_identifier(first)?;
        out.push_sql(" = IF(IF(");
        for (i, column) in conflict.target.iter().enumerate() {
            if i > 0 {
                out.push_sql(" AND ");
            }
            out.push_identifier(column)?;
            out.push_sql(" <=> VALUES(");
            out.push_identifier(column)?;
            out.push_sql(")");
        }
        out.push_sql(if conflict.updates.is_empty() {
            ", @upsert_kept := @upsert_kept + 1, "
        } else {
            ", 0, "
        });
        out.push_sql(RAISE);
        out.push_identifier(first)?;
        out.push_sql(" IS NULL))) IS NULL, ");
        out.push_identifier(first)?;
        out.push_sql(", ");
        out.push_identifier(first)?;
        out.push_sql(")");
        for column in conflict.updates {
            out.push_sql(", ");
            out.push_identifier(column)?;
            out.push_sql(" = VALUES(");
            out.push_identifier(column)?;
            out.push_sql(")");
        }
        Ok(())
    }

    encode_by_collector!(&mut ());

    fn key_part(kind: KeyKind, bytes: &[u8]) -> KeyPart<'_> {
        match kind {
            // A `binary(n)` is padded with zeros. Whole numbers of a type that
            // the engine does not know pass here too, and lose nothing by it.
            KeyKind::Exact if bytes.ends_with(&[0]) => {
                let end = bytes.iter().rposition(|byte| *byte != 0);
                let class = &bytes[..end.map_or(0, |last| last + 1)];
                KeyPart::new(bytes, Equals::Class(class.into()))
            }
            KeyKind::Exact => KeyPart::new(bytes, Equals::Same),
            KeyKind::Text | KeyKind::Other => KeyPart::new(bytes, fold_ascii(bytes)),
            KeyKind::Date | KeyKind::Time => time_part(bytes),
            KeyKind::Number | KeyKind::Json => KeyPart::new(bytes, Equals::Unknown),
        }
    }

    fn fault(error: &DieselError) -> Fault {
        let Some(message) = message(error) else {
            return Fault::Other;
        };
        let is_raised = message
            .to_ascii_lowercase()
            .replace([' ', '(', ')'], "")
            .contains(RAISED);
        if is_raised {
            return Fault::UniqueViolation(None);
        }
        if message.contains("max_allowed_packet") {
            return Fault::TooLarge;
        }
        match error {
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => {
                // "Duplicate entry '<values>' for key '<index>'"
                let index = message
                    .rsplit_once(" for key '")
                    .and_then(|(_, name)| name.strip_suffix('\''));
                Fault::UniqueViolation(index.map(str::to_owned))
            }
            _ => Fault::Other,
        }
    }

    /// Without a unique index on the target, `ON DUPLICATE KEY UPDATE` appends
    /// every row, and says nothing. So the catalog is asked, and with the same
    /// question whether rows may be sorted.
    ///
    /// The answer is kept in variables of the session for ten seconds, so that
    /// a connection that makes many calls waits only for a round trip.
    fn inspect<C: Connection<Backend = Self>>(
        conn: &mut C,
        target: &Target<'_>,
    ) -> QueryResult<Inspection> {
        let question = question(target);
        let mut hasher = DefaultHasher::new();
        question.hash(&mut hasher);
        let id = hasher.finish();
        let answer = read_number(
            conn,
            &format!(
                "SET @upsert_known = @upsert_in_{id:x} <=> CONCAT_WS(' ', DATABASE(), @@sql_mode) \
                 AND @upsert_until_{id:x} > UNIX_TIMESTAMP(); \
                 SET @upsert_number = IF(@upsert_known, @upsert_is_{id:x}, {question}); \
                 SET @upsert_in_{id:x} = IF((@upsert_number & 5) = 5, \
                 CONCAT_WS(' ', DATABASE(), @@sql_mode), NULL), \
                 @upsert_is_{id:x} = @upsert_number, @upsert_until_{id:x} = \
                 IF(@upsert_known, @upsert_until_{id:x}, UNIX_TIMESTAMP() + 10)"
            ),
        )?;
        Ok(Inspection {
            has_unique_index: answer & 1 != 0,
            may_sort: answer & 2 != 0,
        })
    }

    fn max_statement_bytes<C: Connection<Backend = Self>>(
        conn: &mut C,
        bytes: usize,
    ) -> QueryResult<Option<usize>> {
        // Half of the smallest default that any server came with, 1 MiB.
        if bytes < 512 * 1024 {
            return Ok(None);
        }
        read_number(conn, "SET @upsert_number = @@max_allowed_packet").map(Some)
    }

    fn begin_count<C: Connection<Backend = Self>>(conn: &mut C) -> QueryResult<()> {
        conn.batch_execute("SET @upsert_kept = 0")
    }

    fn end_count<C: Connection<Backend = Self>>(conn: &mut C) -> QueryResult<usize> {
        read_number(conn, "SET @upsert_number = @upsert_kept")
    }
}

/// Runs `statements`, which set the session variable `@upsert_number`, and reads
/// it.
///
/// A `Connection` that is not known to be a `LoadConnection` returns no rows,
/// so the number comes back as the message of an error, in the same round trip.
/// An error raised by `SIGNAL` ends neither the transaction nor a statement in
/// it.
fn read_number<C: Connection<Backend = Mysql>>(
    conn: &mut C,
    statements: &str,
) -> QueryResult<usize> {
    let signal = "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = @upsert_number";
    match conn.batch_execute(&format!("{statements}; {signal}")) {
        Err(error) => match message(&error).and_then(|number| number.parse().ok()) {
            Some(number) => Ok(number),
            None => Err(error),
        },
        Ok(()) => Err(DieselError::QueryBuilderError(
            "the server did not answer `SIGNAL` with an error".into(),
        )),
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

/// Asks the catalog: 1 if there is a unique index on exactly the target's
/// columns, plus 2 if keys are equal only as [`Dialect::key_part`] says, plus 4
/// because the catalog has the table.
///
/// Where it has not, as with a temporary table or a view, the answer is 1.
fn question(target: &Target<'_>) -> String {
    let (schema, table) = target.names();
    let schema = schema.map_or("DATABASE()".to_owned(), |schema| literal(&schema));
    let table = literal(&table);
    let columns: Vec<_> = target.columns.iter().map(|name| literal(name)).collect();
    let (columns, count) = (columns.join(", "), columns.len());
    // An index on the first characters of a column (SUB_PART) holds more rows
    // equal than the column does. Collations of one language, and of old
    // character sets, hold even ASCII letters equal, a trigger may change the
    // key, and without the strict mode so does the server.
    format!(
        "(SELECT IF(EXISTS(SELECT 1 FROM information_schema.TABLES \
         WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA = {schema} AND TABLE_NAME = {table}), \
         EXISTS(SELECT 1 FROM information_schema.STATISTICS WHERE NON_UNIQUE = 0 \
         AND TABLE_SCHEMA = {schema} AND TABLE_NAME = {table} GROUP BY INDEX_NAME \
         HAVING COUNT(SUB_PART) = 0 AND COUNT(*) = {count} \
         AND SUM(COLUMN_NAME IN ({columns})) = {count}) \
         + 4 + 2 * (@@sql_mode LIKE '%STRICT\\_%' \
         AND NOT EXISTS(SELECT 1 FROM information_schema.TRIGGERS \
         WHERE EVENT_OBJECT_SCHEMA = {schema} AND EVENT_OBJECT_TABLE = {table} \
         AND ACTION_TIMING = 'BEFORE' AND EVENT_MANIPULATION = 'INSERT') \
         AND {count} = (SELECT COUNT(*) FROM information_schema.COLUMNS \
         WHERE TABLE_SCHEMA = {schema} AND TABLE_NAME = {table} AND COLUMN_NAME IN ({columns}) \
         AND (DATA_TYPE IN ('tinyint', 'smallint', 'mediumint', 'int', 'bigint', 'date', \
         'datetime', 'timestamp', 'time', 'binary', 'varbinary', 'tinyblob', 'blob') \
         OR DATA_TYPE IN ('char', 'varchar', 'tinytext', 'text') AND COLLATION_NAME REGEXP \
         '^(utf8(mb[34])?|latin1|ascii)_((general|unicode|unicode_520|swedish|0900|uca1400)_)?\
         ((ai|as|nopad)_)*(ci|cs|bin)$'))), 1))"
    )
}

/// A string literal without anything to escape.
fn literal(text: &str) -> String {
    let mut hex = String::new();
    for byte in text.bytes() {
        let _ = write!(hex, "{byte:02x}");
    }
    format!("CONVERT(X'{hex}' USING utf8)")
}

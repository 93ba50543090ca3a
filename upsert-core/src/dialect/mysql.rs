//! MySQL and MariaDB.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use diesel::connection::Connection;
use diesel::mysql::Mysql;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::{DatabaseErrorKind, Error as DieselError, QueryResult};
use diesel::sql_types::{BigInt, Text};

use super::{
    ConflictClause, Dialect, Equals, Fault, KeyKind, KeyPart, Target, encode_by_collector,
    fold_ascii,
};
use crate::error::message;

/// What [`push_conflict_clause`] raises for a row that another unique index
/// holds: `exp(710)` is out of a double's range. It is spelt with a column, or
/// the server would compute it before it sees a row.
///
/// [`push_conflict_clause`]: Dialect::push_conflict_clause
const RAISE: &str = "EXP(710 + (";
/// How the server repeats it in its message, in lower case.
const RAISED: &str = "exp(710 + (";

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
    ///     `sku` = IF(`sku` <=> VALUES(`sku`), `sku`, EXP(710 + (`sku` IS NULL))),
    ///     `name` = VALUES(`name`)
    /// ```
    ///
    /// Where nothing is updated, that assignment also counts the row, because
    /// the server counts it as one row, like an inserted one.
    fn push_conflict_clause(
        conflict: &ConflictClause<'_>,
        out: &mut AstPass<'_, '_, Self>,
    ) -> QueryResult<()> {
        let [first, ..] = conflict.target else {
            return Ok(());
        };
        out.push_sql(" ON DUPLICATE KEY UPDATE ");
        out.push_identifier(first)?;
        out.push_sql(" = IF(");
        for (i, column) in conflict.target.iter().enumerate() {
            if i > 0 {
                out.push_sql(" AND ");
            }
            out.push_identifier(column)?;
            out.push_sql(" <=> VALUES(");
            out.push_identifier(column)?;
            out.push_sql(")");
        }
        out.push_sql(", ");
        if conflict.updates.is_empty() {
            out.push_sql("IF((@upsert_kept := @upsert_kept + 1) IS NULL, ");
            out.push_identifier(first)?;
            out.push_sql(", ");
            out.push_identifier(first)?;
            out.push_sql(")");
        } else {
            out.push_identifier(first)?;
        }
        out.push_sql(", ");
        out.push_sql(RAISE);
        out.push_identifier(first)?;
        out.push_sql(" IS NULL)))");
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
        if message.to_ascii_lowercase().contains(RAISED) {
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
    /// every row, and says nothing. So the catalog is asked, once in a process
    /// for each table and target that has one.
    fn has_unique_index<C: Connection<Backend = Self>>(
        conn: &mut C,
        target: &Target<'_>,
    ) -> QueryResult<bool> {
        static CHECKED: Mutex<Option<HashSet<(String, String)>>> = Mutex::new(None);

        let key = (target.table.to_owned(), target.columns.join(","));
        let checked = |seen: &HashSet<(String, String)>| seen.contains(&key);
        if CHECKED
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .is_some_and(checked)
        {
            return Ok(true);
        }
        let (schema, table) = split_name(target.table);
        let columns = i64::try_from(target.columns.len()).unwrap_or(i64::MAX);
        conn.execute_returning_count(&CountUniqueIndexes {
            schema: schema.as_deref(),
            table: &table,
            columns: target.columns,
            count: columns,
        })?;
        let found = read_number(conn)? != 0;
        if found {
            CHECKED
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get_or_insert_default()
                .insert(key);
        }
        Ok(found)
    }

    fn max_statement_bytes<C: Connection<Backend = Self>>(
        conn: &mut C,
        bytes: usize,
    ) -> QueryResult<Option<usize>> {
        // Half of the smallest default that any server came with, 1 MiB.
        if bytes < 512 * 1024 {
            return Ok(None);
        }
        conn.batch_execute("SET @upsert_number = @@max_allowed_packet")?;
        read_number(conn).map(Some)
    }

    fn begin_count<C: Connection<Backend = Self>>(conn: &mut C) -> QueryResult<()> {
        conn.batch_execute("SET @upsert_kept = 0")
    }

    fn end_count<C: Connection<Backend = Self>>(conn: &mut C) -> QueryResult<usize> {
        conn.batch_execute("SET @upsert_number = @upsert_kept")?;
        read_number(conn)
    }
}

/// Reads the session variable `@upsert_number`.
///
/// A `Connection` that is not known to be a `LoadConnection` returns no rows,
/// so the number comes back as the message of an error. An error raised by
/// `SIGNAL` ends neither the transaction nor a statement in it.
fn read_number<C: Connection<Backend = Mysql>>(conn: &mut C) -> QueryResult<usize> {
    match conn.batch_execute("SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = @upsert_number") {
        Err(error) => match message(&error).and_then(|number| number.parse().ok()) {
            Some(number) => Ok(number),
            None => Err(error),
        },
        // No server answers so; were it to, nothing is known.
        Ok(()) => Ok(0),
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

/// Splits a quoted name, `` `schema`.`table` `` or `` `table` ``.
fn split_name(quoted: &str) -> (Option<String>, String) {
    let unquote = |part: &str| part.trim_matches('`').replace("``", "`");
    match quoted.split_once("`.`") {
        Some((schema, table)) => (Some(unquote(schema)), unquote(table)),
        None => (None, unquote(quoted)),
    }
}

/// Sets `@upsert_number` to the number of unique indexes on exactly these
/// columns, or to 1 where the catalog does not have the table: temporary
/// tables are not in it.
struct CountUniqueIndexes<'t> {
    schema: Option<&'t str>,
    table: &'t str,
    columns: &'t [&'static str],
    count: i64,
}

impl QueryId for CountUniqueIndexes<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<'t> CountUniqueIndexes<'t> {
    fn push_schema<'b>(&'b self, out: &mut AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        if let Some(schema) = &self.schema {
            return out.push_bind_param::<Text, &'t str>(schema);
        }
        out.push_sql("DATABASE()");
        Ok(())
    }
}

impl QueryFragment<Mysql> for CountUniqueIndexes<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        out.push_sql(
            "SET @upsert_number = (SELECT IF(EXISTS(\
             SELECT 1 FROM information_schema.TABLES \
             WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA = ",
        );
        self.push_schema(&mut out)?;
        out.push_sql(" AND TABLE_NAME = ");
        out.push_bind_param::<Text, _>(self.table)?;
        out.push_sql(
            "), (SELECT COUNT(*) FROM (SELECT INDEX_NAME FROM information_schema.STATISTICS \
             WHERE NON_UNIQUE = 0 AND TABLE_SCHEMA = ",
        );
        self.push_schema(&mut out)?;
        out.push_sql(" AND TABLE_NAME = ");
        out.push_bind_param::<Text, _>(self.table)?;
        // An index on the first characters of a column (SUB_PART) holds more
        // rows equal than the column does.
        out.push_sql(
            " GROUP BY INDEX_NAME HAVING COUNT(SUB_PART) = 0 AND SUM(LOWER(COLUMN_NAME) IN (",
        );
        for (i, column) in self.columns.iter().enumerate() {
            if i > 0 {
                out.push_sql(", ");
            }
            out.push_sql("LOWER(");
            out.push_bind_param::<Text, &'static str>(column)?;
            out.push_sql(")");
        }
        out.push_sql(")) = ");
        out.push_bind_param::<BigInt, _>(&self.count)?;
        out.push_sql(" AND COUNT(*) = ");
        out.push_bind_param::<BigInt, _>(&self.count)?;
        out.push_sql(") matching), 1))");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_at_their_quotes() {
        assert_eq!(split_name("`t`"), (None, "t".to_owned()));
        assert_eq!(
            split_name("`my.db`.`odd``name`"),
            (Some("my.db".to_owned()), "odd`name".to_owned())
        );
    }
}

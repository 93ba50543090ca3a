//! What the catalog says of a conflict target, and what a connection keeps of it.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::{literals, name_literal};
use crate::dialect::{Inspection, TargetLookup};

/// A bit of the answer: is there a unique index on the target?
const HAS_UNIQUE_INDEX: usize = 1;

/// A bit of the answer: may the rows be sorted?
const MAY_SORT: usize = 2;

/// A bit of the answer: is it about a base table that is in the catalog?
const IS_IN_CATALOG: usize = 4;

/// A bit of the answer: is the table of an engine without transactions?
const KEEPS_ALL: usize = 8;

/// A bit of the answer: does the server commit a statement that is in no transaction?
const AUTOCOMMITS: usize = 16;

/// What is above the bits is the server's `max_allowed_packet`.
const PACKET: usize = 32;

/// Is a statement a transaction that ends with it? With another `completion_type` it may be in
/// one that has begun with the last COMMIT.
const IS_AUTOCOMMIT: &str = "@@autocommit = 1 AND @@completion_type = 'NO_CHAIN'";

/// With a smaller `max_allowed_packet` nothing is recalled: twice what the engine holds for
/// small rows, as the names and the protocol are not in that.
const MIN_PACKET: usize = 128 * 1024;

/// The statements that set `@upsert_number` to the answer of the catalog, with the
/// server's `max_allowed_packet`, and keep it in variables of the session for a second.
pub(super) fn inspect(target: &TargetLookup<'_>) -> String {
    let (question, id) = (question(target), id(target));
    format!(
        "SET @upsert_number = {question}; \
         SET @upsert_is_{id:x} = @upsert_number, @upsert_until_{id:x} = UNIX_TIMESTAMP() + 1, \
         @upsert_in_{id:x} = HEX(DATABASE()), @upsert_mode_{id:x} = @@sql_mode; \
         SET @upsert_number = @upsert_number + {AUTOCOMMITS} * ({IS_AUTOCOMMIT}) \
         + {PACKET} * @@max_allowed_packet"
    )
}

/// An expression that is 1 where the variables say what the lookup is for, and that else
/// is out of a double's range. It is spelt with variables, or the server would compute it
/// before it runs the statement. The names of two databases may differ in case only, so they
/// are compared byte by byte.
pub(super) fn recall(target: &TargetLookup<'_>) -> String {
    let id = id(target);
    let (wanted, same_mode) = if target.sorts {
        let same_mode = format!(" AND @upsert_mode_{id:x} = @@sql_mode");
        (HAS_UNIQUE_INDEX | MAY_SORT | IS_IN_CATALOG, same_mode)
    } else {
        (HAS_UNIQUE_INDEX | IS_IN_CATALOG, String::new())
    };
    format!(
        "EXP(711 * (((@upsert_is_{id:x} & {wanted}) = {wanted} \
         AND @upsert_until_{id:x} > UNIX_TIMESTAMP() \
         AND @upsert_in_{id:x} <=> HEX(DATABASE()) \
         AND {IS_AUTOCOMMIT} \
         AND @@max_allowed_packet >= {MIN_PACKET}{same_mode}) IS NOT TRUE))"
    )
}

/// What the answer of the catalog means.
pub(super) fn inspection(answer: usize) -> Inspection {
    Inspection {
        has_unique_index: answer & HAS_UNIQUE_INDEX != 0,
        may_sort: answer & MAY_SORT != 0,
        max_bytes: Some(answer / PACKET),
        is_kept: answer & IS_IN_CATALOG != 0 && answer & AUTOCOMMITS != 0,
        autocommits: answer & AUTOCOMMITS != 0,
        is_transactional: answer & KEEPS_ALL == 0,
    }
}

/// Names a [`question`] about a target.
fn id(target: &TargetLookup<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    let TargetLookup {
        leaves_out,
        rolls_back,
        ..
    } = target;
    (target.table, target.columns, leaves_out, rolls_back).hash(&mut hasher);
    hasher.finish()
}

/// An expression that is the bits. A table that is not in the catalog, as it is temporary or
/// a view, is taken to have the index.
fn question(target: &TargetLookup<'_>) -> String {
    let (schema, table) = literals(target.table);
    let columns: Vec<_> = target
        .columns
        .iter()
        .map(|name| name_literal(name))
        .collect();
    let (columns, count) = (columns.join(", "), columns.len());
    // The catalog has the triggers of tables on which the user has that right. Where one may be
    // hidden that changes keys, no row is left out for another's sake. A right that a role has
    // is not seen here.
    let sees_triggers = if target.leaves_out {
        let user = "CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''')";
        let right = format!("PRIVILEGE_TYPE = 'TRIGGER' AND GRANTEE = {user}");
        format!(
            " AND (EXISTS(SELECT 1 FROM information_schema.USER_PRIVILEGES WHERE {right}) \
             OR EXISTS(SELECT 1 FROM information_schema.SCHEMA_PRIVILEGES \
             WHERE {right} AND {schema} LIKE TABLE_SCHEMA) \
             OR EXISTS(SELECT 1 FROM information_schema.TABLE_PRIVILEGES \
             WHERE {right} AND TABLE_SCHEMA = {schema} AND TABLE_NAME = {table}))"
        )
    } else {
        String::new()
    };
    let keeps_all = if target.rolls_back {
        format!(
            " + {KEEPS_ALL} * EXISTS(SELECT 1 FROM information_schema.TABLES t \
             JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE \
             WHERE e.TRANSACTIONS = 'NO' AND TABLE_SCHEMA = {schema} AND TABLE_NAME = {table})"
        )
    } else {
        String::new()
    };
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
         + {IS_IN_CATALOG} + {MAY_SORT} * (INSTR(@@sql_mode, 'STRICT_') > 0{sees_triggers} \
         AND NOT EXISTS(SELECT 1 FROM information_schema.TRIGGERS \
         WHERE EVENT_OBJECT_SCHEMA = {schema} AND EVENT_OBJECT_TABLE = {table} \
         AND ACTION_TIMING = 'BEFORE' AND EVENT_MANIPULATION = 'INSERT') \
         AND {count} = (SELECT COUNT(*) FROM information_schema.COLUMNS \
         WHERE TABLE_SCHEMA = {schema} AND TABLE_NAME = {table} AND COLUMN_NAME IN ({columns}) \
         AND (DATA_TYPE IN ('tinyint', 'smallint', 'mediumint', 'int', 'bigint', 'date', \
         'datetime', 'timestamp', 'time', 'binary', 'varbinary', 'tinyblob', 'blob') \
         OR DATA_TYPE IN ('char', 'varchar', 'tinytext', 'text') AND COLLATION_NAME REGEXP \
         '^(utf8(mb[34])?|latin1|ascii)_((general|unicode|unicode_520|swedish|0900|uca1400)_)?\
         ((ai|as|nopad)_)*(ci|cs|bin)$'))){keeps_all}, {HAS_UNIQUE_INDEX}))"
    )
}

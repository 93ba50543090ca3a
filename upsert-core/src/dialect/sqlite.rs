//! SQLite.

use diesel::connection::Connection;
use diesel::query_builder::AstPass;
use diesel::result::{DatabaseErrorKind, Error as DieselError, QueryResult};
use diesel::sqlite::Sqlite;

use super::{
    ConflictClause, Dialect, Equals, Fault, KeyKind, KeyPart, encode_by_collector, fold_ascii,
    push_on_conflict,
};
use crate::error::message;

impl Dialect for Sqlite {
    // SQLITE_MAX_VARIABLE_NUMBER since SQLite 3.32; builds may raise it, and
    // Diesel 2.3 cannot ask. https://www.sqlite.org/limits.html
    const MAX_BINDS: usize = 32_766;
    // Measured: more rows win nothing, and take longer to parse the first time.
    const MAX_ROWS: usize = 128;
    // There is no round trip to save.
    const SPLITS_REST: bool = true;
    const APPLIES_ROWS_IN_ORDER: bool = true;

    fn push_conflict_clause(
        conflict: &ConflictClause<'_>,
        out: &mut AstPass<'_, '_, Self>,
    ) -> QueryResult<()> {
        push_on_conflict(conflict, out)
    }

    encode_by_collector!(&mut ());

    fn key_part(kind: KeyKind, bytes: &[u8]) -> KeyPart<'_> {
        let equals = match kind {
            KeyKind::Exact | KeyKind::Date => Equals::Same,
            // Times are text in SQLite. `NOCASE` and `RTRIM` are its own
            // collations; an application may register others.
            KeyKind::Text | KeyKind::Time | KeyKind::Other => fold_ascii(bytes),
            KeyKind::Number | KeyKind::Json => Equals::Unknown,
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
        conn.batch_execute("COMMIT; BEGIN IMMEDIATE")
            .inspect_err(|_| {
                // Diesel will roll back, and expects a transaction to be there.
                let _ = conn.batch_execute("BEGIN");
            })
    }
}

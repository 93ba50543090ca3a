//! SQLite.

use diesel::connection::{Connection, TransactionManager};
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::{DatabaseErrorKind, Error as DieselError, QueryResult};
use diesel::sql_types::Text;
use diesel::sqlite::Sqlite;

use super::{
    ConflictClause, Dialect, Equals, Fault, Inspection, KeyKind, KeyPart, Target,
    encode_by_collector, fold_ascii, push_on_conflict,
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
    // A single writer deadlocks with nobody.
    const SORTS_FEW_ROWS: bool = false;
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
            // collations.
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
        target: &Target<'_>,
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

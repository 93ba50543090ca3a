//! Calls that are applied once, however often they are sent.

use std::marker::PhantomData;

use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::QueryResult;

use crate::dialect::{ConflictClause, Dialect};
use crate::sql::quoted;

/// The longest token, in bytes: what the column of the documentation holds.
pub(crate) const MAX_TOKEN: usize = 255;

/// The statement that writes the token of a call:
///
/// ```sql
/// INSERT INTO "upsert_tokens" ("token") VALUES ('products of feed 7') ON CONFLICT ("token") DO NOTHING
/// ```
///
/// On a database that counts rows that it keeps there is no such clause, and the row that is
/// there is an error. The statement is not kept prepared, as no other has its text.
pub(crate) struct InsertToken<'t, DB> {
    token: &'t str,
    /// The table's name as SQL.
    pub(crate) table: String,
    database: PhantomData<fn() -> DB>,
}

impl<'t, DB: Dialect> InsertToken<'t, DB> {
    /// The columns of the table that are written.
    pub(crate) const COLUMNS: &'static [&'static str] = &["token"];

    pub(crate) fn of(token: &'t str) -> QueryResult<Self> {
        Ok(Self {
            token,
            table: quoted::<DB>("upsert_tokens")?,
            database: PhantomData,
        })
    }
}

impl<DB: Dialect> QueryFragment<DB> for InsertToken<'_, DB> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        out.push_sql("INSERT INTO ");
        out.push_sql(&self.table);
        out.push_sql(" (");
        out.push_identifier("token")?;
        out.push_sql(") VALUES (");
        DB::push_text(self.token, &mut out);
        out.push_sql(")");
        if DB::COUNTS_KEPT_ROWS {
            return Ok(());
        }
        let conflict: ConflictClause<'b, DB> = ConflictClause::keeping(&self.table, Self::COLUMNS);
        DB::push_conflict_clause(&conflict, &mut out)
    }
}

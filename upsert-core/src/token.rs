//! Calls that are applied once, however often they are sent.

use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::QueryResult;

use crate::dialect::Dialect;

/// The table that holds the tokens.
const TABLE: &str = "upsert_tokens";

/// The longest token, in bytes: what the column of the documentation holds.
pub(crate) const MAX_TOKEN: usize = 255;

/// The statement that writes the token of a call:
///
/// ```sql
/// INSERT INTO "upsert_tokens" ("token") VALUES ('import 2026-11-22')
/// ```
///
/// It is not kept prepared, as no other has its text.
pub(crate) struct InsertToken<'t>(pub(crate) &'t str);

impl<DB: Dialect> QueryFragment<DB> for InsertToken<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        out.push_sql("INSERT INTO ");
        out.push_identifier(TABLE)?;
        out.push_sql(" (");
        out.push_identifier("token")?;
        out.push_sql(") VALUES (");
        DB::push_text(self.0, &mut out);
        out.push_sql(")");
        Ok(())
    }
}

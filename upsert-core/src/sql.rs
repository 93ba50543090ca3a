//! What can be told of an expression from its SQL: its types tell nothing.

use diesel::query_builder::{AstPass, QueryBuilder, QueryFragment, QueryId};
use diesel::result::QueryResult;

use crate::dialect::Dialect;

/// A fragment as SQL, with placeholders for its parameters.
pub(crate) fn sql_of<DB: Dialect>(fragment: &dyn QueryFragment<DB>) -> QueryResult<String> {
    let mut builder = DB::QueryBuilder::default();
    fragment.to_sql(&mut builder, &DB::default())?;
    Ok(builder.finish())
}

/// The character that a placeholder begins with.
pub(crate) fn placeholder<DB: Dialect>() -> char {
    let mut builder = DB::QueryBuilder::default();
    builder.push_bind_param();
    builder.finish().chars().next().unwrap_or('?')
}

/// SQL without the quotes of its names, in lower case.
pub(crate) fn without_quotes(sql: &str) -> String {
    sql.replace(['"', '`'], "").to_lowercase()
}

/// Does `words` stand in `sql` and not in a longer word?
pub(crate) fn mentions(sql: &str, words: &str) -> bool {
    let is_word = |char: char| char.is_alphanumeric() || matches!(char, '_' | '$');
    sql.match_indices(words).any(|(at, _)| {
        let (before, after) = (&sql[..at], &sql[at + words.len()..]);
        !before.ends_with(is_word) && !after.starts_with(is_word)
    })
}

/// Is there a placeholder outside of quotes?
pub(crate) fn has_placeholder(sql: &str, placeholder: char) -> bool {
    let mut quote = None;
    sql.chars().any(|char| {
        match quote {
            Some(open) if char == open => quote = None,
            None if matches!(char, '\'' | '"' | '`') => quote = Some(char),
            _ => {}
        }
        quote.is_none() && char == placeholder
    })
}

/// How the proposed row's values begin, before the column's name.
pub(crate) fn before_excluded<DB: Dialect>() -> QueryResult<String> {
    const NAME: &str = "upsert";
    let sql = excluded_sql::<DB>(NAME)?;
    Ok(sql.split(NAME).next().unwrap_or_default().to_owned())
}

/// How the proposed row's value of `column` is written.
pub(crate) fn excluded_sql<DB: Dialect>(column: &'static str) -> QueryResult<String> {
    sql_of::<DB>(&Excluded(column))
}

/// Writes names, quoted and between commas.
pub(crate) fn push_identifiers<'n, DB: Dialect>(
    names: impl IntoIterator<Item = &'n str>,
    out: &mut AstPass<'_, '_, DB>,
) -> QueryResult<()> {
    for (i, name) in names.into_iter().enumerate() {
        if i > 0 {
            out.push_sql(", ");
        }
        out.push_identifier(name)?;
    }
    Ok(())
}

/// A name as SQL, quoted.
pub(crate) fn quoted<DB: Dialect>(name: &str) -> QueryResult<String> {
    let mut builder = DB::QueryBuilder::default();
    builder.push_identifier(name)?;
    Ok(builder.finish())
}

/// The proposed row's value of a column.
struct Excluded(&'static str);

impl QueryId for Excluded {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<DB: Dialect> QueryFragment<DB> for Excluded {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        DB::push_excluded(self.0, &mut out)
    }
}

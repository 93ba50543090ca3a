//! Names and texts in SQL.

use diesel::mysql::Mysql;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryBuilder, QueryFragment};
use diesel::result::QueryResult;
use diesel::sqlite::Sqlite;

use super::Source;
use crate::dialect::mysql::name_literal;
use crate::dialect::{Dialect, unquote};
use crate::sql::sql_of;

/// What is written as one name or one text is read as that, on every database.
pub fn quoting(data: &[u8]) {
    let source = &mut Source(data);
    let (schema, name) = (source.text(12), source.text(12));
    of_names::<Pg>('"', &schema, &name);
    of_names::<Mysql>('`', &schema, &name);
    of_names::<Sqlite>('`', &schema, &name);

    let sql = name_literal(&name);
    assert_eq!(read_hexadecimal("CONVERT(X'", &sql, "' USING utf8)"), name);

    let lock = Sqlite::lock_table("`t`", &name).expect("a lock");
    let rest = lock.strip_prefix("UPDATE `t` SET ").expect("an update");
    let (column, rest) = read_quoted('`', rest);
    let (value, rest) = read_quoted('`', rest.strip_prefix(" = ").expect("a value"));
    assert_eq!((&column, &value, rest), (&name, &name, " WHERE 0"));

    let text = source.text(20);
    let sql = sql_of(&TextLiteral::<Sqlite>(&text, Sqlite::push_text)).expect("a literal");
    assert_eq!(read_quoted('\'', &sql), (text.clone(), ""));
    let sql = sql_of(&TextLiteral::<Mysql>(&text, Mysql::push_text)).expect("a literal");
    assert_eq!(read_hexadecimal("_utf8mb4 X'", &sql, "'"), text);
    let sql = sql_of(&TextLiteral::<Pg>(&text, Pg::push_text)).expect("a literal");
    for backslash_is_itself in [true, false] {
        assert_eq!(read_text_of_postgres(&sql, backslash_is_itself), text);
    }
}

/// A text, and how it is written.
struct TextLiteral<'t, DB: Dialect>(&'t str, fn(&str, &mut AstPass<'_, '_, DB>));

impl<DB: Dialect> QueryFragment<DB> for TextLiteral<'_, DB> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        (self.1)(self.0, &mut out);
        Ok(())
    }
}

fn of_names<DB: Dialect>(quote: char, schema: &str, name: &str) {
    let quoted = |name: &str| {
        let mut builder = DB::QueryBuilder::default();
        builder.push_identifier(name).expect("a name");
        builder.finish()
    };
    let (schema_sql, name_sql) = (quoted(schema), quoted(name));
    assert_eq!(read_quoted(quote, &name_sql), (name.to_owned(), ""));
    assert_eq!(unquote(&name_sql), (None, name.to_owned()));
    assert_eq!(
        unquote(&format!("{schema_sql}.{name_sql}")),
        (Some(schema.to_owned()), name.to_owned())
    );
}

/// Reads what stands in quotes, and returns what stands behind it.
fn read_quoted(quote: char, sql: &str) -> (String, &str) {
    let mut rest = sql.strip_prefix(quote).expect("a quote");
    let mut content = String::new();
    loop {
        let (before, after) = rest.split_once(quote).expect("a closing quote");
        content.push_str(before);
        match after.strip_prefix(quote) {
            Some(after) => {
                content.push(quote);
                rest = after;
            }
            None => return (content, after),
        }
    }
}

fn read_hexadecimal(before: &str, sql: &str, behind: &str) -> String {
    let digits = sql.strip_prefix(before).expect("an opening quote");
    let digits = digits.strip_suffix(behind).expect("a closing quote");
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).expect("ASCII");
        u8::from_str_radix(pair, 16).expect("two digits")
    };
    assert!(digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
    let bytes = digits.as_bytes().chunks(2).map(byte);
    String::from_utf8(bytes.collect()).expect("UTF-8")
}

/// Reads as the server does, with `standard_conforming_strings` or without.
fn read_text_of_postgres(sql: &str, backslash_is_itself: bool) -> String {
    let (escapes, sql) = match sql.strip_prefix('E') {
        Some(sql) => (true, sql),
        None => (!backslash_is_itself, sql),
    };
    let mut chars = sql.strip_prefix('\'').expect("a quote").chars();
    let mut content = String::new();
    loop {
        match chars.next().expect("a closing quote") {
            '\\' if escapes => match chars.next() {
                Some(char @ ('\\' | '\'')) => content.push(char),
                other => panic!("an escape of {other:?}"),
            },
            '\'' => match chars.next() {
                Some('\'') => content.push('\''),
                None => return content,
                Some(other) => panic!("{other:?} behind the text"),
            },
            char => content.push(char),
        }
    }
}

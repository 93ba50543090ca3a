//! MySQL and MariaDB.

use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};

use diesel::connection::Connection;
use diesel::mysql::Mysql;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::{DatabaseErrorKind, Error as DieselError, QueryResult};

use super::{
    Assignment, Condition, ConflictClause, Dialect, Equals, Fault, Inspection, KeyPart,
    TargetClause, TargetLookup, TypeKind, encode_by_collector, fold_ascii, push_existing,
    push_newer,
};
use crate::error::{message, refuse};
use crate::field::Rule;

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
    ///     `sku` = IF(IF(`t`.`sku` <=> VALUES(`sku`), 0, EXP(710 + (`t`.`sku` IS NULL))) IS NULL,
    ///         `t`.`sku`, `t`.`sku`),
    ///     `name` = VALUES(`name`)
    /// ```
    ///
    /// The double never becomes the key's value, which it would round.
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
        let TargetClause::Columns([first, rest @ ..]) = conflict.target else {
            return Err(refuse("on MySQL the conflict target is columns"));
        };
        let table = conflict.table;
        out.push_sql(" ON DUPLICATE KEY UPDATE ");
        out.push_identifier(first)?;
        out.push_sql(" = IF(IF(");
        push_is_same(table, first, out)?;
        for column in rest {
            out.push_sql(" AND ");
            push_is_same(table, column, out)?;
        }
        out.push_sql(", ");
        let written_if = push_decisions(conflict, out)?;
        out.push_sql(", ");
        out.push_sql(RAISE);
        push_existing(table, first, out)?;
        out.push_sql(" IS NULL))) IS NULL, ");
        push_existing(table, first, out)?;
        out.push_sql(", ");
        push_existing(table, first, out)?;
        out.push_sql(")");
        for assignment in readers_first(conflict)? {
            let column = &assignment.column;
            out.push_sql(", ");
            out.push_identifier(column.name)?;
            out.push_sql(" = ");
            let condition = if column.rule == Rule::Touch {
                written_if.touched
            } else {
                written_if.others
            };
            let Some(condition) = condition else {
                push_value(table, assignment, out)?;
                continue;
            };
            out.push_sql("IF(");
            out.push_sql(condition);
            out.push_sql(", ");
            push_value(table, assignment, out)?;
            out.push_sql(", ");
            push_existing(table, column.name, out)?;
            out.push_sql(")");
        }
        Ok(())
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

    /// Counts the rows on their way, as the server's own count has updated
    /// rows twice:
    ///
    /// ```sql
    /// SELECT * FROM (SELECT ..) AS upsert_rows WHERE (@upsert_rows := @upsert_rows + 1) IS NOT NULL
    /// ```
    fn push_select<'b>(
        query: &'b dyn QueryFragment<Self>,
        mut out: AstPass<'_, 'b, Self>,
    ) -> QueryResult<()> {
        out.push_sql("SELECT * FROM (");
        query.walk_ast(out.reborrow())?;
        out.push_sql(") AS upsert_rows WHERE (@upsert_rows := @upsert_rows + 1) IS NOT NULL");
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
        target: &TargetLookup<'_>,
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
        conn.batch_execute("SET @upsert_kept = 0, @upsert_rows = 0")
    }

    fn end_count<C: Connection<Backend = Self>>(conn: &mut C) -> QueryResult<usize> {
        read_number(conn, "SET @upsert_number = @upsert_kept")
    }

    fn selected_rows<C: Connection<Backend = Self>>(conn: &mut C) -> QueryResult<usize> {
        read_number(conn, "SET @upsert_number = @upsert_rows")
    }
}

fn push_is_same(table: &str, column: &str, out: &mut AstPass<'_, '_, Mysql>) -> QueryResult<()> {
    push_existing(table, column, out)?;
    out.push_sql(" <=> ");
    Mysql::push_excluded(column, out)
}

/// When assignments write: always, or if a variable says so.
#[derive(Clone, Copy)]
struct WrittenIf {
    others: Option<&'static str>,
    touched: Option<&'static str>,
}

/// Writes the expression that decides, on the old row, what is written.
fn push_decisions<'b>(
    conflict: &ConflictClause<'b, Mysql>,
    out: &mut AstPass<'_, 'b, Mysql>,
) -> QueryResult<WrittenIf> {
    const KEEP: &str = "@upsert_kept := @upsert_kept + 1";
    let mut written_if = WrittenIf {
        others: None,
        touched: None,
    };
    if conflict.assignments.is_empty() {
        out.push_sql(KEEP);
        return Ok(written_if);
    }
    let is_guarded = conflict.skip_unchanged || !conflict.conditions.is_empty();
    if is_guarded {
        out.push_sql("IF(@upsert_write := (");
        for (i, condition) in conflict.conditions.iter().enumerate() {
            if i > 0 {
                out.push_sql(" AND ");
            }
            match condition {
                Condition::Newer { column, or_equal } => {
                    push_newer(conflict.table, column, *or_equal, out)?;
                }
                Condition::Expression(expression) => {
                    out.push_sql("(");
                    expression.push(out)?;
                    out.push_sql(")");
                }
            }
        }
        if conflict.skip_unchanged {
            if !conflict.conditions.is_empty() {
                out.push_sql(" AND ");
            }
            push_is_changed(conflict, out)?;
        }
        out.push_sql("), 0, ");
        out.push_sql(KEEP);
        out.push_sql(")");
        written_if.others = Some("@upsert_write");
        written_if.touched = written_if.others;
    }
    let touches = conflict
        .assignments
        .iter()
        .any(|it| it.column.rule == Rule::Touch);
    if touches && !conflict.skip_unchanged {
        if is_guarded {
            out.push_sql(" + ");
        }
        out.push_sql("(@upsert_changed := ");
        push_is_changed(conflict, out)?;
        out.push_sql(")");
        written_if.touched = Some(if is_guarded {
            "@upsert_write AND @upsert_changed"
        } else {
            "@upsert_changed"
        });
    } else if !is_guarded {
        out.push_sql("0");
    }
    Ok(written_if)
}

/// Writes whether a compared column gets another value than it has, whatever
/// its collation holds equal.
fn push_is_changed<'b>(
    conflict: &ConflictClause<'b, Mysql>,
    out: &mut AstPass<'_, 'b, Mysql>,
) -> QueryResult<()> {
    for (i, assignment) in conflict.compared().enumerate() {
        out.push_sql(if i > 0 { " OR " } else { "(" });
        let is_binary = matches!(
            TypeKind::of((assignment.column.sql_type)()),
            TypeKind::Text | TypeKind::Json | TypeKind::Other
        );
        let (before, after) = if is_binary {
            ("CAST(", " AS BINARY)")
        } else {
            ("", "")
        };
        out.push_sql("NOT (");
        out.push_sql(before);
        push_existing(conflict.table, assignment.column.name, out)?;
        out.push_sql(after);
        out.push_sql(" <=> ");
        out.push_sql(before);
        push_value(conflict.table, assignment, out)?;
        out.push_sql(after);
        out.push_sql(")");
    }
    out.push_sql(")");
    Ok(())
}

/// Writes what a column gets.
fn push_value<'b>(
    table: &str,
    assignment: &Assignment<'b, Mysql>,
    out: &mut AstPass<'_, 'b, Mysql>,
) -> QueryResult<()> {
    let column = &assignment.column;
    if let Some(expression) = assignment.expression {
        return expression.push(out);
    }
    let (open, between, close) = match column.rule {
        Rule::Add => ("(", " + ", ")"),
        Rule::Max => ("GREATEST(", ", ", ")"),
        Rule::Min => ("LEAST(", ", ", ")"),
        Rule::Fill => ("COALESCE(", ", ", ")"),
        Rule::Coalesce => {
            out.push_sql("COALESCE(");
            Mysql::push_excluded(column.name, out)?;
            out.push_sql(", ");
            push_existing(table, column.name, out)?;
            out.push_sql(")");
            return Ok(());
        }
        Rule::Keep | Rule::Update | Rule::Set | Rule::Touch => {
            return Mysql::push_excluded(column.name, out);
        }
    };
    // Of these, `+`, `GREATEST` and `LEAST` are NULL where one side is.
    let wraps = column.is_nullable && column.rule != Rule::Fill;
    if wraps {
        out.push_sql("COALESCE(");
    }
    out.push_sql(open);
    push_existing(table, column.name, out)?;
    out.push_sql(between);
    Mysql::push_excluded(column.name, out)?;
    out.push_sql(close);
    if wraps {
        out.push_sql(", ");
        push_existing(table, column.name, out)?;
        out.push_sql(", ");
        Mysql::push_excluded(column.name, out)?;
        out.push_sql(")");
    }
    Ok(())
}

/// The assignments in an order in which each is before those that write what
/// it reads, so that it reads the old row.
fn readers_first<'c, 'b>(
    conflict: &'c ConflictClause<'b, Mysql>,
) -> QueryResult<Vec<&'c Assignment<'b, Mysql>>> {
    let mut rest: Vec<(&Assignment<'b, Mysql>, String)> = Vec::new();
    for assignment in &conflict.assignments {
        let sql = match assignment.expression {
            Some(expression) => expression.sql()?,
            None => String::new(),
        };
        rest.push((assignment, sql));
    }
    let mut ordered = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let next = (0..rest.len()).find(|i| {
            let name = rest[*i].0.column.name.replace('`', "``");
            let existing = format!("{}.`{name}`", conflict.table);
            let others = rest.iter().enumerate().filter(|(j, _)| j != i);
            others
                .into_iter()
                .all(|(_, (_, sql))| !sql.contains(&existing))
        });
        let Some(next) = next else {
            let names: Vec<_> = rest.iter().map(|(it, _)| it.column.name).collect();
            return Err(refuse(format!(
                "the expressions for `{}` read each other's old values, but MySQL writes one \
                 column after the other: let one of them be computed from `excluded(..)` alone",
                names.join("`, `"),
            )));
        };
        ordered.push(rest.remove(next).0);
    }
    Ok(ordered)
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
fn question(target: &TargetLookup<'_>) -> String {
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

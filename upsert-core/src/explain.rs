//! What a call would do.

use std::fmt;
use std::sync::Arc;

use crate::builder::Strategy;

/// What a call would do; [`Upsert::explain`](crate::Upsert::explain) makes it.
///
/// Its `Display` is for people, and cuts long statements in the middle; their
/// [`sql`](PlannedStatement::sql) is whole:
///
/// ```text
/// upsert into `products` on conflict (sku): 260 of 260 rows, sorted, in a transaction
///   2 statements of 128 rows as VALUES: INSERT INTO `products` ..
///   1 statement of 4 rows as VALUES: INSERT INTO `products` ..
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The table, with its schema if `table!` names one.
    pub table: String,
    /// The conflict target: the names of its columns, its expressions, or `constraint`
    /// and its name.
    pub target: Vec<String>,
    /// The rows of the input.
    pub rows: usize,
    /// The rows that are sent: the others are left out by the duplicate policy, or a later
    /// row writes over all that they would have written.
    pub sent: usize,
    /// Are they sent in the order of their keys, so that callers do not deadlock each
    /// other? If not, something of the table or of the values makes their own order
    /// decide the result.
    pub is_sorted: bool,
    /// Is there a transaction around the statements, or in one of the caller's a
    /// savepoint? A single statement needs none.
    pub in_transaction: bool,
    /// The statements, in the order in which they are sent.
    pub statements: Vec<PlannedStatement>,
}

/// A statement of an [`Explanation`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlannedStatement {
    /// How the rows are sent.
    pub strategy: Strategy,
    /// How many rows it writes.
    pub rows: usize,
    /// Its text, without values.
    pub sql: Arc<str>,
    /// Is it kept prepared by the connection, as others will be the same?
    pub is_cached: bool,
}

impl Explanation {
    /// That of a call without rows.
    pub(crate) fn of_nothing(table: String, target: Vec<String>) -> Self {
        Self {
            table,
            target,
            rows: 0,
            sent: 0,
            is_sorted: false,
            in_transaction: false,
            statements: Vec::new(),
        }
    }
}

/// The beginning and the end of a long statement.
fn ends_of(sql: &str) -> Option<(&str, &str)> {
    const SHOWN: usize = 1000;
    let cut = sql.len().checked_sub(SHOWN)?;
    // Inside of a character it is not cut.
    Some((sql.get(..SHOWN / 2)?, sql.get(SHOWN / 2 + cut..)?))
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (table, target) = (&self.table, self.target.join(", "));
        let order = if self.is_sorted { "sorted" } else { "as given" };
        let transaction = if self.in_transaction {
            ", in a transaction"
        } else {
            ""
        };
        write!(
            f,
            "upsert into `{table}` on conflict ({target}): {} of {} rows, {order}{transaction}",
            self.sent, self.rows,
        )?;
        for same in self.statements.chunk_by(|a, b| a == b) {
            let (first, count) = (&same[0], same.len());
            let statements = if count == 1 {
                "statement"
            } else {
                "statements"
            };
            let rows = if first.rows == 1 { "row" } else { "rows" };
            let PlannedStatement {
                strategy,
                rows: number,
                sql,
                ..
            } = first;
            write!(
                f,
                "\n  {count} {statements} of {number} {rows} as {strategy}: "
            )?;
            match ends_of(sql) {
                Some((start, end)) => write!(f, "{start} .. {end}")?,
                None => f.write_str(sql)?,
            }
        }
        Ok(())
    }
}

//! What can go wrong in a call.

use std::error::Error as StdError;
use std::fmt;

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};

use crate::dialect::{Dialect, Fault};

/// The result of this crate's calls.
pub type Result<T> = core::result::Result<T, Error>;

/// What can go wrong in a call.
///
/// An error names the table, the conflict target and the input rows that were
/// being written. Its `Display` and its `Debug` never show a value of a row,
/// and so not the database's message either, which may quote values. The
/// message is within reach through [`source`](StdError::source), so whoever
/// prints a whole chain of sources prints it.
///
/// It converts from and into [`diesel::result::Error`], so that `?` works in
/// a transaction closure of either error type.
#[non_exhaustive]
pub enum Error {
    /// The table has no unique index on the columns of the conflict target, so
    /// the database cannot tell whether a row exists.
    NoUniqueIndex {
        /// Where it happened.
        place: Box<Place>,
        /// The database's error, where the database noticed it.
        source: Option<DieselError>,
    },
    /// Two or more input rows have the same conflict key, and the call said
    /// [`Duplicates::Reject`](crate::Duplicates::Reject). Nothing was sent.
    RepeatedKey {
        /// The table and the conflict target; its rows are all rows of
        /// `groups`.
        place: Box<Place>,
        /// The positions of the rows that share a key, one group for each key
        /// that is repeated, in the order of the input.
        groups: Vec<Vec<usize>>,
    },
    /// The rows come from a query, which yields a conflict key twice. Only
    /// PostgreSQL cannot take that.
    RepeatedInQuery {
        /// The table and the conflict target; no rows.
        place: Box<Place>,
        /// The database's error.
        source: DieselError,
    },
    /// The call cannot be written as SQL: it contradicts its model, or asks for
    /// what the database does not have. Nothing was sent.
    Refused {
        /// The table, with its schema if `table!` names one.
        table: String,
        /// What is wrong, and what to write instead.
        reason: String,
    },
    /// A row has the values of another row, in the table or in the call, in a
    /// unique index other than the conflict target's.
    ///
    /// On MySQL the source may be the error that the statement itself raises
    /// where it finds a row with another key, "out of range in 'exp(710 ..".
    OtherUniqueIndex {
        /// Where it happened.
        place: Box<Place>,
        /// The index or constraint, where the database names it; on SQLite its
        /// columns.
        index: Option<String>,
        /// The database's error.
        source: DieselError,
    },
    /// One row of the model has more columns than the database takes
    /// parameters in a statement.
    TooManyColumns {
        /// The table and the conflict target; no rows.
        place: Box<Place>,
        /// The columns of the model.
        columns: usize,
        /// The most parameters a statement can have.
        limit: usize,
    },
    /// A row is larger than the largest statement that the server takes
    /// (`max_allowed_packet` on MySQL and MariaDB).
    StatementTooLarge {
        /// Where it happened.
        place: Box<Place>,
        /// The size of the statement in bytes, where it is known.
        bytes: Option<usize>,
        /// The server's limit in bytes, where it is known.
        limit: Option<usize>,
        /// The database's error, where the statement was sent.
        source: Option<DieselError>,
    },
    /// A row that the call returns cannot be found: its conflict key has a NULL,
    /// or a column that the row does not supply, or is not stored as it was bound
    /// (rounded, padded, changed by a trigger), so that the row that was written or
    /// kept is not known.
    NoRow {
        /// Where it happened.
        place: Box<Place>,
    },
    /// The call said [`commit_every`](crate::UpsertStream::commit_every), and has failed
    /// after a commit.
    ///
    /// If it is [`CommitUnknown`](Error::CommitUnknown), the rows of that transaction may be in
    /// the table too.
    Interrupted {
        /// How many rows are known to be in the table, the first ones of the input.
        committed: usize,
        /// What has failed.
        source: Box<Error>,
    },
    /// Another transaction was in the way. Nothing of the call is in the table, and it may
    /// succeed when its whole transaction is run again, which
    /// [`retry`](crate::Upsert::retry) does.
    ///
    /// In a transaction of the caller's that is the caller's transaction, from its
    /// beginning: on MySQL and MariaDB a deadlock has ended all of it, and what is sent
    /// after it is no part of a transaction any more.
    Contention {
        /// Where it happened.
        place: Box<Place>,
        /// What was in the way.
        contention: Contention,
        /// How often the call has been tried.
        attempts: u32,
        /// The database's error.
        source: DieselError,
    },
    /// The connection was lost before the call was committed. Nothing of the call is in the
    /// table, so that it can be run again on another connection.
    ConnectionLost {
        /// Where it happened.
        place: Box<Place>,
        /// The error.
        source: DieselError,
    },
    /// The connection was lost while the call was being committed: all of its rows are in the
    /// table, or none, and nobody knows which.
    ///
    /// Rows that only replace values can be sent again. Where that would apply them twice
    /// (`add`, `set` with a sum), a call with an
    /// [`idempotency_token`](crate::Upsert::idempotency_token) can be.
    CommitUnknown {
        /// The table and the conflict target; the rows of a call that is one statement.
        place: Box<Place>,
        /// The error.
        source: DieselError,
    },
    /// The caller's transaction had ended before the call did, so that the statements of the
    /// call have committed themselves: on MySQL and MariaDB a deadlock ends it, and a statement
    /// like `CREATE TABLE` commits it. [`Error::commit_outcome`] says
    /// [`Unknown`](CommitOutcome::Unknown).
    TransactionEnded {
        /// The table and the conflict target.
        place: Box<Place>,
        /// The error: there is no savepoint.
        source: DieselError,
    },
    /// Rows cannot be written, and the call said [`OnError::Name`](crate::OnError::Name).
    FailedRows {
        /// The table and the conflict target; its rows are those that failed.
        place: Box<Place>,
        /// The rows, in the order of the input, each with its error.
        failed: Vec<FailedRow>,
    },
    /// The row of the [`idempotency_token`](crate::Upsert::idempotency_token) could not be
    /// written.
    Token {
        /// The statement that creates the table for tokens.
        create_table: &'static str,
        /// The error.
        source: DieselError,
    },
    /// Any other error of the database or of Diesel while rows were written.
    Statement {
        /// Where it happened.
        place: Box<Place>,
        /// The error.
        source: DieselError,
    },
    /// Any other error of the database or of Diesel outside of a statement that
    /// writes rows: the transaction's begin, a look at the catalog.
    Connection(DieselError),
}

/// What was in the way of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Contention {
    /// Two transactions waited for each other, and the database has ended this one.
    Deadlock,
    /// The transaction could not be serialized with another one that was committed
    /// meanwhile.
    Serialization,
    /// Another transaction held a lock for longer than the connection waits:
    /// `lock_timeout` on PostgreSQL, `innodb_lock_wait_timeout` on MySQL and MariaDB.
    LockTimeout,
    /// Another connection was writing for longer than SQLite's `busy_timeout`.
    Busy,
}

impl fmt::Display for Contention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Deadlock => "a deadlock with another transaction",
            Self::Serialization => "another transaction has changed the same rows meanwhile",
            Self::LockTimeout => "another transaction held a lock for too long",
            Self::Busy => "another connection was writing for too long",
        })
    }
}

/// What of a call that has failed is in the table; [`Error::commit_outcome`] says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommitOutcome {
    /// Nothing.
    Nothing,
    /// The first rows of the input, as many as this: the call said
    /// [`commit_every`](crate::UpsertStream::commit_every).
    First(usize),
    /// Nobody knows: the connection was lost while the call was being committed. All of the
    /// call is in the table, or nothing; with
    /// [`commit_every`](crate::UpsertStream::commit_every) all of the last transaction.
    Unknown,
}

/// A row that could not be written, because of its values.
#[derive(Debug)]
#[non_exhaustive]
pub struct FailedRow {
    /// The position of the row in the input.
    pub row: usize,
    /// Why.
    pub error: Error,
}

/// How many rows a message names.
const SHOWN_ROWS: usize = 8;

/// After so many rows that are to be named no more are looked for.
pub(crate) const MAX_NAMED: usize = 100;

/// Where an error happened: the table, the conflict target, and the input rows
/// that were being written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Place {
    /// The table, with its schema if `table!` names one.
    pub table: String,
    /// The conflict target: the names of its columns, its expressions, or
    /// `constraint` and its name.
    pub target: Vec<String>,
    /// The predicate of the index, if the target has one.
    pub predicate: Option<String>,
    /// The positions of the rows in the input, in the order in which they were
    /// sent. Rows are sent sorted by their conflict key, so these are rarely
    /// neighbours.
    pub rows: Vec<usize>,
}

/// What a target that is a constraint begins with in [`Place::target`].
pub(crate) const CONSTRAINT: &str = "constraint ";

impl Place {
    /// A name for an index that is missing, as PostgreSQL would make it.
    pub(crate) fn index_name(&self) -> String {
        let table = self.table.rsplit('.').next().unwrap_or(&self.table);
        let name = format!("{table}_{}_key", self.target.join("_"));
        // An expression has more than a name can have.
        let is_part = |char: char| char.is_alphanumeric() || char == '_';
        name.split(|char| !is_part(char))
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("_")
    }

    /// The statement that makes the unique index.
    pub(crate) fn create_index(&self) -> String {
        let (table, columns) = (&self.table, self.target.join(", "));
        if let Some(constraint) = columns.strip_prefix(CONSTRAINT) {
            return format!("ALTER TABLE {table} ADD CONSTRAINT {constraint} UNIQUE (..)");
        }
        format!(
            "CREATE UNIQUE INDEX {index} ON {table} ({columns}){predicate}",
            index = self.index_name(),
            predicate = self.where_predicate(),
        )
    }

    /// What to do where the database finds no unique index.
    fn advise_index(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (table, columns) = (&self.table, self.target.join(", "));
        if let Some(constraint) = columns.strip_prefix(CONSTRAINT) {
            return write!(
                f,
                "`{table}` has no constraint `{constraint}`, the conflict target: a unique index \
                 that is not a constraint is named by its columns, as `#[conflict_key]` fields",
            );
        }
        write!(
            f,
            "`{table}` has no unique index on ({columns}){predicate}, the conflict target: mark \
             all fields of the primary key or of another unique index with `#[conflict_key]`, or \
             create one, for example `{create}`; the model's `verify(..)` says which there are",
            predicate = self.where_predicate(),
            create = self.create_index(),
        )?;
        if self.predicate.is_some() {
            f.write_str("; the predicate is best written as in the index")
        } else {
            f.write_str("; an index with a `WHERE` needs that in `target_where = ..`")
        }
    }

    /// The rows that share a key, for each key that is repeated.
    fn show_repeated(&self, groups: &[Vec<usize>], f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} in the input for `{}` on conflict ({}): the rows ",
            if groups.len() == 1 {
                "a conflict key is repeated".to_owned()
            } else {
                format!("{} conflict keys are repeated", groups.len())
            },
            self.table,
            self.target.join(", "),
        )?;
        for (i, group) in groups.iter().take(3).enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            let shown: Vec<_> = group
                .iter()
                .take(SHOWN_ROWS)
                .map(usize::to_string)
                .collect();
            f.write_str(&shown.join(", "))?;
            if group.len() > SHOWN_ROWS {
                f.write_str(", ..")?;
            }
        }
        if groups.len() > 3 {
            f.write_str("; ..")?;
        }
        f.write_str(": remove the repeated rows, or choose another policy with `on_duplicate(..)`")
    }

    /// What was in the way of a call.
    fn show_contention(
        &self,
        contention: Contention,
        attempts: u32,
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        write!(f, "upsert into {self}: {contention}")?;
        if attempts > 1 {
            write!(f, ", in the last of {attempts} attempts too")?;
        }
        f.write_str(
            ": run the transaction again from its beginning, as `retry(..)` does for a call that \
             has its own",
        )?;
        if contention == Contention::Busy {
            f.write_str(", or let the connection wait longer with `PRAGMA busy_timeout`")?;
        }
        Ok(())
    }

    /// How to see which of several rows it is.
    fn advise_names(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rows.len() > 1 {
            f.write_str("; with `on_error(OnError::Name)` the error names the row")?;
        }
        Ok(())
    }

    /// The rows that cannot be written.
    /// The rows that have failed of `whole`.
    fn show_failed(
        &self,
        failed: &[FailedRow],
        whole: &str,
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        write!(
            f,
            "upsert into `{}` on conflict ({}){}: {} cannot be written, and nothing of {whole} is",
            self.table,
            self.target.join(", "),
            self.where_predicate(),
            match failed.len() {
                1 => "a row".to_owned(),
                MAX_NAMED => format!("at least {MAX_NAMED} rows"),
                rows => format!("{rows} rows"),
            },
        )?;
        for (i, failed) in failed.iter().take(SHOWN_ROWS).enumerate() {
            f.write_str(if i == 0 { ": " } else { "; " })?;
            write!(f, "input row {}: {}", failed.row, Reason(&failed.error))?;
        }
        if failed.len() > SHOWN_ROWS {
            f.write_str("; ..")?;
        }
        Ok(())
    }

    /// The predicate as it stands behind a target.
    pub(crate) fn where_predicate(&self) -> String {
        match &self.predicate {
            Some(predicate) => format!(" WHERE {predicate}"),
            None => String::new(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` on conflict ({}){}",
            self.table,
            self.target.join(", "),
            self.where_predicate(),
        )?;
        match self.rows.as_slice() {
            [] => Ok(()),
            [row] => write!(f, ", input row {row}"),
            rows if rows.len() <= 8 => {
                let mut rows = rows.to_vec();
                rows.sort_unstable();
                let rows: Vec<_> = rows.iter().map(usize::to_string).collect();
                write!(f, ", among the input rows {}", rows.join(", "))
            }
            rows => {
                let (first, last) = (rows.iter().min(), rows.iter().max());
                write!(
                    f,
                    ", among {} input rows between {} and {}",
                    rows.len(),
                    first.unwrap_or(&0),
                    last.unwrap_or(&0),
                )
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUniqueIndex { place, .. } => place.advise_index(f),
            Self::RepeatedKey { place, groups } => place.show_repeated(groups, f),
            Self::OtherUniqueIndex { place, index, .. } => {
                write!(
                    f,
                    "upsert into {place}: a row has the values of another row in "
                )?;
                match index {
                    Some(index) => write!(f, "the unique index `{index}`, which is not the")?,
                    None => f.write_str("a unique index other than the")?,
                }
                f.write_str(
                    " conflict target's: remove the row, or make that index's columns the \
                     conflict target",
                )?;
                place.advise_names(f)
            }
            Self::RepeatedInQuery { place, .. } => write!(
                f,
                "upsert into {place}: the query yields a conflict key twice, which PostgreSQL \
                 cannot take in one statement: let it yield one row for each key, for example by \
                 `distinct_on(..)`",
            ),
            Self::Refused { table, reason } => write!(f, "upsert into `{table}`: {reason}"),
            Self::TooManyColumns {
                place,
                columns,
                limit,
            } => write!(
                f,
                "upsert into {place}: one row has {columns} columns, but a statement takes at \
                 most {limit} parameters: write the columns by two models with the same conflict \
                 key",
            ),
            Self::StatementTooLarge {
                place,
                bytes,
                limit,
                ..
            } => {
                write!(f, "upsert into {place}: ")?;
                match bytes {
                    Some(bytes) => write!(f, "a row makes a statement of about {bytes} bytes")?,
                    None => f.write_str("the statement is larger than the server accepts")?,
                }
                if let Some(limit) = limit {
                    write!(f, ", but the server accepts at most {limit}")?;
                }
                f.write_str(": raise the server's `max_allowed_packet`")?;
                if place.rows.len() > 1 {
                    f.write_str(", or lower `chunk_size(..)`")?;
                }
                Ok(())
            }
            Self::NoRow { place } => write!(
                f,
                "upsert into {place}: the row that was written or kept cannot be found by its \
                 conflict key, as a column of the key is NULL or not supplied, or stored otherwise \
                 than it was bound, or a trigger drops the row: give the row its key as it is \
                 stored, or write it without `returning(..)`",
            ),
            Self::Interrupted { committed, source } => show_interrupted(*committed, source, f),
            Self::Contention {
                place,
                contention,
                attempts,
                ..
            } => place.show_contention(*contention, *attempts, f),
            Self::ConnectionLost { place, .. } => write!(f, "upsert into {place}: {LOST}"),
            Self::CommitUnknown { place, .. } => write!(f, "upsert into {place}: {UNKNOWN}"),
            Self::TransactionEnded { place, .. } => write!(f, "upsert into {place}: {ENDED}"),
            Self::FailedRows { place, failed } => place.show_failed(failed, "the call", f),
            Self::Token {
                create_table,
                source,
            } => write!(
                f,
                "the call's idempotency token could not be written: {}; it takes the table of \
                 `{create_table}`",
                Redacted(source),
            ),
            Self::Statement { place, source } => {
                write!(f, "upsert into {place}: {}", Redacted(source))?;
                if is_of_row(source) {
                    place.advise_names(f)?;
                }
                Ok(())
            }
            Self::Connection(source) if may_be_committed(source) => f.write_str(LOST_SOMEWHERE),
            Self::Connection(source) => write!(f, "upsert: {}", Redacted(source)),
        }
    }
}

const LOST: &str = "the connection was lost before the call was committed, so nothing of it is in the \
     table: run it again on another connection";

const UNKNOWN: &str = "the connection was lost while the call was being committed, and it is not known \
     whether its rows are in the table: look, or run it again where that does no harm; with \
     `idempotency_token(..)` it never does";

const ENDED: &str = "the transaction had ended before the call, by a deadlock or by a statement that \
     commits, like CREATE TABLE on MySQL, and rows of the call may be in the table: look, and run \
     the whole transaction again, with such statements outside of it";

const LOST_SOMEWHERE: &str = "upsert: the connection was lost; if it was at the COMMIT of a transaction, it \
     is not known whether that is in the table: look, before it is run again";

/// What has failed after `committed` rows were committed.
fn show_interrupted(committed: usize, source: &Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    // A token, which its own text advises, is for a call of one transaction.
    if let Error::CommitUnknown { place, .. } = source {
        return write!(
            f,
            "upsert into {place}: the connection was lost while a transaction was being committed; \
             the first {committed} rows of the input are committed, and perhaps those of that \
             transaction: look for the row behind them, and go on behind what is there",
        );
    }
    if let Error::FailedRows { place, failed } = source {
        place.show_failed(failed, "its transaction", f)?;
    } else {
        write!(f, "{source}")?;
    }
    write!(
        f,
        "; the first {committed} rows of the input are committed: to go on, begin behind them",
    )
}

/// Is it for certain about a row's values, by the kind that Diesel gives it?
pub(crate) fn is_of_row(source: &DieselError) -> bool {
    matches!(
        source,
        DieselError::DatabaseError(
            DatabaseErrorKind::ForeignKeyViolation
                | DatabaseErrorKind::NotNullViolation
                | DatabaseErrorKind::CheckViolation
                | DatabaseErrorKind::RestrictViolation
                | DatabaseErrorKind::ExclusionViolation,
            _,
        )
    )
}

/// What is wrong with a row, without its place.
struct Reason<'e>(&'e Error);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Error::Statement { source, .. } => Redacted(source).fmt(f),
            Error::OtherUniqueIndex { index, .. } => match index {
                Some(index) => write!(f, "it has the values of another row in `{index}`"),
                None => f.write_str("it has the values of another row in a unique index"),
            },
            error => error.fmt(f),
        }
    }
}

/// A call that cannot be written as SQL; the text has names and no values.
#[derive(Debug)]
pub(crate) struct Refusal {
    what: String,
    source: Option<DieselError>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl StdError for Refusal {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

/// A [`Refusal`] as Diesel's error.
pub(crate) fn refuse(what: impl Into<String>) -> DieselError {
    refusal(what.into(), None)
}

/// The same, because of what the database says.
pub(crate) fn refuse_because(what: impl Into<String>, source: DieselError) -> DieselError {
    refusal(what.into(), Some(source))
}

fn refusal(what: String, source: Option<DieselError>) -> DieselError {
    DieselError::QueryBuilderError(Box::new(Refusal { what, source }))
}

/// Shows a Diesel error by its kind and the names in it, without its message.
struct Redacted<'e>(&'e DieselError);

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            DieselError::DatabaseError(kind, info) => {
                f.write_str(match kind {
                    DatabaseErrorKind::UniqueViolation => "a unique index is violated",
                    DatabaseErrorKind::ForeignKeyViolation => "a foreign key is violated",
                    DatabaseErrorKind::NotNullViolation => "a NOT NULL column got no value",
                    DatabaseErrorKind::CheckViolation => "a CHECK constraint is violated",
                    DatabaseErrorKind::SerializationFailure => {
                        "the transaction could not be serialized with others"
                    }
                    DatabaseErrorKind::ReadOnlyTransaction => "the transaction is read-only",
                    DatabaseErrorKind::RestrictViolation => "a RESTRICT constraint is violated",
                    DatabaseErrorKind::ExclusionViolation => "an exclusion constraint is violated",
                    DatabaseErrorKind::ClosedConnection => "the connection was closed",
                    DatabaseErrorKind::UnableToSendCommand => "the statement could not be sent",
                    _ => "the database refused the statement",
                })?;
                if let Some(name) = info.constraint_name() {
                    write!(f, ", constraint `{name}`")?;
                }
                if let Some(name) = info.column_name() {
                    write!(f, ", column `{name}`")?;
                }
                f.write_str("; the database's own message is this error's source")
            }
            DieselError::SerializationError(_) => {
                f.write_str("a value could not be serialized; the reason is this error's source")
            }
            DieselError::QueryBuilderError(inner) if inner.is::<Refusal>() => inner.fmt(f),
            DieselError::AlreadyInTransaction => f.write_str("already in a transaction"),
            DieselError::NotInTransaction => f.write_str("not in a transaction"),
            DieselError::BrokenTransactionManager => {
                f.write_str("the connection's transaction manager is broken: open a new connection")
            }
            DieselError::RollbackErrorOnCommit { .. } => {
                f.write_str("the commit failed, and so did the rollback after it")
            }
            _ => f.write_str("Diesel reports an error, which is this error's source"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variant = match self {
            Self::NoUniqueIndex { .. } => "NoUniqueIndex",
            Self::RepeatedKey { .. } => "RepeatedKey",
            Self::OtherUniqueIndex { .. } => "OtherUniqueIndex",
            Self::RepeatedInQuery { .. } => "RepeatedInQuery",
            Self::Refused { .. } => "Refused",
            Self::TooManyColumns { .. } => "TooManyColumns",
            Self::StatementTooLarge { .. } => "StatementTooLarge",
            Self::NoRow { .. } => "NoRow",
            Self::Interrupted { .. } => "Interrupted",
            Self::Contention { .. } => "Contention",
            Self::ConnectionLost { .. } => "ConnectionLost",
            Self::CommitUnknown { .. } => "CommitUnknown",
            Self::TransactionEnded { .. } => "TransactionEnded",
            Self::FailedRows { .. } => "FailedRows",
            Self::Token { .. } => "Token",
            Self::Statement { .. } => "Statement",
            Self::Connection(_) => "Connection",
        };
        write!(f, "{variant}({self})")
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::OtherUniqueIndex { source, .. }
            | Self::RepeatedInQuery { source, .. }
            | Self::Contention { source, .. }
            | Self::ConnectionLost { source, .. }
            | Self::CommitUnknown { source, .. }
            | Self::TransactionEnded { source, .. }
            | Self::Token { source, .. }
            | Self::Statement { source, .. }
            | Self::Connection(source) => Some(source),
            Self::NoUniqueIndex { source, .. } | Self::StatementTooLarge { source, .. } => {
                source.as_ref().map(|source| source as _)
            }
            Self::Interrupted { source, .. } => source.source(),
            Self::FailedRows { failed, .. } => failed.first().and_then(|it| it.error.source()),
            Self::RepeatedKey { .. }
            | Self::Refused { .. }
            | Self::TooManyColumns { .. }
            | Self::NoRow { .. } => None,
        }
    }
}

impl Error {
    /// Where the error happened, if it happened at rows.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::NoUniqueIndex { place, .. }
            | Self::RepeatedKey { place, .. }
            | Self::RepeatedInQuery { place, .. }
            | Self::OtherUniqueIndex { place, .. }
            | Self::TooManyColumns { place, .. }
            | Self::StatementTooLarge { place, .. }
            | Self::NoRow { place }
            | Self::Contention { place, .. }
            | Self::ConnectionLost { place, .. }
            | Self::CommitUnknown { place, .. }
            | Self::TransactionEnded { place, .. }
            | Self::FailedRows { place, .. }
            | Self::Statement { place, .. } => Some(place),
            Self::Interrupted { source, .. } => source.place(),
            Self::Refused { .. } | Self::Token { .. } | Self::Connection(_) => None,
        }
    }

    /// What of the call is in the table.
    ///
    /// In a transaction of the caller's nothing is before that is committed, and what this
    /// says is about the call's part of it. An error of Diesel's that was made one of these by
    /// `?`, like that of the COMMIT of `conn.transaction(..)`, is
    /// [`Unknown`](CommitOutcome::Unknown) if the connection was lost.
    ///
    /// ```
    /// # fn reconnect() {}
    /// use upsert_core::{CommitOutcome, Error};
    ///
    /// fn may_be_sent_again(error: &Error) -> bool {
    ///     error.commit_outcome() == CommitOutcome::Nothing
    /// }
    /// ```
    #[must_use]
    pub fn commit_outcome(&self) -> CommitOutcome {
        match self {
            Self::CommitUnknown { .. } | Self::TransactionEnded { .. } => CommitOutcome::Unknown,
            Self::Connection(source) if may_be_committed(source) => CommitOutcome::Unknown,
            Self::Interrupted { committed, source } => match source.commit_outcome() {
                CommitOutcome::Nothing => CommitOutcome::First(*committed),
                outcome => outcome,
            },
            _ => CommitOutcome::Nothing,
        }
    }

    /// What was in the way, if it is another transaction: the whole transaction may succeed
    /// when it is run again.
    #[must_use]
    pub fn contention(&self) -> Option<Contention> {
        match self {
            Self::Contention { contention, .. } => Some(*contention),
            Self::Connection(source) => match fault(source) {
                Fault::Contention(contention) => Some(contention),
                _ => None,
            },
            Self::Interrupted { source, .. } => source.contention(),
            _ => None,
        }
    }

    /// The error of a call whose first `committed` rows stay in the table, of one transaction
    /// or of several.
    pub(crate) fn after(self, committed: usize, is_one: bool) -> Self {
        let is_doubtful = matches!(self, Self::CommitUnknown { .. });
        if committed == 0 && (is_one || !is_doubtful) {
            return self;
        }
        Self::Interrupted {
            committed,
            source: Box::new(self),
        }
    }

    /// An error of writing a call on `table` as SQL.
    pub(crate) fn of_building(table: String, source: DieselError) -> Self {
        match source {
            DieselError::QueryBuilderError(inner) if inner.is::<Refusal>() => Self::Refused {
                table,
                reason: inner.to_string(),
            },
            source => Self::Connection(source),
        }
    }
}

impl From<DieselError> for Error {
    /// An error of another statement in a closure that returns this crate's
    /// error.
    fn from(source: DieselError) -> Self {
        // An error that made the way into Diesel's and back is itself again.
        match source {
            DieselError::QueryBuilderError(inner) => match inner.downcast::<Self>() {
                Ok(error) => *error,
                Err(inner) => Self::Connection(DieselError::QueryBuilderError(inner)),
            },
            source => Self::Connection(source),
        }
    }
}

impl From<Error> for DieselError {
    /// The database's error where there is one, so that code which matches on
    /// Diesel's kinds goes on working; else this error, boxed in
    /// [`QueryBuilderError`](DieselError::QueryBuilderError).
    fn from(error: Error) -> Self {
        match error {
            Error::OtherUniqueIndex {
                place,
                index,
                source,
            } => match source {
                DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => source,
                source => {
                    let message = Error::OtherUniqueIndex {
                        place,
                        index,
                        source,
                    }
                    .to_string();
                    Self::DatabaseError(DatabaseErrorKind::UniqueViolation, Box::new(message))
                }
            },
            Error::Statement { source, .. }
            | Error::Contention { source, .. }
            | Error::ConnectionLost { source, .. }
            | Error::Token { source, .. }
            | Error::RepeatedInQuery { source, .. }
            | Error::Connection(source)
            | Error::NoUniqueIndex {
                source: Some(source),
                ..
            }
            | Error::StatementTooLarge {
                source: Some(source),
                ..
            } => source,
            // What they say of the table stays with them.
            Error::CommitUnknown { source, .. } if may_be_committed(&source) => source,
            error => Self::QueryBuilderError(Box::new(error)),
        }
    }
}

/// What an error means, on whichever database.
fn fault(error: &DieselError) -> Fault {
    let faults: &[fn(&DieselError) -> Fault] = &[
        #[cfg(feature = "postgres")]
        <diesel::pg::Pg as Dialect>::fault,
        #[cfg(feature = "mysql")]
        <diesel::mysql::Mysql as Dialect>::fault,
        #[cfg(feature = "sqlite")]
        <diesel::sqlite::Sqlite as Dialect>::fault,
    ];
    let mut faults = faults.iter().map(|fault| fault(error));
    faults
        .find(|fault| matches!(fault, Fault::ConnectionLost | Fault::Contention(_)))
        .unwrap_or(Fault::Other)
}

/// May it be that the server has committed, and only its answer was lost?
fn may_be_committed(error: &DieselError) -> bool {
    match error {
        // A server that has refused the COMMIT takes a ROLLBACK.
        DieselError::RollbackErrorOnCommit { commit_error, .. } => {
            !matches!(fault(commit_error), Fault::Contention(_)) && !is_of_row(commit_error)
        }
        error => fault(error) == Fault::ConnectionLost,
    }
}

/// The database's message for an error, to be matched on, never shown.
pub(crate) fn message(error: &DieselError) -> Option<&str> {
    match error {
        DieselError::DatabaseError(_, info) => Some(info.message()),
        _ => None,
    }
}

/// The name of the constraint or index that an error reports.
pub(crate) fn constraint(info: &(dyn DatabaseErrorInformation + Send + Sync)) -> Option<String> {
    info.constraint_name().map(str::to_owned)
}

//! What differs between databases.
//!
//! A [`Dialect`] knows how its database writes a conflict clause, how many
//! parameters a statement can have, which keys it may hold equal, and what its
//! errors mean. It knows nothing of models, chunks or transactions: those are
//! the engine's.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;

use diesel::backend::Backend;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::{DatabaseErrorKind, Error as DieselError, QueryResult};
use diesel::serialize::ToSql;
use diesel::sql_types::{HasSqlType, SqlType};

pub use self::catalog::{Catalog, Fact};
pub use self::clause::{
    Assignment, Condition, ConflictClause, Expr, TargetClause, push_condition, push_existing,
};
pub use self::outcomes::{KeyColumn, KeyColumns, KeyLookup, Outcomes, Report, Rows};
pub use self::values::{Values, push_plain_sum, push_value};
use crate::error::{Contention, constraint, is_of_row};
use crate::expression::Fragment;

pub use crate::field::Rule;
pub use crate::key::{Encoded, TypeKind};
pub use crate::value::Plain;

mod catalog;
mod clause;
#[cfg(feature = "mysql")]
pub(crate) mod mysql;
pub mod on_conflict;
mod outcomes;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
mod values;

/// A database that the engine can write upserts for.
///
/// Implemented for Diesel's `Sqlite`, `Pg` and `Mysql` (which stands for
/// MariaDB too), each with the crate's feature of that name. Implementing it
/// for another backend takes [`push_conflict_clause`] and [`encode`]; the other
/// items have defaults that are safe on any database. A database with
/// PostgreSQL's `ON CONFLICT` implements [`Values`] and
/// [`OnConflict`](on_conflict::OnConflict) too, and has the clause from [`push_on_conflict`](on_conflict::push_on_conflict).
///
/// A model with expressions in its attributes can be used on the databases of
/// the crate's features only; on others an expression is given to the call,
/// with [`set`](crate::Upsert::set) and [`update_if`](crate::Upsert::update_if).
///
/// [`push_conflict_clause`]: Dialect::push_conflict_clause
/// [`encode`]: Dialect::encode
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a database that rows can be upserted on",
    note = "enable the feature `sqlite`, `postgres` or `mysql` of `upsert-core`; a connection of \
            `diesel::MultiConnection` is matched on first: each of its databases has calls of its \
            own",
    note = "where the connection is a type parameter `C`, the bound to write is \
            `C: upsert_core::UpsertConnection<Model>`"
)]
pub trait Dialect: Backend<QueryBuilder: Default> + Default + 'static {
    /// The most bind parameters in one statement.
    const MAX_BINDS: usize;

    /// The most rows in one statement, unless the call chooses another number.
    const MAX_ROWS: usize;

    /// The most rows in one statement that has an array of values for each column,
    /// unless the call chooses another number; 0 where there are no arrays.
    const MAX_ARRAY_ROWS: usize = 0;

    /// The fewest rows for which [COPY](Dialect::copier) is worth a staging table.
    const MIN_COPY_ROWS: usize = usize::MAX;

    /// The most rows in one COPY, unless the call chooses another number.
    const MAX_COPY_ROWS: usize = 0;

    /// The query for the rows that a [`Copier`] has sent.
    const SELECT_COPIED: &'static str = "";

    /// Are the last rows of a call, which do not fill a statement, split into
    /// powers of two?
    ///
    /// Each such statement is prepared once for a connection. Without it, the
    /// rest goes in one statement, prepared for that call alone: fewer round
    /// trips to a server.
    const SPLITS_REST: bool = false;

    /// Are the rows of a single statement sorted too? It keeps callers from
    /// deadlocking each other.
    const SORTS_FEW_ROWS: bool = true;

    /// The most bytes of rows in one statement, or `None` where their size does
    /// not matter and need not be measured.
    const MAX_BYTES: Option<usize> = None;

    /// Does the database's row count have in it, as one row each, the rows that
    /// a statement leaves as they are?
    const COUNTS_KEPT_ROWS: bool = false;

    /// Does a statement apply its rows one after the other, so that a conflict
    /// key may stand in it twice?
    ///
    /// Where it does not, the i-th row with a key goes out in the i-th wave of
    /// statements.
    const APPLIES_ROWS_IN_ORDER: bool;

    /// Does the catalog hide triggers from users who may not make any?
    const HIDES_TRIGGERS: bool = false;

    /// May the database put a number of its own in place of a zero in a key?
    const NUMBERS_ZEROS: bool = false;

    /// How a transaction begins that writes.
    const BEGIN: &'static str = BEGIN;

    /// The question for how many rows have exactly this
    /// [idempotency token](crate::Upsert::idempotency_token), where a unique index may hold
    /// others equal.
    #[must_use]
    fn holds_token(token: &str) -> Option<Question<'static, Self>> {
        let _ = token;
        None
    }

    /// May a transaction end, and its statements commit themselves, by a statement of the
    /// caller's other than COMMIT and ROLLBACK, or by an error?
    const COMMITS_BY_OTHERS: bool = false;

    /// Can nothing be sent in a transaction after an error but ROLLBACK?
    const ERRORS_END_TRANSACTIONS: bool = false;

    /// Does the database run in the process, so that there is no connection to lose?
    const IS_EMBEDDED: bool = false;

    /// What becomes of a statement when the future of an asynchronous call is
    /// dropped; [`Breaks`](Dropped::Breaks) is true of any database.
    const DROPPED: Dropped = Dropped::Breaks;

    /// Writes what stands behind the rows of `INSERT INTO .. VALUES ..`,
    /// beginning with a space.
    fn push_conflict_clause<'b>(
        conflict: &ConflictClause<'b, Self>,
        out: &mut AstPass<'_, 'b, Self>,
    ) -> QueryResult<()>;

    /// Writes the value that the proposed row has for `column`.
    ///
    /// By default:
    ///
    /// ```sql
    /// excluded."name"
    /// ```
    fn push_excluded(column: &str, out: &mut AstPass<'_, '_, Self>) -> QueryResult<()> {
        out.push_sql("excluded.");
        out.push_identifier(column)
    }

    /// Writes a text literal; by default in single quotes, which are doubled
    /// inside.
    fn push_text(value: &str, out: &mut AstPass<'_, '_, Self>) {
        out.push_sql("'");
        out.push_sql(&value.replace('\'', "''"));
        out.push_sql("'");
    }

    /// Writes the rows that `query`, which selects `columns` columns, yields, as
    /// they stand behind `INSERT INTO .. (..)`; by default the query as it is.
    fn push_select<'b>(
        query: &'b dyn QueryFragment<Self>,
        columns: usize,
        mut out: AstPass<'_, 'b, Self>,
    ) -> QueryResult<()> {
        let _ = columns;
        query.walk_ast(out.reborrow())
    }

    /// Do arrays of `ST` hold its values as they are?
    #[must_use]
    fn has_array<ST>() -> bool
    where
        ST: SqlType,
        Self: HasSqlType<ST>,
    {
        false
    }

    /// Binds an array of a column's values, on a database with
    /// [`MAX_ARRAY_ROWS`](Dialect::MAX_ARRAY_ROWS).
    ///
    /// # Errors
    ///
    /// By default always.
    fn push_array<'b, ST, T>(values: &'b [T], out: &mut AstPass<'_, 'b, Self>) -> QueryResult<()>
    where
        ST: SqlType,
        Self: HasSqlType<ST>,
        T: ToSql<ST, Self>,
    {
        let _ = (values, out);
        Err(DieselError::QueryBuilderError(
            "the dialect has no arrays".into(),
        ))
    }

    /// The COPY of a connection that has one.
    fn copier(connection: &mut dyn Any) -> Option<&mut dyn Copier<Self>> {
        let _ = connection;
        None
    }

    /// Appends `value` to a row of a [COPY](Dialect::copier).
    ///
    /// # Errors
    ///
    /// By default always.
    fn push_copy<ST, T>(value: &T, plain: Plain<'_>, data: &mut Vec<u8>) -> QueryResult<()>
    where
        ST: SqlType,
        Self: HasSqlType<ST>,
        T: ToSql<ST, Self> + ?Sized,
    {
        let _ = (value, plain, data);
        Err(DieselError::QueryBuilderError(
            "the dialect has no COPY".into(),
        ))
    }

    /// Serializes `value` as it would be bound, and hands the bytes to
    /// [`Encoded::set_bytes`], or calls [`Encoded::set_null`].
    fn encode<ST, T>(value: &T, encoded: &mut Encoded) -> QueryResult<()>
    where
        Self: HasSqlType<ST>,
        T: ToSql<ST, Self> + ?Sized;

    /// Which other values the database may hold equal to the key column value
    /// that is encoded as `bytes`, if [`inspect`](Dialect::inspect) finds that
    /// rows may be sorted.
    ///
    /// By default any, so that rows are sent in the order of the input.
    #[must_use]
    fn key_part(kind: TypeKind, bytes: &[u8]) -> KeyPart<'_> {
        let _ = kind;
        KeyPart::new(bytes, Equals::Unknown)
    }

    /// What an error of a statement means.
    ///
    /// By default it is what [`fault_of_kind`] says.
    #[must_use]
    fn fault(error: &DieselError) -> Fault {
        fault_of_kind(error)
    }

    /// The question for the number of the error that the statement before it has raised,
    /// asked where [`fault`](Dialect::fault) does not know the error; `None` where
    /// there is no such question.
    #[must_use]
    fn last_error() -> Option<Question<'static, Self>> {
        None
    }

    /// What the error means whose number [`last_error`](Dialect::last_error) has told.
    #[must_use]
    fn fault_of(number: usize) -> Fault {
        let _ = number;
        Fault::Other
    }

    /// The statement that creates the table of
    /// [idempotency tokens](crate::Upsert::idempotency_token), in which two of them are equal
    /// only if they are the same.
    const CREATE_TOKENS: &'static str =
        "CREATE TABLE upsert_tokens (token VARCHAR(255) NOT NULL PRIMARY KEY)";

    /// The statement that takes the lock that a transaction needs to write `table`,
    /// before it reads; `None` where there is none.
    #[must_use]
    fn lock_table(table: &str, column: &str) -> Option<String> {
        let _ = (table, column);
        None
    }

    /// The question to the catalog about the conflict target of a call, or `None`
    /// where it need not be asked.
    ///
    /// By default it is not asked: a database that needs a unique index says so
    /// itself, and the keys are what [`key_part`](Dialect::key_part) says.
    #[must_use]
    fn inspect<'t>(target: &TargetLookup<'t>) -> Option<Question<'t, Self>> {
        let _ = target;
        None
    }

    /// An expression that is not NULL where the connection keeps an earlier answer to
    /// [`inspect`](Dialect::inspect) which allows what the lookup is for, and that elsewhere
    /// fails with [`Fault::Forgotten`].
    #[must_use]
    fn recall(target: &TargetLookup<'_>) -> Option<String> {
        let _ = target;
        None
    }

    /// Writes `VALUES (..), (..)` that fail where `recall`, which is of
    /// [`recall`](Dialect::recall), does.
    ///
    /// # Errors
    ///
    /// By default always.
    fn push_recalling_rows<'b>(
        recall: &str,
        rows: &dyn Rows<'b, Self>,
        out: &mut AstPass<'_, 'b, Self>,
    ) -> QueryResult<()> {
        let _ = (recall, rows, out);
        Err(DieselError::QueryBuilderError(
            "the dialect recalls nothing".into(),
        ))
    }

    /// What the answer to [`inspect`](Dialect::inspect) means.
    #[must_use]
    fn inspection(answer: usize) -> Inspection {
        let _ = answer;
        Inspection::default()
    }

    /// The statements that prepare to count the rows that are left as they are, on
    /// a database with [`COUNTS_KEPT_ROWS`](Dialect::COUNTS_KEPT_ROWS).
    const BEGIN_COUNT: &'static str = "";

    /// The question for the rows that were left as they are since
    /// [`BEGIN_COUNT`](Dialect::BEGIN_COUNT).
    #[must_use]
    fn kept_rows() -> Option<Question<'static, Self>> {
        None
    }

    /// The question for the rows that [`push_select`](Dialect::push_select) has
    /// proposed since [`BEGIN_COUNT`](Dialect::BEGIN_COUNT), on a database with
    /// [`COUNTS_KEPT_ROWS`](Dialect::COUNTS_KEPT_ROWS).
    #[must_use]
    fn selected_rows() -> Option<Question<'static, Self>> {
        None
    }

    /// The number that answers a [`Question`], from the result of asking it.
    fn answer(result: QueryResult<usize>) -> QueryResult<usize> {
        result
    }
}

/// How a transaction begins, where a dialect has nothing else to say.
pub(crate) const BEGIN: &str = "BEGIN";

/// A question to the database, which [`Dialect::answer`] turns into a number.
///
/// A connection need not be one that loads rows.
#[allow(clippy::exhaustive_enums)] // a dialect makes it
pub enum Question<'q, DB> {
    /// A query; the result is its row count.
    Rows(Fragment<'q, DB>),
    /// Statements without parameters; the result is 0, or an error.
    Statements(String),
}

impl<DB> fmt::Debug for Question<'_, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows(_) => f.debug_tuple("Rows").finish_non_exhaustive(),
            Self::Statements(sql) => f.debug_tuple("Statements").field(sql).finish(),
        }
    }
}

/// A connection that loads rows into a staging table faster than by parameters.
///
/// There is one such table at a time, and only in a transaction, at whose end it is
/// dropped.
pub trait Copier<DB> {
    /// Makes the table, with columns for what `row` binds.
    fn create(&mut self, row: &dyn QueryFragment<DB>, columns: usize) -> Result<(), NoTable>;

    /// Loads rows of `columns` columns each, of which `push` appends one by its position,
    /// value by value as [`push_copy`](Dialect::push_copy) does. Returns how many the
    /// database has taken.
    fn copy(
        &mut self,
        rows: usize,
        columns: usize,
        push: &dyn Fn(usize, &mut Vec<u8>) -> QueryResult<()>,
    ) -> QueryResult<usize>;

    /// Removes its rows, at once if the innermost transaction or savepoint is that in which
    /// the table was made.
    fn truncate(&mut self) -> QueryResult<()>;

    /// Drops the table.
    fn drop(&mut self) -> QueryResult<()>;
}

/// Why there is no table for a [`Copier`].
#[derive(Debug)]
#[allow(clippy::exhaustive_enums)] // the engine has a way for each
pub enum NoTable {
    /// The database does not let it be made. The transaction is to be rolled back, and the
    /// rows can be sent by parameters.
    Refused(DieselError),
    /// Any other error.
    Failed(DieselError),
}

impl From<DieselError> for NoTable {
    fn from(error: DieselError) -> Self {
        Self::Failed(error)
    }
}

/// What becomes of a statement, and of its connection, when the future that
/// waits for it is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // the engine has a way for each
pub enum Dropped {
    /// The connection cannot be used any more, and is marked as broken.
    Breaks,
    /// The statement goes on at the server, and those that are sent later wait
    /// for it.
    Queues,
    /// The statement goes on in another thread, which can be waited for.
    Finishes,
}

/// A [`Dialect`] where a constraint can be the conflict target: PostgreSQL.
#[diagnostic::on_unimplemented(
    message = "a constraint cannot be the conflict target on `{Self}`",
    note = "only PostgreSQL has `ON CONFLICT ON CONSTRAINT`",
    note = "mark the fields of the constraint's columns with `#[conflict_key]` instead of \
            `constraint = \"..\"`, or name the columns in `on_conflict(..)`"
)]
pub trait SupportsConstraintTarget {
    #[doc(hidden)]
    const CHECK: () = ();
}

/// A [`Dialect`] where expressions can be the conflict target: PostgreSQL and
/// SQLite.
#[diagnostic::on_unimplemented(
    message = "an expression cannot be the conflict target on `{Self}`",
    note = "MySQL and MariaDB choose the unique index by themselves",
    note = "add a column to the table, with a unique index on it, into which the application \
            writes the expression's value, and mark its field with `#[conflict_key]`"
)]
pub trait SupportsExpressionTarget {
    #[doc(hidden)]
    const CHECK: () = ();
}

/// A [`Dialect`] that has partial unique indexes: PostgreSQL and SQLite.
#[diagnostic::on_unimplemented(
    message = "there are no partial unique indexes on `{Self}`",
    note = "MySQL and MariaDB have none, so `target_where` and `filter_target` mean nothing there",
    note = "use a unique index on all rows, or on a column that the application leaves NULL in \
            the rows that must not conflict, with `#[conflict_key(nullable)]`"
)]
pub trait SupportsPartialTarget {
    #[doc(hidden)]
    const CHECK: () = ();
}

/// A conflict target, to be looked up in the catalog.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
// Each is a question of its own.
#[allow(clippy::struct_excessive_bools)]
pub struct TargetLookup<'t> {
    /// The table's name as SQL, quoted, with its schema if `table!` names one.
    pub table: &'t str,
    /// The columns.
    pub columns: &'t [&'static str],
    /// Is it needed to know whether the rows may be sorted?
    pub sorts: bool,
    /// Has a column a type of which the database may hold different binds
    /// equal?
    pub depends_on_column: bool,
    /// Are rows left out, sorted as they are, as others have their keys and write over
    /// all that they would have written?
    pub leaves_out: bool,
    /// Is it needed that rows can be rolled back, while others stay?
    pub rolls_back: bool,
}

impl<'t> TargetLookup<'t> {
    /// Asks for the unique index alone.
    pub(crate) fn of_index(table: &'t str, columns: &'t [&'static str]) -> Self {
        Self {
            table,
            columns,
            sorts: false,
            depends_on_column: false,
            leaves_out: false,
            rolls_back: false,
        }
    }

    /// The schema and the table, unquoted.
    #[must_use]
    pub fn names(&self) -> (Option<String>, String) {
        unquote(self.table)
    }
}

/// The schema and the table of a quoted name.
pub(crate) fn unquote(name: &str) -> (Option<String>, String) {
    let mut chars = name.chars().peekable();
    let quote = chars
        .peek()
        .copied()
        .filter(|char| matches!(char, '"' | '`'));
    let (mut schema, mut part) = (None, String::new());
    let mut is_inside = false;
    while let Some(char) = chars.next() {
        if Some(char) == quote {
            // A quote inside of a name is doubled.
            if is_inside && chars.next_if_eq(&char).is_some() {
                part.push(char);
            } else {
                is_inside = !is_inside;
            }
        } else if char == '.' && !is_inside {
            schema = Some(core::mem::take(&mut part));
        } else {
            part.push(char);
        }
    }
    (schema, part)
}

/// What the catalog says of a conflict target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // a dialect makes it
// Each is an answer of its own.
#[allow(clippy::struct_excessive_bools)]
pub struct Inspection {
    /// Has the table a unique index on the target, as far as can be seen?
    pub has_unique_index: bool,
    /// Does the database hold keys equal only as [`Dialect::key_part`] says, so
    /// that rows may be sorted? No collation, type, trigger or setting is in
    /// the way. Matters only if [`TargetLookup::sorts`].
    pub may_sort: bool,
    /// The largest statement in bytes that the server takes, where it says.
    pub max_bytes: Option<usize>,
    /// Does the connection keep this for [`Dialect::recall`]?
    pub is_kept: bool,
    /// Does the server commit a statement that is in no transaction?
    pub autocommits: bool,
    /// Can rows of the table be rolled back? Matters only if [`TargetLookup::rolls_back`].
    pub is_transactional: bool,
}

impl Default for Inspection {
    /// What is taken for granted where the database is not asked.
    fn default() -> Self {
        Self {
            has_unique_index: true,
            may_sort: true,
            max_bytes: None,
            is_kept: false,
            autocommits: true,
            is_transactional: true,
        }
    }
}

/// A value of a key column, encoded to be compared and sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPart<'k> {
    /// The value: the same bytes for two binds exactly if the binds are the
    /// same.
    pub value: Cow<'k, [u8]>,
    /// Which other values the database may hold equal to it.
    pub equals: Equals<'k>,
}

/// Which other values a database may hold equal to a value of a key column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Equals<'k> {
    /// None.
    Same,
    /// Only values of the same class.
    Class(Cow<'k, [u8]>),
    /// Any.
    Unknown,
}

impl<'k> KeyPart<'k> {
    /// The value `bytes`.
    #[must_use]
    pub fn new(bytes: &'k [u8], equals: Equals<'k>) -> Self {
        Self {
            value: bytes.into(),
            equals,
        }
    }
}

/// What an error of a statement means.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Another transaction was in the way.
    Contention(Contention),
    /// The connection is lost, and with it the answer.
    ConnectionLost,
    /// The values of a row are at fault: a constraint refuses them, or the column's type.
    Row,
    /// No values are: the table, the user's rights, the state of the server.
    NotRow,
    /// There is no unique index that matches the conflict target.
    NoUniqueIndex,
    /// A conflict key stands twice in the statement.
    CardinalityViolation,
    /// A unique index other than the conflict target's is violated; its name,
    /// if the database tells.
    UniqueViolation(Option<String>),
    /// The statement is larger than the server accepts.
    TooLarge,
    /// The statement has more parameters than the database takes, as it was built or told to
    /// take fewer than [`MAX_BINDS`](Dialect::MAX_BINDS).
    TooManyBinds,
    /// The connection does not keep what the statement relies on.
    Forgotten,
    /// Anything else.
    Other,
}

/// What an error means by the kind that Diesel gives it.
#[must_use]
pub fn fault_of_kind(error: &DieselError) -> Fault {
    let DieselError::DatabaseError(kind, info) = error else {
        return Fault::Other;
    };
    match kind {
        _ if is_of_row(error) => Fault::Row,
        DatabaseErrorKind::UniqueViolation => Fault::UniqueViolation(constraint(&**info)),
        DatabaseErrorKind::SerializationFailure => Fault::Contention(Contention::Serialization),
        // The server has answered before it was gone.
        DatabaseErrorKind::ClosedConnection if info.constraint_name().is_some() => Fault::Row,
        DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand => {
            Fault::ConnectionLost
        }
        DatabaseErrorKind::ReadOnlyTransaction => Fault::NotRow,
        _ => Fault::Other,
    }
}

/// Implements [`Dialect::encode`] for a backend of Diesel's.
macro_rules! encode_by_collector {
    ($lookup:expr) => {
        fn encode<ST, T>(
            value: &T,
            encoded: &mut crate::key::Encoded,
        ) -> diesel::result::QueryResult<()>
        where
            Self: diesel::sql_types::HasSqlType<ST>,
            T: diesel::serialize::ToSql<ST, Self> + ?Sized,
        {
            let tap = crate::key::Tap::new(value, encoded);
            let mut collector = <Self as diesel::backend::Backend>::BindCollector::default();
            diesel::query_builder::BindCollector::push_bound_value::<ST, _>(
                &mut collector,
                &tap,
                $lookup,
            )
        }
    };
}
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
use encode_by_collector;

/// The class of text under the collations that compare without regard to case
/// and to trailing spaces, or `None` where other characters may be equal too.
///
/// For text in printable ASCII this is a class under the collations that are not
/// of one language. Text outside of it may have accents, ligatures or ignored
/// characters, which no short rule covers.
#[cfg(feature = "mysql")]
fn fold_ascii(text: &[u8]) -> Equals<'_> {
    let mut folded = Vec::with_capacity(text.len());
    for byte in text {
        if !matches!(byte, 0x20..=0x7e) {
            return Equals::Unknown;
        }
        folded.push(byte.to_ascii_lowercase());
    }
    let end = folded
        .iter()
        .rposition(|byte| *byte != b' ')
        .map_or(0, |last| last + 1);
    folded.truncate(end);
    Equals::Class(folded.into())
}

#[cfg(all(test, feature = "mysql"))]
mod tests {
    use super::*;

    #[test]
    fn text_is_folded_as_collations_may_compare_it() {
        assert_eq!(fold_ascii(b"Straw  "), fold_ascii(b"sTRAW"));
        assert_ne!(fold_ascii(b" a"), fold_ascii(b"a"));
        assert_ne!(fold_ascii(b"a-b"), fold_ascii(b"ab"));
        assert_eq!(fold_ascii(b" "), fold_ascii(b""));
    }

    #[test]
    fn names_are_split_at_their_quotes() {
        let names = |table| {
            TargetLookup {
                table,
                columns: &[],
                sorts: true,
                depends_on_column: false,
                leaves_out: false,
                rolls_back: false,
            }
            .names()
        };
        assert_eq!(names("`t`"), (None, "t".to_owned()));
        assert_eq!(
            names("`my.db`.`odd``name`"),
            (Some("my.db".to_owned()), "odd`name".to_owned())
        );
        assert_eq!(names("\"a\".\"b\""), (Some("a".to_owned()), "b".to_owned()));
        assert_eq!(
            names("`a`.```.```"),
            (Some("a".to_owned()), "`.`".to_owned())
        );
    }

    #[test]
    fn text_outside_of_printable_ascii_is_unknown() {
        for text in ["é", "ß", "a\0", "a\tb", "😀"] {
            assert_eq!(fold_ascii(text.as_bytes()), Equals::Unknown, "{text:?}");
        }
    }
}

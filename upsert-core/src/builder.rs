//! A call and its options.

use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;

use crate::batch::{Batch, ModelBatch};
use crate::connection::{OutcomeConnection, UpsertConnection};
use crate::dialect::Dialect;
use crate::engine::{self, results};
use crate::error::{Error, Result, refuse};
use crate::explain::Explanation;
use crate::model::{Model, plain};
use crate::on_error::OnError;
use crate::outcome::Outcome;
use crate::overrides::{Overriding, Writes};
use crate::progress::{Progress, Reporter};
use crate::retry::Retry;
use crate::returning::{
    Loads, Nothing, OfRow, Returned, Returning, ReturningOld, Slot, Unread, Wanted,
};
use crate::session::blocking::BlockingSession;
use crate::session::now;
use crate::sql::sql_of;
use crate::statement::UpsertStatement;
use crate::token::MAX_TOKEN;
use crate::upsertable::{Upsertable, Upserts};

use Upsert as Builder;
#[path = "override_methods.rs"]
mod methods;

/// Starts a call that inserts or updates `rows`, to be given options and then
/// [executed](Upsert::execute).
///
/// The rows may be a slice, a `Vec`, or anything else that yields models or
/// references to them.
///
/// ```
/// # include!("doctest_setup.rs");
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let conn = &mut connection();
/// use upsert_core::{Duplicates, upsert};
///
/// let rows = [
///     Product { sku: "a", name: "Apple" },
///     Product { sku: "b", name: "Bread" },
/// ];
/// let written = upsert(&rows)
///     .on_duplicate(Duplicates::Reject)
///     .chunk_size(100)
///     .execute(conn)?;
/// assert_eq!(written, 2);
/// # Ok(())
/// # }
/// ```
pub fn upsert<'f, I: IntoIterator<Item: Upsertable>>(rows: I) -> Upsert<'f, I::Item, I::Item> {
    Upsert::new(rows.into_iter().collect())
}

/// A call that inserts or updates rows; [`upsert`] starts one.
///
/// `O` is the list of what the call overrides; it is always inferred.
#[must_use = "a call does nothing until it is executed"]
pub struct Upsert<'f, B, R: Upsertable, O = (), M = Blocking> {
    batch: ModelBatch<B, R>,
    options: Options<'f>,
    overrides: O,
    mode: PhantomData<fn() -> M>,
}

/// A call on a blocking connection, one of Diesel's own.
#[derive(Debug)]
pub enum Blocking {}

/// The options of a call.
#[derive(Default)]
pub(crate) struct Options<'f> {
    pub(crate) duplicates: Duplicates,
    pub(crate) chunk_size: Option<usize>,
    pub(crate) strategy: Option<Strategy>,
    pub(crate) retry: Option<Retry>,
    pub(crate) on_error: OnError<'f>,
    pub(crate) token: Option<String>,
    /// Were rows of the same input written, by an earlier batch of a stream?
    pub(crate) has_written: bool,
    pub(crate) progress: Reporter<'f>,
}

impl Options<'_> {
    /// Refuses a call on `table` for the options that only `execute` has.
    pub(crate) fn check_for(&self, method: &str, table: impl FnOnce() -> String) -> Result<()> {
        let (what, instead) = match &self.on_error {
            OnError::Skip(_) => ("on_error(OnError::Skip(..))", "or write `OnError::Name`"),
            _ if self.token.is_some() => ("idempotency_token(..)", "or leave it out"),
            _ => return Ok(()),
        };
        Err(Error::of_building(
            table(),
            refuse(format!(
                "`{what}` is not for `{method}`: `execute` the call, {instead}"
            )),
        ))
    }

    /// Refuses a token that two calls could share without being meant to.
    pub(crate) fn check_token(&self, table: impl FnOnce() -> String) -> Result<()> {
        match &self.token {
            Some(token) if token.contains('\0') => Err(Error::of_building(
                table(),
                refuse("the `idempotency_token` has a NUL, which not every database can store"),
            )),
            Some(token) if token.is_empty() || token.len() > MAX_TOKEN => Err(Error::of_building(
                table(),
                refuse(format!(
                    "the `idempotency_token` has {} bytes, but it takes 1 to {MAX_TOKEN}: write \
                     what tells this call from others, such as the name and the date of a feed",
                    token.len(),
                )),
            )),
            _ => Ok(()),
        }
    }

    /// The same options for a part of the call, without the report.
    pub(crate) fn of_part(&self) -> Options<'static> {
        Options {
            duplicates: self.duplicates,
            chunk_size: self.chunk_size,
            strategy: self.strategy,
            retry: self.retry,
            on_error: if self.on_error.names_rows() {
                OnError::Name
            } else {
                OnError::Abort
            },
            token: None,
            has_written: false,
            progress: Reporter::default(),
        }
    }
}

/// What becomes of input rows that have the same conflict key.
///
/// Keys are the same if the database receives the same: two timestamps that
/// differ by nanoseconds are one key where microseconds are sent. A key with a
/// NULL is the same as no other.
///
/// A database may hold more keys equal than that: by a collation that ignores
/// case, by padding, by rounding to the column. Such rows all go to the
/// database under every policy, and end as if upserted one by one. So do all
/// rows where the target has a predicate, as only the database knows which rows
/// the partial index has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Duplicates {
    /// The table ends as if the rows had been upserted one by one in the order
    /// of the input.
    #[default]
    InOrder,
    /// The first row with a key is written, the others are left out.
    KeepFirst,
    /// The last row with a key is written, the others are left out.
    KeepLast,
    /// The call fails with [`Error::RepeatedKey`](crate::Error::RepeatedKey) before anything is sent.
    Reject,
}

/// How rows are sent. Every strategy gives the same table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Strategy {
    /// A parameter for each value: `VALUES (?, ?), (?, ?)`. On every database, for every
    /// column.
    Values,
    /// One array for each column: `SELECT unnest($1), unnest($2)`. On PostgreSQL, for
    /// columns of its own types that are neither arrays nor records.
    Unnest,
    /// COPY into a staging table, a temporary one, and from there into the model's. On
    /// PostgreSQL for the same columns, with the crate's feature `copy`, on a connection that
    /// is a [`PgConnection`](diesel::pg::PgConnection), r2d2's included. On others the call
    /// does not choose it by itself, and is refused if it was asked for.
    ///
    /// ```sql
    /// CREATE TEMP TABLE __upsert_copy (c0, c1) ON COMMIT DROP AS SELECT $1, $2 WITH NO DATA;
    /// COPY pg_temp.__upsert_copy FROM STDIN WITH (FORMAT binary);
    /// INSERT INTO "products" ("sku", "name") SELECT * FROM pg_temp.__upsert_copy
    ///   ON CONFLICT ("sku") DO UPDATE SET "name" = excluded."name"
    /// ```
    ///
    /// The table is emptied for the next rows that are copied, and dropped at the end of the
    /// call. Where it cannot be made, as the user may make none or has one of that name,
    /// arrays are sent, unless `COPY` was asked for. A transaction with a
    /// temporary table cannot be [prepared for a two-phase
    /// commit](https://www.postgresql.org/docs/current/sql-prepare-transaction.html).
    Copy,
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Values => "VALUES",
            Self::Unnest => "unnest",
            Self::Copy => "COPY",
        })
    }
}

impl<B, R, M> Upsert<'_, B, R, (), M>
where
    B: Borrow<R>,
    R: Upsertable,
{
    pub(crate) fn new(rows: Vec<B>) -> Self {
        Self {
            batch: ModelBatch::new(rows),
            options: Options::default(),
            overrides: (),
            mode: PhantomData,
        }
    }
}

impl<'f, B, R: Upsertable, O, M> Upsert<'f, B, R, O, M> {
    fn with<Next>(self, next: Next) -> Upsert<'f, B, R, (O, Next), M> {
        Upsert {
            batch: self.batch,
            options: self.options,
            overrides: (self.overrides, next),
            mode: PhantomData,
        }
    }
}

impl<'f, B, R, O, M> Upsert<'f, B, R, O, M>
where
    B: Borrow<R>,
    R: Upsertable,
{
    /// Chooses what becomes of input rows that have the same conflict key; by
    /// default [`Duplicates::InOrder`].
    pub fn on_duplicate(mut self, policy: Duplicates) -> Self {
        self.options.duplicates = policy;
        self
    }

    /// Limits a statement to `rows` rows; 0 is taken as 1.
    ///
    /// By default the database's dialect chooses what measured best; more rows
    /// win nothing. The table ends the same whatever the size. A statement never
    /// has more rows than the database's limits allow, and with `outcome` or
    /// `returning` never more than 1024.
    pub fn chunk_size(mut self, rows: usize) -> Self {
        self.options.chunk_size = Some(rows);
        self
    }

    /// Chooses how rows are sent.
    ///
    /// By default it is what measured fastest: on PostgreSQL arrays for two rows and more,
    /// COPY for 16 384 and more where the connection has it, if the columns can be sent so,
    /// and values otherwise. The table ends the same. [`explain`](Upsert::explain) says
    /// which it is.
    ///
    /// ```
    /// # include!("doctest_setup.rs");
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let conn = &mut connection();
    /// use upsert_core::{Strategy, upsert};
    ///
    /// let rows = [Product { sku: "a", name: "Apple" }];
    /// let written = upsert(&rows).strategy(Strategy::Values).execute(conn)?;
    /// assert_eq!(written, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The call fails with [`Error::Refused`] if its rows cannot be sent so.
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.options.strategy = Some(strategy);
        self
    }

    /// Runs the call again after a [`Contention`](crate::Contention), as often as `retry`
    /// says: after a deadlock, a serialization failure, a lock or a database that was busy
    /// for too long.
    ///
    /// The whole transaction is run again, with the rows of the call, so what fails leaves
    /// nothing behind. In a transaction of the caller's the call is not: on PostgreSQL and
    /// SQLite its next attempt would see what the first has seen, and on MySQL a deadlock has
    /// ended the caller's transaction. There the error, [`Error::Contention`], tells to run
    /// that again. After a lost connection nothing is: see [`Error::commit_outcome`].
    ///
    /// ```
    /// # include!("doctest_setup.rs");
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let conn = &mut connection();
    /// use upsert_core::{Retry, upsert};
    ///
    /// let rows = [Product { sku: "a", name: "Apple" }];
    /// let written = upsert(&rows).retry(Retry::default()).execute(conn)?;
    /// assert_eq!(written, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn retry(mut self, retry: Retry) -> Self {
        self.options.retry = Some(retry);
        self
    }

    /// Chooses what becomes of the call if rows cannot be written, because of their values;
    /// by default [`OnError::Abort`].
    ///
    /// The rows are found by sending the statement again in halves, each under a savepoint:
    /// about twelve statements for a single one among 1000.
    ///
    /// ```
    /// # include!("doctest_setup.rs");
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let conn = &mut connection();
    /// # use diesel::connection::SimpleConnection;
    /// # conn.batch_execute("CREATE TRIGGER no_bread BEFORE INSERT ON products
    /// #     WHEN NEW.name = 'Bread' BEGIN SELECT RAISE(ABORT, 'no bread'); END")?;
    /// use upsert_core::{Error, OnError, upsert};
    ///
    /// let names = ["Apple", "Bread", "Cherry"];
    /// let rows = names.map(|name| Product { sku: name, name });
    /// let result = upsert(&rows).on_error(OnError::Name).execute(conn);
    /// let Err(Error::FailedRows { failed, .. }) = result else { panic!() };
    /// assert_eq!(failed[0].row, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// A call with `outcome` or `returning`, and one over several connections, cannot leave
    /// rows out: with [`OnError::Skip`] it fails with [`Error::Refused`], before anything is
    /// sent.
    pub fn on_error(mut self, policy: OnError<'f>) -> Self {
        self.options.on_error = policy;
        self
    }

    /// Applies the call once, however often it is sent with the same `token`: a text of the
    /// caller's for what the call is about, of 1 to 255 bytes without NUL, such as
    /// `"products of feed 2026-11-22T03:00"`.
    ///
    /// **A token is for one call.** Another model, another part of the rows takes another token:
    /// with one that was used, nothing is written, and the call returns 0. A call without rows
    /// uses none.
    ///
    /// The call's transaction writes the token into a table of its own, which the application
    /// creates, on PostgreSQL and SQLite by the first of these statements, on MySQL and MariaDB
    /// by the second, as their texts hold letters equal that are different:
    ///
    /// ```sql
    /// CREATE TABLE upsert_tokens (token VARCHAR(255) NOT NULL PRIMARY KEY);
    /// CREATE TABLE upsert_tokens (token VARBINARY(255) NOT NULL PRIMARY KEY);
    ///
    /// INSERT INTO upsert_tokens (token) VALUES ('products of feed 2026-11-22T03:00')
    ///   ON CONFLICT (token) DO NOTHING;
    /// ```
    ///
    /// So a call whose COMMIT got no answer, [`Error::CommitUnknown`], can be sent again, also
    /// where it adds to what is there. The table may have other columns with defaults, the time
    /// for example, by which old tokens are deleted.
    ///
    /// ```
    /// # include!("doctest_setup.rs");
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let conn = &mut connection();
    /// # use diesel::connection::SimpleConnection;
    /// use upsert_core::upsert;
    ///
    /// conn.batch_execute("CREATE TABLE upsert_tokens (token VARCHAR(255) NOT NULL PRIMARY KEY)")?;
    /// let rows = [Product { sku: "a", name: "Apple" }];
    /// let mut send = || upsert(&rows).idempotency_token("feed 7").execute(conn);
    /// assert_eq!(send()?, 1);
    /// assert_eq!(send()?, 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Token`](crate::Error::Token) if the token cannot be written.
    /// A call with `outcome` or `returning`, and one over several connections, cannot have one:
    /// it fails with [`Error::Refused`].
    pub fn idempotency_token(mut self, token: impl Into<String>) -> Self {
        self.options.token = Some(token.into());
        self
    }

    /// Calls `report` after every statement; on SQLite that is every 128 rows, so print
    /// less often.
    ///
    /// What it reports as written is written in the call's transaction: if the
    /// call fails later, none of it stays. If PostgreSQL finds keys equal that
    /// were sent as different ones, the call starts again, and so does the
    /// count.
    pub fn on_progress(mut self, report: impl FnMut(Progress) + Send + 'f) -> Self {
        self.options.progress.set(report);
        self
    }

    /// Returns something of each row: columns, tuples of them, or
    /// `Model::as_returning()`, as in Diesel.
    ///
    /// It comes last, behind the options of the call; then
    /// [`get_results`](Returning::get_results), [`get_result`](Returning::get_result)
    /// or [`outcome`](Returning::outcome) sends the rows.
    ///
    /// One result for each input row, in the order of the input, whether the row
    /// was written or not: with [`do_nothing`](Upsert::do_nothing) it gets or
    /// creates rows.
    ///
    /// On PostgreSQL the statement returns what it writes, before any AFTER trigger
    /// of a row, and rows that it does not write are read by their conflict key
    /// after it. On SQLite, MySQL and MariaDB all rows are read back by their key,
    /// in the same transaction.
    ///
    /// ```
    /// # include!("doctest_setup.rs");
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let conn = &mut connection();
    /// use upsert_core::{Action, upsert};
    ///
    /// upsert([Product { sku: "b", name: "Bread" }]).execute(conn)?;
    /// let rows = [
    ///     Product { sku: "b", name: "Brioche" },
    ///     Product { sku: "a", name: "Apple" },
    /// ];
    /// let names: Vec<String> = upsert(&rows)
    ///     .do_nothing()
    ///     .returning(products::name)
    ///     .get_results(conn)?;
    /// assert_eq!(names, ["Bread", "Apple"]);
    ///
    /// let both: Vec<(Action, (String, String))> = upsert(&rows)
    ///     .returning((products::sku, products::name))
    ///     .outcome(conn)?;
    /// assert_eq!(both[0], (Action::Updated, ("b".into(), "Brioche".into())));
    /// # Ok(())
    /// # }
    /// ```
    pub fn returning<E: OfRow<R::Table>>(self, returning: E) -> Returning<'f, B, R, O, E, M> {
        Returning {
            call: self,
            returning,
        }
    }

    /// Returns something of each row before and after it was upserted, for an
    /// audit trail.
    ///
    /// Rows that exist are locked and read before they are written, which takes
    /// about twice the time. On PostgreSQL, MySQL and MariaDB missing rows are
    /// inserted on the way, so that rows are locked in the order of their keys as
    /// by every other call.
    ///
    /// ```
    /// # include!("doctest_setup.rs");
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let conn = &mut connection();
    /// use upsert_core::{Action, Change, upsert};
    ///
    /// upsert([Product { sku: "a", name: "Apple" }]).execute(conn)?;
    /// let changes: Vec<Change<String>> = upsert([Product { sku: "a", name: "Apricot" }])
    ///     .returning_old(products::name)
    ///     .get_results(conn)?;
    /// assert_eq!(changes[0].action, Action::Updated);
    /// assert_eq!(changes[0].old.as_deref(), Some("Apple"));
    /// assert_eq!(changes[0].new, "Apricot");
    /// # Ok(())
    /// # }
    /// ```
    pub fn returning_old<E: OfRow<R::Table>>(
        self,
        returning: E,
    ) -> ReturningOld<'f, B, R, O, E, M> {
        ReturningOld {
            call: self,
            returning,
        }
    }
}

impl<'f, B, R, O: 'f, M> Upsert<'f, B, R, O, M>
where
    B: Borrow<R>,
    R: Upsertable,
{
    /// The call on the database `DB`; `None` if it has no rows.
    pub(crate) fn prepare<DB>(self) -> Result<Option<Prepared<'f, DB, B, R>>>
    where
        DB: Dialect + Upserts<R::Model> + Writes<O>,
    {
        if self.batch.count() == 0 {
            return Ok(None);
        }
        self.prepared().map(Some)
    }

    /// The same, with any number of rows.
    pub(crate) fn prepared<DB>(self) -> Result<Prepared<'f, DB, B, R>>
    where
        DB: Dialect + Upserts<R::Model> + Writes<O>,
    {
        let model = Model::of::<R>(Overriding::of(self.overrides))?;
        self.options.check_token(|| model.plain_table())?;
        Ok(Prepared {
            batch: self.batch,
            model,
            options: self.options,
        })
    }

    /// Refuses a call that has not exactly one row.
    pub(crate) fn check_is_one_row<DB>(&self) -> Result<()>
    where
        DB: Dialect + Upserts<R::Model>,
    {
        if self.batch.count() == 1 {
            return Ok(());
        }
        let table = sql_of(&<DB as Upserts<R::Model>>::from_clause()).map_err(Error::Connection)?;
        Err(Error::of_building(
            plain(&table),
            refuse(format!(
                "`get_result` is for one row, but the call has {}: use `get_results`",
                self.batch.count()
            )),
        ))
    }

    /// The statement that inserts or updates the rows, for the database `DB`.
    ///
    /// It can be printed, embedded or run. What the call overrides is in it; its
    /// other options do not matter to it.
    ///
    /// ```
    /// # include!("doctest_setup.rs");
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use diesel::debug_query;
    /// use diesel::sqlite::Sqlite;
    /// use upsert_core::upsert;
    ///
    /// let rows = [Product { sku: "a", name: "Apple" }];
    /// let statement = upsert(&rows).statement::<Sqlite>()?;
    /// assert_eq!(
    ///     debug_query::<Sqlite, _>(&statement).to_string(),
    ///     "INSERT INTO `products` (`sku`, `name`) VALUES (?, ?) \
    ///      ON CONFLICT (`sku`) DO UPDATE SET `name` = excluded.`name` \
    ///      -- binds: [\"a\", \"Apple\"]",
    /// );
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Refused`](crate::Error::Refused) if there are no rows, if they do not all supply the same
    /// columns (see [the crate's documentation](crate) on `None`), or if the
    /// call cannot be written as SQL.
    pub fn statement<DB: Dialect + Upserts<R::Model> + Writes<O>>(
        self,
    ) -> Result<UpsertStatement<'f, DB, B, R>> {
        let model = Model::of::<R>(Overriding::of(self.overrides))?;
        let statement = UpsertStatement::new(self.batch, model);
        statement.check()?;
        Ok(statement)
    }
}

impl<'f, B, R, O: 'f> Upsert<'f, B, R, O>
where
    B: Borrow<R>,
    R: Upsertable,
{
    /// Sends the rows, and returns how many of them were inserted or updated.
    ///
    /// See [`Upsertable::bulk_upsert`] for what is promised.
    ///
    /// # Errors
    ///
    /// Any [`Error`](crate::Error); nothing of the call is then in the table.
    pub fn execute<C: UpsertConnection<R, O> + 'static>(self, conn: &mut C) -> Result<usize> {
        let Some(mut call) = self.prepare()? else {
            return Ok(0);
        };
        let session = &mut BlockingSession::with_copy(conn);
        let batch: &dyn Batch<C::Backend> = &call.batch;
        now(engine::run(session, batch, &call.model, &mut call.options))
    }

    /// What [`execute`](Upsert::execute) would do: the statements, how many rows each of
    /// them writes, and in which order.
    ///
    /// Nothing is written. The catalog is asked what `execute` would ask it, in a
    /// transaction on SQLite under its write lock.
    ///
    /// ```
    /// # include!("doctest_setup.rs");
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let conn = &mut connection();
    /// use upsert_core::{Strategy, upsert};
    ///
    /// let skus: Vec<String> = (0..300).map(|i| format!("sku-{i}")).collect();
    /// let rows = skus.iter().map(|sku| Product { sku, name: "New" });
    /// let explanation = upsert(rows).explain(conn)?;
    /// assert!(explanation.is_sorted);
    /// let sizes: Vec<usize> = explanation.statements.iter().map(|it| it.rows).collect();
    /// assert_eq!(sizes, [128, 128, 32, 8, 4]);
    /// assert_eq!(explanation.statements[0].strategy, Strategy::Values);
    /// println!("{explanation}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Any [`Error`] that [`execute`](Upsert::execute) would find before it writes.
    pub fn explain<C: UpsertConnection<R, O> + 'static>(self, conn: &mut C) -> Result<Explanation> {
        let mut call = self.prepared()?;
        let session = &mut BlockingSession::with_copy(conn);
        let batch: &dyn Batch<C::Backend> = &call.batch;
        now(engine::explain(
            session,
            batch,
            &call.model,
            &mut call.options,
        ))
    }

    /// Sends the rows, and returns what became of each of them, in the order of
    /// the input: inserted, updated, unchanged or skipped.
    ///
    /// Input rows with the same key have one action each, as if they were applied
    /// one by one.
    ///
    /// On PostgreSQL a statement returns what it wrote, with the row's number:
    ///
    /// ```sql
    /// INSERT INTO "products" ("sku", "name")
    /// SELECT "sku", "name" FROM (VALUES (0, $1, $2), (1, $3, $4)) AS __upsert_rows (__upsert_row, "sku", "name")
    /// WHERE pg_catalog.set_config('upsert.row', (__upsert_row * 4)::pg_catalog.text, TRUE) IS NOT NULL
    /// ON CONFLICT ("sku") DO UPDATE SET "name" = excluded."name" WHERE ..
    /// RETURNING pg_catalog.current_setting('upsert.row')::pg_catalog.int8, 0
    /// ```
    ///
    /// On MySQL and MariaDB the clause writes a log into a variable of the session,
    /// `@upsert_log`, which is read after it. On SQLite, where nobody else writes,
    /// the rows are looked up before they are written.
    ///
    /// [`returning`](Upsert::returning) returns the rows too.
    ///
    /// # Errors
    ///
    /// Any [`Error`](crate::Error); nothing of the call is then in the table.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!("doctest_setup.rs");
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let conn = &mut connection();
    /// use upsert_core::{Action, upsert};
    ///
    /// let rows = [
    ///     Product { sku: "a", name: "Apple" },
    ///     Product { sku: "b", name: "Bread" },
    ///     Product { sku: "a", name: "Apple" },
    /// ];
    /// let outcome = upsert(&rows).skip_unchanged(true).outcome(conn)?;
    /// assert_eq!(
    ///     outcome.actions(),
    ///     [Action::Inserted, Action::Inserted, Action::Unchanged],
    /// );
    /// assert_eq!(outcome.to_string(), "2 inserted, 1 unchanged");
    /// # Ok(())
    /// # }
    /// ```
    pub fn outcome<C: OutcomeConnection<R, O>>(self, conn: &mut C) -> Result<Outcome> {
        let slots: Vec<Slot<Unread>> = self.results(conn, &Nothing, Wanted::ACTIONS)?;
        Ok(slots.into_iter().map(|slot| slot.action).collect())
    }

    pub(crate) fn results<C, E, U>(
        self,
        conn: &mut C,
        returning: &E,
        wanted: Wanted,
    ) -> Result<Vec<Slot<U>>>
    where
        C: OutcomeConnection<R, O> + Loads<E, U>,
    {
        let Some(mut call) = self.prepare()? else {
            return Ok(Vec::new());
        };
        let (model, options) = (&call.model, &mut call.options);
        options.check_for("outcome` and `returning", || model.plain_table())?;
        let session = &mut BlockingSession::of(conn);
        let batch: &dyn Batch<C::Backend> = &call.batch;
        let returned = Returned::<Blocking, C, E, U>::new(returning);
        now(results::run(
            session, batch, model, options, &returned, wanted,
        ))
    }
}

/// A call that is ready to be sent.
pub(crate) struct Prepared<'f, DB, B, R: Upsertable> {
    pub(crate) batch: ModelBatch<B, R>,
    pub(crate) model: Model<'f, DB>,
    pub(crate) options: Options<'f>,
}

impl<B, R: Upsertable, O, M> fmt::Debug for Upsert<'_, B, R, O, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upsert")
            .field("duplicates", &self.options.duplicates)
            .field("chunk_size", &self.options.chunk_size)
            .finish_non_exhaustive()
    }
}

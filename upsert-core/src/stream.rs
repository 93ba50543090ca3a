//! Rows that come one by one, more of them than memory holds.

use std::borrow::Borrow;
use std::fmt;
use std::iter;
use std::marker::PhantomData;

use crate::builder::{Blocking, Options, Strategy};
use crate::connection::UpsertConnection;
use crate::engine::stream::{self, LocalSource};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::on_error::OnError;
use crate::overrides::Overriding;
use crate::progress::Progress;
use crate::retry::Retry;
use crate::session::blocking::BlockingSession;
use crate::session::now;
use crate::trace;
use crate::upsertable::Upsertable;

use UpsertStream as Builder;
#[path = "override_methods.rs"]
mod methods;

/// Rows that cannot be errors, as those of a stream that can.
pub type Sure<I> = iter::Map<I, fn(<I as Iterator>::Item) -> Result<<I as Iterator>::Item>>;

/// Starts a call that inserts or updates the rows of an iterator of any length, in
/// constant memory, to be given options and then executed.
///
/// [`bulk_upsert_stream`](crate::Upsertable::bulk_upsert_stream) is its short form, and
/// says what is promised.
///
/// ```
/// # include!("doctest_setup.rs");
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let conn = &mut connection();
/// use upsert_core::upsert_stream;
///
/// let skus: Vec<String> = (0..30_000).map(|i| format!("sku-{i}")).collect();
/// let mut committed = 0;
/// let written = upsert_stream(skus.iter().map(|sku| Product { sku, name: "New" }))
///     .commit_every(10_000)
///     .on_progress(|progress| committed = progress.committed)
///     .execute(conn)?;
/// assert_eq!((written, committed), (30_000, 30_000));
/// # Ok(())
/// # }
/// ```
pub fn upsert_stream<'f, I>(rows: I) -> UpsertStream<'f, Sure<I::IntoIter>, I::Item>
where
    I: IntoIterator,
    I::Item: Upsertable,
{
    UpsertStream::new(rows.into_iter().map(Ok))
}

/// Starts a call that inserts or updates the rows of an iterator which may yield
/// errors; the first one ends the call.
///
/// [`bulk_upsert_try_stream`](crate::Upsertable::bulk_upsert_try_stream) is its short
/// form.
pub fn upsert_try_stream<'f, I, B, E>(rows: I) -> UpsertStream<'f, I::IntoIter, B>
where
    I: IntoIterator<Item = core::result::Result<B, E>>,
    B: Upsertable,
    E: From<Error>,
{
    UpsertStream::new(rows.into_iter())
}

/// A call that inserts or updates the rows of an iterator;
/// [`upsert_stream`] starts one.
///
/// It has no `outcome` and no `returning`, whose results would be as many as the rows,
/// and no `on_duplicate`, as rows with the same key may be far apart: they end as if
/// they had been upserted one by one.
///
/// `O` is the list of what the call overrides; it is always inferred.
#[must_use = "a call does nothing until it is executed"]
pub struct UpsertStream<'f, I, R, O = (), M = Blocking> {
    pub(crate) rows: I,
    pub(crate) options: Options<'f>,
    pub(crate) commit_every: Option<usize>,
    pub(crate) overrides: O,
    types: PhantomData<fn() -> (R, M)>,
}

impl<I, R, M> UpsertStream<'_, I, R, (), M> {
    pub(crate) fn new(rows: I) -> Self {
        Self {
            rows,
            options: Options::default(),
            commit_every: None,
            overrides: (),
            types: PhantomData,
        }
    }
}

impl<'f, I, R: Upsertable, O, M> UpsertStream<'f, I, R, O, M> {
    fn with<Next>(self, next: Next) -> UpsertStream<'f, I, R, (O, Next), M> {
        UpsertStream {
            rows: self.rows,
            options: self.options,
            commit_every: self.commit_every,
            overrides: (self.overrides, next),
            types: PhantomData,
        }
    }

    /// Limits a statement to `rows` rows; 0 is taken as 1.
    ///
    /// The same as [`Upsert::chunk_size`](crate::Upsert::chunk_size).
    pub fn chunk_size(mut self, rows: usize) -> Self {
        self.options.chunk_size = Some(rows);
        self
    }

    /// Chooses how rows are sent.
    ///
    /// The same as [`Upsert::strategy`](crate::Upsert::strategy).
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.options.strategy = Some(strategy);
        self
    }

    /// Commits after every `rows` rows of the input, so that no transaction is longer;
    /// 0 is taken as 1. Multiples of 16 384 are the fastest, the rows that a stream holds at
    /// once: fewer than these are not sent by COPY.
    ///
    /// **The call is then not all or nothing.** Every transaction is, and they follow the
    /// input: what is committed is always its first rows, whatever order they were sent
    /// in. [`Progress::committed`] says how many, whatever ends the call, an error of the
    /// iterator's own too; so does [`Error::Interrupted`](Error::Interrupted), if the
    /// database fails after a commit. Where the connection is lost during a commit, the rows
    /// of that transaction may be in the table too. To go on, skip that many rows of the same
    /// input:
    ///
    /// ```
    /// # include!("doctest_setup.rs");
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let conn = &mut connection();
    /// # use diesel::connection::SimpleConnection;
    /// # conn.batch_execute("CREATE TRIGGER no_bread BEFORE INSERT ON products
    /// #     WHEN NEW.name = 'Bread' BEGIN SELECT RAISE(ABORT, 'no bread'); END")?;
    /// use upsert_core::{Error, upsert_stream};
    ///
    /// let names = ["Apple", "Banana", "Bread", "Cherry"];
    /// let rows = || names.iter().map(|name| Product { sku: name, name });
    ///
    /// let failed = upsert_stream(rows()).commit_every(1).execute(conn);
    /// let Err(Error::Interrupted { committed, .. }) = failed else { panic!() };
    /// assert_eq!(committed, 2);
    ///
    /// # conn.batch_execute("DROP TRIGGER no_bread")?;
    /// upsert_stream(rows().skip(committed)).commit_every(1).execute(conn)?;
    /// assert_eq!(products::table.count().get_result::<i64>(conn)?, 4);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// In a transaction of the caller's nothing could be committed: the call fails with
    /// [`Error::Refused`], and nothing is sent.
    pub fn commit_every(mut self, rows: usize) -> Self {
        self.commit_every = Some(rows.max(1));
        self
    }

    /// Runs a transaction again after a [`Contention`](crate::Contention).
    ///
    /// The same as [`Upsert::retry`](crate::Upsert::retry), for the rows that are in memory.
    ///
    /// # Errors
    ///
    /// Without [`commit_every`](UpsertStream::commit_every) of 16 384 rows at most the call
    /// fails with [`Error::Refused`], and nothing is sent.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.options.retry = Some(retry);
        self
    }

    /// Chooses what becomes of the call if rows cannot be written, because of their values.
    ///
    /// The same as [`Upsert::on_error`](crate::Upsert::on_error). A row's position is that in
    /// the whole input; [`OnError::Name`] names those among up to 16 384 rows that are sent
    /// together. The rows that [`OnError::Skip`] has left out before the call fails stay in
    /// its list.
    pub fn on_error(mut self, policy: OnError<'f>) -> Self {
        self.options.on_error = policy;
        self
    }

    /// Applies the call once, however often it is sent with the same `token`.
    ///
    /// The same as [`Upsert::idempotency_token`](crate::Upsert::idempotency_token). If the
    /// token is there, at most 16 384 rows of the input are taken.
    ///
    /// # Errors
    ///
    /// With [`commit_every`](UpsertStream::commit_every) the call fails with
    /// [`Error::Refused`], and nothing is sent.
    pub fn idempotency_token(mut self, token: impl Into<String>) -> Self {
        self.options.token = Some(token.into());
        self
    }

    /// Calls `report` after every statement, and after every commit of
    /// [`commit_every`](UpsertStream::commit_every).
    ///
    /// What it reports as sent is in the table only if the transaction is committed.
    pub fn on_progress(mut self, report: impl FnMut(Progress) + Send + 'f) -> Self {
        self.options.progress.set(report);
        self
    }
}

impl<'f, I, B, E, R, O: 'f> UpsertStream<'f, I, R, O>
where
    I: Iterator<Item = core::result::Result<B, E>>,
    B: Borrow<R>,
    E: From<Error>,
    R: Upsertable,
{
    /// Sends the rows, and returns how many of them were inserted or updated.
    ///
    /// # Errors
    ///
    /// The iterator's own, or any [`Error`]; without
    /// [`commit_every`](UpsertStream::commit_every) nothing of the call is then in the
    /// table.
    pub fn execute<C: UpsertConnection<R, O> + 'static>(
        mut self,
        conn: &mut C,
    ) -> core::result::Result<usize, E> {
        let model = Model::of::<R>(Overriding::of(self.overrides))?;
        self.options.check_token(|| model.plain_table())?;
        let mut session = BlockingSession::with_copy(conn);
        let mut source = LocalSource(self.rows);
        let options = &mut self.options;
        let commit_every = self.commit_every;
        let written =
            stream::run::<_, _, R>(&mut session, &mut source, &model, options, commit_every);
        now(trace::inside(trace::stream(&model.table), written))
    }
}

impl<I, R, O, M> fmt::Debug for UpsertStream<'_, I, R, O, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpsertStream")
            .field("chunk_size", &self.options.chunk_size)
            .field("commit_every", &self.commit_every)
            .finish_non_exhaustive()
    }
}

//! A call and its options.

use std::borrow::Borrow;
use std::fmt;

use diesel::connection::Connection;

use crate::dialect::Dialect;
use crate::engine;
use crate::error::Result;
use crate::model::Model;
use crate::overrides::{Overrides, Overriding, override_methods};
use crate::statement::{Batch, UpsertStatement};
use crate::upsertable::{BindFields, Upsertable};

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
pub fn upsert<'f, I>(rows: I) -> Upsert<'f, I::Item, I::Item, ()>
where
    I: IntoIterator,
    I::Item: Upsertable,
{
    Upsert::new(rows.into_iter().collect())
}

/// A call that inserts or updates rows; [`upsert`] starts one.
///
/// `O` is the list of what the call overrides; it is always inferred.
#[must_use = "a call does nothing until it is executed"]
pub struct Upsert<'f, B, R: Upsertable, O = ()> {
    batch: Batch<B, R>,
    options: Options<'f>,
    overrides: O,
}

/// The options of a call.
#[derive(Default)]
pub(crate) struct Options<'f> {
    pub(crate) duplicates: Duplicates,
    pub(crate) chunk_size: Option<usize>,
    pub(crate) progress: Option<Box<dyn FnMut(Progress) + 'f>>,
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

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The rows that have been sent, or are covered by a row that was.
    pub rows: usize,
    /// The rows of the call.
    pub total: usize,
}

impl<B, R> Upsert<'_, B, R>
where
    B: Borrow<R>,
    R: Upsertable,
{
    pub(crate) fn new(rows: Vec<B>) -> Self {
        Self {
            batch: Batch::new(rows),
            options: Options::default(),
            overrides: (),
        }
    }
}

impl<'f, B, R, O> Upsert<'f, B, R, O>
where
    B: Borrow<R>,
    R: Upsertable,
{
    fn with<Next>(self, next: Next) -> Upsert<'f, B, R, (O, Next)> {
        Upsert {
            batch: self.batch,
            options: self.options,
            overrides: (self.overrides, next),
        }
    }

    override_methods!(Upsert<'f, B, R>);

    /// Chooses what becomes of input rows that have the same conflict key; by
    /// default [`Duplicates::InOrder`].
    pub fn on_duplicate(mut self, policy: Duplicates) -> Self {
        self.options.duplicates = policy;
        self
    }

    /// Limits a statement to `rows` rows; 0 is taken as 1.
    ///
    /// By default the database's dialect chooses what measured best; more rows
    /// win nothing. The table ends the same whatever the size. A statement never has more rows than the database's
    /// limits allow.
    pub fn chunk_size(mut self, rows: usize) -> Self {
        self.options.chunk_size = Some(rows);
        self
    }

    /// Calls `report` after every statement.
    ///
    /// What it reports as written is written in the call's transaction: if the
    /// call fails later, none of it stays. If PostgreSQL finds keys equal that
    /// were sent as different ones, the call starts again, and so does the
    /// count.
    pub fn on_progress(mut self, report: impl FnMut(Progress) + 'f) -> Self {
        self.options.progress = Some(Box::new(report));
        self
    }

    /// Sends the rows, and returns how many of them were inserted or updated.
    ///
    /// See [`Upsertable::bulk_upsert`] for what is promised.
    ///
    /// # Errors
    ///
    /// Any [`Error`](crate::Error); nothing of the call is then in the table.
    pub fn execute<'o, C>(self, conn: &mut C) -> Result<usize>
    where
        C: Connection,
        C::Backend: Dialect,
        R: BindFields<C::Backend>,
        O: Overrides<'o, C::Backend>,
    {
        let Self {
            batch,
            mut options,
            overrides,
        } = self;
        if batch.len() == 0 {
            return Ok(0);
        }
        let model = Model::of::<R>(Overriding::of(overrides))?;
        engine::run(conn, &batch, &model, &mut options)
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
    pub fn statement<'o, DB>(self) -> Result<UpsertStatement<'o, DB, B, R>>
    where
        DB: Dialect,
        R: BindFields<DB>,
        O: Overrides<'o, DB>,
    {
        let model = Model::of::<R>(Overriding::of(self.overrides))?;
        let statement = UpsertStatement::new(self.batch, model);
        statement.check()?;
        Ok(statement)
    }
}

impl<B, R: Upsertable, O> fmt::Debug for Upsert<'_, B, R, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upsert")
            .field("duplicates", &self.options.duplicates)
            .field("chunk_size", &self.options.chunk_size)
            .finish_non_exhaustive()
    }
}

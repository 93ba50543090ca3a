//! The contract between a model and the engine; the derive fills it.

use core::borrow::Borrow;

use diesel::backend::Backend;
use diesel::query_builder::QueryFragment;

use crate::builder::Upsert;
use crate::connection::{OutcomeConnection, UpsertConnection};
use crate::dialect::Catalog;
use crate::engine;
use crate::error::{Error, Result};
use crate::expression::Expressions;
use crate::field::{FieldDef, Supplied};
use crate::model::Model;
use crate::overrides::Overriding;
use crate::select::{Selects, UpsertFrom};
use crate::session::blocking::BlockingSession;
use crate::session::now;
use crate::stream::UpsertStream;
use crate::target::TargetDef;
use crate::value::ValueVisitor;
use crate::verify::Verification;

/// The columns that a struct writes, whatever the database.
///
/// `#[derive(Upsertable)]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which columns its fields are",
    note = "consider `#[derive(Upsertable)]` on `{Self}`, with `#[upsert(embedded)]` where it is \
            an `embed` field of a model"
)]
pub trait Fields {
    /// The struct itself, also where this is a reference to it.
    type Model: Fields<Converted = Self::Converted>;

    /// The table, as `diesel::table!` made it.
    type Table;

    /// The values of the fields with `#[diesel(serialize_as = ..)]`, converted
    /// to the types that are written; `()` where there are none.
    type Converted;

    /// The fields in the order of the struct, without those marked
    /// `#[diesel(skip_insertion)]`.
    const FIELDS: &'static [FieldDef];

    /// The struct itself.
    fn as_model(&self) -> &Self::Model;

    /// Converts the fields with `#[diesel(serialize_as = ..)]`.
    fn convert(&self) -> Self::Converted;

    /// Inserts into `supplied` the columns that this row supplies, as
    /// positions counted from `first`.
    ///
    /// A row does not supply a column where its field is `None` and the column
    /// is `NOT NULL`, or the model says `treat_none_as_default_value = true`.
    fn supplied(&self, converted: &Self::Converted, first: usize, supplied: &mut Supplied);
}

/// Are `Inner` and `Tab` one table? Implemented for `()`, which rustc shows in one line,
/// where it would show all of a table's `table!`.
#[diagnostic::on_unimplemented(
    message = "a struct of the table `{Inner}` cannot be embedded in a model of the table `{Tab}`",
    label = "its fields are columns of `{Inner}`",
    note = "consider the same `#[diesel(table_name = ..)]` on both"
)]
pub trait Embeds<Inner, Tab> {
    #[doc(hidden)]
    const CHECK: () = ();
}

#[diagnostic::do_not_recommend]
impl<Tab> Embeds<Tab, Tab> for () {}

/// Rows of the model `R`, or references to them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not yield rows of `{R}`",
    label = "consider an array, a `Vec` or an iterator of `{R}` or of `&{R}`"
)]
pub trait IntoRows<R>: IntoIterator<Item: Borrow<R>> {}

#[diagnostic::do_not_recommend]
impl<R, I: IntoIterator<Item: Borrow<R>>> IntoRows<R> for I {}

/// The values of a struct's fields, for the database `DB`.
///
/// `#[derive(Upsertable)]` implements it for every database whose types the
/// fields can be written to.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be upserted on `{DB}`",
    note = "consider `#[derive(Upsertable)]` on `{Self}`, and check that every field's type can \
            be written to its column on `{DB}`"
)]
pub trait BindFields<DB: Backend>: Fields<Model = Self> + Sized {
    /// The table's name as SQL.
    type FromClause: QueryFragment<DB>;

    /// The table's name as SQL.
    fn from_clause() -> Self::FromClause;

    /// Hands the value of the column at `position` to `visitor`.
    fn visit<'b, V>(
        &'b self,
        converted: &'b Self::Converted,
        position: usize,
        visitor: V,
    ) -> V::Output
    where
        V: ValueVisitor<'b, DB>;

    /// Hands over the expressions in the attributes; the positions of columns
    /// are counted from `first`.
    fn expressions(first: usize, into: &mut Expressions<DB>) {
        let _ = (first, into);
    }
}

/// A database on which rows of the model `M` can be upserted: one whose types the
/// model's fields can be written to.
///
/// Implemented wherever [`BindFields`] is.
#[diagnostic::on_unimplemented(
    message = "`{M}` cannot be upserted on `{Self}`",
    note = "a field or an attribute of the model is not for `{Self}`: if no other error says \
            which, `#[diesel(check_for_backend(..))]` with the path of `{Self}` on the model does",
    note = "where the connection is a type parameter `C`, the bound to write is \
            `C: upsert_core::UpsertConnection<{M}>`"
)]
pub trait Upserts<M: Fields>: Backend {
    /// See [`BindFields::FromClause`].
    #[doc(hidden)]
    type FromClause: QueryFragment<Self>;

    /// See [`BindFields::from_clause`].
    #[doc(hidden)]
    fn from_clause() -> Self::FromClause;

    /// See [`BindFields::visit`].
    #[doc(hidden)]
    fn visit<'b, V>(
        row: &'b M,
        converted: &'b M::Converted,
        position: usize,
        visitor: V,
    ) -> V::Output
    where
        V: ValueVisitor<'b, Self>;

    /// See [`BindFields::expressions`].
    #[doc(hidden)]
    fn expressions(first: usize, into: &mut Expressions<Self>);
}

#[diagnostic::do_not_recommend]
impl<DB: Backend, M: BindFields<DB>> Upserts<M> for DB {
    type FromClause = M::FromClause;

    fn from_clause() -> Self::FromClause {
        M::from_clause()
    }

    #[inline]
    fn visit<'b, V>(
        row: &'b M,
        converted: &'b M::Converted,
        position: usize,
        visitor: V,
    ) -> V::Output
    where
        V: ValueVisitor<'b, Self>,
    {
        row.visit(converted, position, visitor)
    }

    fn expressions(first: usize, into: &mut Expressions<Self>) {
        M::expressions(first, into);
    }
}

/// `#[upsert(newer_by = ..)]` and `#[upsert(not_older_by = ..)]`: rows are
/// updated only by newer ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // generated code makes it
pub struct NewerBy {
    /// The column that tells which row is newer.
    pub column: &'static str,
    /// Does a row that is as new count as newer?
    pub or_equal: bool,
}

/// A model whose rows can be inserted or updated, many in one call.
///
/// Implemented by [`#[derive(Upsertable)]`](derive@crate::Upsertable).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be upserted",
    note = "consider `#[derive(Upsertable)]` on the struct, without `#[upsert(embedded)]`, which \
            makes it a part of a model"
)]
pub trait Upsertable: Fields + Sized {
    /// The table's primary key, the conflict target where no field is marked
    /// `#[conflict_key]`.
    const PRIMARY_KEY: &'static [&'static str];

    /// `#[upsert(do_nothing)]`: are existing rows left as they are?
    const DO_NOTHING: bool;

    /// `#[upsert(skip_unchanged)]`: are rows that an update would not change
    /// left unwritten?
    const SKIP_UNCHANGED: bool = false;

    /// `#[upsert(newer_by = ..)]` and `#[upsert(not_older_by = ..)]`
    const NEWER_BY: Option<NewerBy> = None;

    /// The conflict target.
    const TARGET: TargetDef = TargetDef::Columns;

    /// Checks that can only be made with the embedded structs at hand; using
    /// it stops the compilation where one fails.
    const CHECK: ();

    /// Inserts `rows`, or updates the existing rows that have their conflict
    /// keys, all or none.
    ///
    /// `conn` is any Diesel connection to a supported database, a pooled one
    /// too. `rows` is anything that yields models or references to them; it may
    /// have any length. If it yields nothing, nothing is sent.
    ///
    /// Returns how many of the rows were inserted or updated. A row that is
    /// updated to what it was counts; one that `do_nothing`, a guard or
    /// `skip_unchanged` leaves as it is does not.
    ///
    /// Rows with the same conflict key end as if they had been upserted one by
    /// one in the order of the input; [`upsert`](crate::upsert) has other
    /// policies. Where a later row writes over all that an earlier one would
    /// have written, the earlier one may not be sent: the database then does not
    /// check its values, and no trigger sees it. That is never so under a guard,
    /// nor with another rule than `update` and `keep`.
    ///
    /// The statements are sent in one transaction, inside of the caller's in a
    /// savepoint; a single statement outside of one is sent alone. Rows are
    /// sent sorted by their key, so that callers do not deadlock each other,
    /// but two calls in one transaction are not sorted together. Triggers see
    /// rows in that order. On PostgreSQL and MySQL a conflicting row uses up a
    /// value of a serial column.
    ///
    /// **On MySQL and MariaDB the server picks the unique index**, any of the
    /// table's, not only the conflict target's. A row that it finds by another
    /// one is not updated; the call fails with
    /// [`OtherUniqueIndex`](crate::Error::OtherUniqueIndex), as it does on
    /// databases that know the target.
    ///
    /// On SQLite (on PostgreSQL rows are arrays, one for each column):
    ///
    /// ```sql
    /// INSERT INTO `products` (`sku`, `name`) VALUES (?, ?), (?, ?)
    /// ON CONFLICT (`sku`) DO UPDATE SET `name` = excluded.`name`
    /// ```
    ///
    /// [The crate's documentation](crate) shows what is sent to each database.
    ///
    /// # Errors
    ///
    /// Any [`Error`](crate::Error); nothing of the call is then in the table.
    /// Inside of a transaction the caller can go on, unless the database itself
    /// has ended the transaction, as MySQL does after a deadlock.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!("doctest_setup.rs");
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let conn = &mut connection();
    /// let written = Product::bulk_upsert(
    ///     conn,
    ///     [
    ///         Product { sku: "a", name: "Apple" },
    ///         Product { sku: "b", name: "Bread" },
    ///         Product { sku: "a", name: "Red apple" },
    ///     ],
    /// )?;
    /// assert_eq!(written, 3);
    ///
    /// let table: Vec<(String, String)> = products::table.order(products::sku).load(conn)?;
    /// assert_eq!(table[0], ("a".into(), "Red apple".into()));
    /// assert_eq!(table.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    fn bulk_upsert<C: UpsertConnection<Self> + 'static, I: IntoRows<Self>>(
        conn: &mut C,
        rows: I,
    ) -> Result<usize> {
        let call: Upsert<'_, I::Item, Self> = Upsert::new(rows.into_iter().collect());
        call.execute(conn)
    }

    /// Inserts the rows of an iterator, or updates the existing rows that have their
    /// conflict keys, all or none, in constant memory.
    ///
    /// [`bulk_upsert`](Upsertable::bulk_upsert) has all rows in memory, to send them sorted.
    /// Here at most 16 384 of them are, each of them sorted with those; all are sent in
    /// one transaction, in which the table ends as if the rows had been upserted one by
    /// one. [`upsert_stream`](crate::upsert_stream) has options, `commit_every` among
    /// them.
    ///
    /// **Two such calls that write the same rows at the same time may deadlock on
    /// PostgreSQL and MySQL**, as only the rows that are in memory can be sorted; the
    /// database then fails one of them, of which nothing is in the table.
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
    /// let numbers: Vec<String> = (0..40_000).map(|i| i.to_string()).collect();
    /// let rows = numbers.iter().map(|sku| Product { sku, name: "New" });
    /// assert_eq!(Product::bulk_upsert_stream(conn, rows)?, 40_000);
    /// # Ok(())
    /// # }
    /// ```
    fn bulk_upsert_stream<C: UpsertConnection<Self> + 'static, I: IntoRows<Self>>(
        conn: &mut C,
        rows: I,
    ) -> Result<usize> {
        Self::bulk_upsert_try_stream(conn, rows.into_iter().map(Ok))
    }

    /// Inserts the rows of an iterator, or updates the existing rows that have their
    /// conflict keys, all or none, in constant memory; the first error ends the call.
    ///
    /// The same as [`bulk_upsert_stream`](Upsertable::bulk_upsert_stream), for rows that
    /// are read from somewhere.
    ///
    /// # Errors
    ///
    /// The iterator's own, or any [`Error`](crate::Error); nothing of the call is then in
    /// the table.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!("doctest_setup.rs");
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let conn = &mut connection();
    /// let lines = ["a,Apple", "b,Bread", "a line"];
    /// let rows = lines.iter().map(|line| match line.split_once(',') {
    ///     Some((sku, name)) => Ok(Product { sku, name }),
    ///     None => Err(format!("no comma in `{line}`").into()),
    /// });
    /// let written: Result<usize, Box<dyn std::error::Error>> =
    ///     Product::bulk_upsert_try_stream(conn, rows);
    /// assert_eq!(written.unwrap_err().to_string(), "no comma in `a line`");
    /// assert_eq!(products::table.count().get_result::<i64>(conn)?, 0);
    /// # Ok(())
    /// # }
    /// ```
    fn bulk_upsert_try_stream<C, I, B, E>(conn: &mut C, rows: I) -> core::result::Result<usize, E>
    where
        C: UpsertConnection<Self> + 'static,
        I: IntoIterator<Item = core::result::Result<B, E>>,
        B: Borrow<Self>,
        E: From<Error>,
    {
        let call: UpsertStream<'_, I::IntoIter, Self> = UpsertStream::new(rows.into_iter());
        call.execute(conn)
    }

    /// Starts a call that inserts or updates the rows that `query` selects,
    /// without bringing them to the application.
    ///
    /// `query` is any Diesel query that selects the model's columns in the order
    /// of its fields, with their SQL types. Each row supplies every column: a NULL
    /// is NULL, where `None` in a row may mean "not supplied". It is one
    /// statement: on PostgreSQL a query that yields a conflict key twice fails,
    /// elsewhere its rows are applied in the order in which it yields them.
    ///
    /// MySQL needs 8.0, MariaDB 10.3.
    ///
    /// ```sql
    /// INSERT INTO "products" ("sku", "name") SELECT .. FROM "offers"
    /// ON CONFLICT ("sku") DO UPDATE SET "name" = excluded."name"
    /// ```
    ///
    /// # Examples
    ///
    /// ```
    /// # include!("doctest_setup.rs");
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use diesel::connection::SimpleConnection;
    /// # let conn = &mut connection();
    /// diesel::table! {
    ///     offers (sku) {
    ///         sku -> Text,
    ///         title -> Text,
    ///         is_valid -> Bool,
    ///     }
    /// }
    /// # conn.batch_execute("CREATE TABLE offers (sku TEXT PRIMARY KEY NOT NULL, title TEXT NOT NULL, is_valid BOOL NOT NULL);
    /// #     INSERT INTO offers VALUES ('a', 'Apple', TRUE), ('b', 'Bread', FALSE)")?;
    ///
    /// let valid = offers::table.filter(offers::is_valid).select((offers::sku, offers::title));
    /// assert_eq!(Product::upsert_from(valid).execute(conn)?, 1);
    /// # Ok(())
    /// # }
    /// ```
    fn upsert_from<'f, Q: Selects<Self>>(query: Q) -> UpsertFrom<'f, Q::Query, Self> {
        UpsertFrom::new(query.as_query())
    }

    /// Asks the database whether the model fits its table, and says what does not.
    ///
    /// It looks for the unique index of the conflict target, for columns that are missing, that
    /// an insert needs, or whose nullability is another, and lets the database look at the
    /// statement, with the rights that it takes. Nothing is written, and no row is read. Called
    /// once for each model, in a test or when an application starts, it finds what calls would
    /// fail for, or on MySQL do otherwise.
    ///
    /// ```
    /// # include!("doctest_setup.rs");
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let conn = &mut connection();
    /// let verification = Product::verify(conn)?;
    /// assert!(verification.is_ok());
    /// println!("{verification}");   // `products` on conflict (sku): the unique index is `..`
    ///
    /// #[derive(Upsertable)]
    /// #[diesel(table_name = products)]
    /// #[upsert(do_nothing)]
    /// struct Name {
    ///     #[conflict_key]
    ///     name: String,
    /// }
    /// let verification = Name::verify(conn)?;
    /// assert_eq!(
    ///     verification.problems[0].to_string(),
    ///     "`sku` is NOT NULL and has no DEFAULT, but the model does not have it, so no row can be \
    ///      inserted: give the model a field for it, or the column a DEFAULT",
    /// );
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// An [`Error`](crate::Error) of the connection, or [`Refused`](crate::Error::Refused) if
    /// the model cannot be written as SQL.
    fn verify<C>(conn: &mut C) -> Result<Verification>
    where
        C: OutcomeConnection<Self, Backend: Catalog>,
    {
        let model = Model::of::<Self>(Overriding::of(()))?;
        now(engine::verify(&mut BlockingSession::of(conn), model))
    }

    /// Inserts this row, or updates the one that has its conflict key.
    ///
    /// Returns 1 if a row was written, 0 if `do_nothing` left one as it is. The
    /// same as [`bulk_upsert`](Upsertable::bulk_upsert) with this row alone.
    ///
    /// # Errors
    ///
    /// Any [`Error`](crate::Error).
    ///
    /// # Examples
    ///
    /// ```
    /// # include!("doctest_setup.rs");
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let conn = &mut connection();
    /// let apple = Product { sku: "a", name: "Apple" };
    /// assert_eq!(apple.upsert(conn)?, 1);
    /// # Ok(())
    /// # }
    /// ```
    fn upsert<C: UpsertConnection<Self> + 'static>(&self, conn: &mut C) -> Result<usize> {
        Self::bulk_upsert(conn, [self])
    }
}

#[diagnostic::do_not_recommend]
impl<T: Fields> Fields for &T {
    type Model = T::Model;
    type Table = T::Table;
    type Converted = T::Converted;

    const FIELDS: &'static [FieldDef] = T::FIELDS;

    fn as_model(&self) -> &T::Model {
        T::as_model(self)
    }

    fn convert(&self) -> Self::Converted {
        T::convert(self)
    }

    fn supplied(&self, converted: &Self::Converted, first: usize, supplied: &mut Supplied) {
        T::supplied(self, converted, first, supplied);
    }
}

#[diagnostic::do_not_recommend]
impl<T: Upsertable> Upsertable for &T {
    const PRIMARY_KEY: &'static [&'static str] = T::PRIMARY_KEY;
    const DO_NOTHING: bool = T::DO_NOTHING;
    const SKIP_UNCHANGED: bool = T::SKIP_UNCHANGED;
    const NEWER_BY: Option<NewerBy> = T::NEWER_BY;
    const TARGET: TargetDef = T::TARGET;
    const CHECK: () = T::CHECK;
}

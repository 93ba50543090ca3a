//! What a call asks of a blocking connection, in one bound.

use diesel::connection::{Connection, LoadConnection};

use crate::dialect::{Dialect, Outcomes};
use crate::overrides::Writes;
use crate::upsertable::{Fields, Upserts};

/// A connection to a database on which rows of the model `R` can be upserted, whatever
/// the database, with the overrides `O`.
///
/// `O` is the list of the types in [`overrides`](crate::overrides) that the call has:
/// `((), WithSkipUnchanged)` after `skip_unchanged`. Calls without overrides have none.
///
/// ```
/// use upsert_core::{UpsertConnection, Upsertable};
///
/// fn save<R, C>(conn: &mut C, rows: &[R]) -> upsert_core::Result<usize>
/// where
///     R: Upsertable,
///     C: UpsertConnection<R> + 'static,
/// {
///     R::bulk_upsert(conn, rows)
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a blocking connection on which `{R}` can be upserted",
    note = "an asynchronous connection has the calls of `upsert_core::asynchronous`: import \
            `Upsertable` or `upsert` from there"
)]
pub trait UpsertConnection<R: Fields, O = ()>:
    Connection<Backend: Dialect + Upserts<R::Model> + Writes<O>>
{
}

impl<C, R, O> UpsertConnection<R, O> for C
where
    C: Connection<Backend: Dialect + Upserts<R::Model> + Writes<O>>,
    R: Fields,
{
}

/// A connection that can tell what became of each row of the model `R`, and return it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a connection that can tell what became of rows of `{R}`",
    note = "where the connection is a type parameter `C`, the bound to write is \
            `C: upsert_core::OutcomeConnection<Model>`"
)]
pub trait OutcomeConnection<R: Fields, O = ()>:
    UpsertConnection<R, O> + LoadConnection<Backend: Outcomes>
{
}

impl<C, R, O> OutcomeConnection<R, O> for C
where
    C: UpsertConnection<R, O> + LoadConnection<Backend: Outcomes>,
    R: Fields,
{
}

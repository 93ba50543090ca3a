//! What becomes of a call some of whose rows cannot be written.

use std::fmt;

use crate::error::FailedRow;

/// What becomes of a call some of whose rows cannot be written, because of their values:
/// a constraint refuses them, or the column's type. [`Upsert::on_error`](crate::Upsert::on_error)
/// takes it.
///
/// An error that no row is to blame for ends the call under every policy: a lost connection,
/// a deadlock, a missing table or right. One that need not be about a row, as of a trigger or
/// in a language that is not known, counts as a row's if it is the only row, or if others are
/// written; where all rows fail by such errors, or the first 16, the call does.
#[derive(Default)]
#[non_exhaustive]
pub enum OnError<'f> {
    /// The call fails. Its error has the rows of the statement in which one of them failed.
    #[default]
    Abort,
    /// The call fails with [`Error::FailedRows`](crate::Error::FailedRows), which names each
    /// row that cannot be written, and why. After 100 of them it looks for no more.
    Name,
    /// The rows that cannot be written are left out, as if they were not in the input, and
    /// added here in its order. The others are written, all or none.
    ///
    /// Of two rows of the call that clash in a unique index which is not the conflict target's,
    /// the one that is sent first is written: where rows are sorted, by their conflict key. What
    /// fails at COMMIT, a deferred constraint, ends the call. With `Duplicates::KeepFirst` and
    /// `KeepLast` the call is refused.
    ///
    /// Where the COMMIT gets no answer,
    /// [`Error::CommitUnknown`](crate::Error::CommitUnknown), the rows are added too: they are
    /// left out if it is done. A call that is sent again with its
    /// [`idempotency_token`](crate::Upsert::idempotency_token), and returns 0 as it was applied,
    /// adds none, so they are only here.
    ///
    /// ```
    /// # include!("doctest_setup.rs");
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let conn = &mut connection();
    /// # use diesel::connection::SimpleConnection;
    /// # conn.batch_execute("CREATE TRIGGER no_bread BEFORE INSERT ON products
    /// #     WHEN NEW.name = 'Bread' BEGIN SELECT RAISE(ABORT, 'no bread'); END")?;
    /// use upsert_core::{OnError, upsert};
    ///
    /// let names = ["Apple", "Bread", "Cherry"];
    /// let mut failed = Vec::new();
    /// let written = upsert(names.map(|name| Product { sku: name, name }))
    ///     .on_error(OnError::Skip(&mut failed))
    ///     .execute(conn)?;
    /// assert_eq!(written, 2);
    /// assert_eq!(failed[0].row, 1);
    /// println!("row {}: {}", failed[0].row, failed[0].error);
    /// # Ok(())
    /// # }
    /// ```
    Skip(&'f mut Vec<FailedRow>),
}

impl OnError<'_> {
    /// Is each row that fails looked for?
    pub(crate) const fn names_rows(&self) -> bool {
        !matches!(self, Self::Abort)
    }
}

impl fmt::Debug for OnError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Abort => "Abort",
            Self::Name => "Name",
            Self::Skip(_) => "Skip",
        })
    }
}

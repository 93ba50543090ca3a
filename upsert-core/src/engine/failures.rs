//! The rows of a call that cannot be written.

use super::{Call, Stop};
use crate::batch::ErasedBatch;
use crate::dialect::Dialect;
use crate::error::{Error, FailedRow, MAX_NAMED};
use crate::on_error::OnError;

/// After so many rows have failed, by errors that need not be about a row, and none was
/// written, none will be.
const MAX_DOUBTFUL: usize = 16;

/// The rows that have failed so far.
pub(super) struct Failures {
    policy: Policy,
    rows: Vec<FailedRow>,
    has_written: bool,
    /// Is any error for certain about its row?
    any_certain: bool,
}

/// An [`OnError`], without the caller's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    Abort,
    Name,
    Skip,
}

impl Failures {
    /// `has_written` says whether rows of the same input were written before.
    pub(super) fn new(on_error: &OnError<'_>, has_written: bool) -> Self {
        Self {
            policy: match on_error {
                OnError::Abort => Policy::Abort,
                OnError::Name => Policy::Name,
                OnError::Skip(_) => Policy::Skip,
            },
            rows: Vec::new(),
            has_written,
            any_certain: false,
        }
    }

    /// Are rows that fail looked for?
    pub(super) fn are_wanted(&self) -> bool {
        self.policy != Policy::Abort
    }

    /// Rows were written, or left as they are.
    pub(super) fn succeeded(&mut self) {
        self.has_written = true;
    }

    /// A row has failed by itself.
    pub(super) fn failed<DB, T>(
        &mut self,
        row: usize,
        error: Error,
        is_certain: bool,
        call: &Call<'_, '_, DB, T>,
    ) -> Result<(), Stop>
    where
        DB: Dialect,
        T: ErasedBatch<DB> + ?Sized,
    {
        self.any_certain |= is_certain;
        self.rows.push(FailedRow { row, error });
        let is_hopeless = self.is_doubtful() && self.rows.len() >= MAX_DOUBTFUL;
        if is_hopeless || self.policy == Policy::Name && self.rows.len() >= MAX_NAMED {
            return self.check(call);
        }
        Ok(())
    }

    /// Is it in doubt whether the rows have failed because of their values?
    fn is_doubtful(&self) -> bool {
        !self.has_written && !self.any_certain
    }

    /// Fails if the call has to, with what was found.
    pub(super) fn check<DB, T>(&mut self, call: &Call<'_, '_, DB, T>) -> Result<(), Stop>
    where
        DB: Dialect,
        T: ErasedBatch<DB> + ?Sized,
    {
        if self.rows.is_empty() || self.policy == Policy::Abort {
            return Ok(());
        }
        if self.is_doubtful() && self.rows.len() > 1 {
            let first = self.rows.swap_remove(0);
            return Err(Stop::Failed(first.error));
        }
        if self.policy == Policy::Skip {
            return Ok(());
        }
        let mut failed = std::mem::take(&mut self.rows);
        failed.sort_by_key(|it| it.row);
        let mut place = call.place(&[]);
        place.rows = failed.iter().map(|it| it.row).collect();
        Err(Stop::Failed(Error::FailedRows { place, failed }))
    }

    /// Gives the rows that were left out to the caller. Were any written?
    pub(super) fn hand_over(mut self, on_error: &mut OnError<'_>) -> bool {
        if let OnError::Skip(into) = on_error {
            self.rows.sort_by_key(|it| it.row);
            into.append(&mut self.rows);
        }
        self.has_written
    }
}

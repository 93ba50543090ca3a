//! How far a call has come.

use std::fmt;
use std::time::{Duration, Instant};

use crate::outcome::{Action, Counts};

/// How far a call has come; [`on_progress`](crate::Upsert::on_progress) reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Progress {
    /// The rows that have been sent, or are covered by a row that was.
    pub rows: usize,
    /// The rows of the call; `None` for a stream, which may have any number.
    pub total: Option<usize>,
    /// The statements in which the rows were sent, as they were planned: where the
    /// database finds keys equal, more are sent.
    pub chunks: usize,
    /// How many rows, from the first one of the input, are committed: where to go on
    /// after an error. It grows only with
    /// [`commit_every`](crate::UpsertStream::commit_every).
    pub committed: usize,
    /// What has become of the rows so far, where the call asks for it by `outcome` or
    /// `returning(..).outcome`.
    pub counts: Option<Counts>,
    /// The time since the first row was about to be sent.
    pub elapsed: Duration,
}

impl Progress {
    /// The rows that were sent in a second, on the average.
    #[must_use]
    pub fn rows_per_second(&self) -> f64 {
        // Any number of rows in no time would be infinitely many.
        #[allow(clippy::cast_precision_loss)] // for people
        let rows = self.rows as f64;
        rows / self.elapsed.as_secs_f64().max(1e-9)
    }
}

/// Reports how far a call has come.
#[derive(Default)]
pub(crate) struct Reporter<'f> {
    report: Option<Box<dyn FnMut(Progress) + Send + 'f>>,
    begun: Option<Instant>,
    /// What the calls of earlier batches did.
    before: Done,
    now: Done,
    /// The rows of this batch, and the chunks of it that have not been sent.
    batch: usize,
    rest: usize,
    is_stream: bool,
    committed: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Done {
    rows: usize,
    chunks: usize,
    counts: Option<Counts>,
}

impl fmt::Debug for Reporter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporter").finish_non_exhaustive()
    }
}

impl<'f> Reporter<'f> {
    pub(crate) fn set(&mut self, report: impl FnMut(Progress) + Send + 'f) {
        self.report = Some(Box::new(report));
    }

    /// The rows come in batches whose number is not known.
    pub(crate) fn set_stream(&mut self) {
        self.is_stream = true;
    }

    /// The rows of a batch are about to be sent, perhaps once more.
    pub(crate) fn begin(&mut self, rows: usize, chunks: usize) {
        self.begun.get_or_insert_with(Instant::now);
        self.now = self.before;
        self.batch = rows;
        self.rest = chunks;
    }

    /// Rows are left out by a duplicate policy.
    pub(crate) fn skipped(&mut self, rows: usize) {
        if rows > 0 {
            self.now.counts.get_or_insert_default().skipped += rows;
        }
    }

    /// A chunk has been sent.
    pub(crate) fn sent(&mut self, rows: usize, actions: impl Iterator<Item = Action>) {
        let (rest, before) = (self.rest.saturating_sub(1), self.before.rows);
        self.rest = rest;
        self.now.chunks += 1;
        // The last one covers rows that need not be sent.
        self.now.rows = if rest == 0 {
            before + self.batch
        } else {
            self.now.rows + rows
        };
        for action in actions {
            self.now.counts.get_or_insert_default().add(action);
        }
        self.report();
    }

    /// A batch has been sent.
    pub(crate) fn end(&mut self) {
        self.before = self.now;
    }

    /// All rows up to here are committed.
    pub(crate) fn committed(&mut self, rows: usize) {
        self.committed = rows;
        self.report();
    }

    /// Reports what others have done.
    pub(crate) fn pass_on(&mut self, progress: Progress) {
        if let Some(report) = &mut self.report {
            report(progress);
        }
    }

    fn report(&mut self) {
        self.pass_on(Progress {
            rows: self.now.rows,
            total: (!self.is_stream).then_some(self.batch),
            chunks: self.now.chunks,
            committed: self.committed,
            counts: self.now.counts,
            elapsed: self.begun.map(|it| it.elapsed()).unwrap_or_default(),
        });
    }
}

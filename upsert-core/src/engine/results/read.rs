//! Reading rows by their conflict keys.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Results, Sent, input_row};
use crate::batch::ErasedBatch;
use crate::dialect::{Outcomes, Report};
use crate::engine::Chunk;
use crate::engine::probe::{AreDistinct, Matching, Probe};
use crate::session::{LoadSession, LoadsFrom};

impl<DB, T, E, U> Results<'_, '_, '_, DB, T, E, U>
where
    DB: Outcomes,
    T: ErasedBatch<DB> + ?Sized,
{
    /// Reads rows as they are now; returns those that are not there.
    pub(super) async fn read_new<S>(
        &mut self,
        session: &mut S,
        chunk: Chunk<'_>,
    ) -> Sent<Vec<usize>>
    where
        S: LoadSession<Backend = DB>,
        E: LoadsFrom<S, U>,
    {
        let mut missing: BTreeSet<usize> = chunk.rows.iter().copied().collect();
        for (row, new) in self.read(session, chunk, true).await? {
            missing.remove(&row);
            self.slots[row].new = Some(new);
        }
        Ok(missing.into_iter().collect())
    }

    /// Reads rows as they are now, all of which have to be there.
    pub(super) async fn read_back<S>(&mut self, session: &mut S, chunk: Chunk<'_>) -> Sent<()>
    where
        S: LoadSession<Backend = DB>,
        E: LoadsFrom<S, U>,
    {
        let missing = self.read_new(session, chunk).await?;
        self.check_none_missing(&missing)
    }

    /// Locks rows and reads them before they are written, all of which have to be
    /// there.
    pub(super) async fn read_before<S>(&mut self, session: &mut S, chunk: Chunk<'_>) -> Sent<()>
    where
        S: LoadSession<Backend = DB>,
        E: LoadsFrom<S, U>,
    {
        let missing = self.read_old(session, chunk).await?;
        self.check_none_missing(&missing)
    }

    fn check_none_missing(&self, missing: &[usize]) -> Sent<()> {
        if missing.is_empty() {
            Ok(())
        } else {
            Err(self.no_row(missing))
        }
    }

    /// Locks rows and reads them before they are written; returns those that are
    /// not there.
    pub(super) async fn read_old<S>(
        &mut self,
        session: &mut S,
        chunk: Chunk<'_>,
    ) -> Sent<Vec<usize>>
    where
        S: LoadSession<Backend = DB>,
        E: LoadsFrom<S, U>,
    {
        let mut missing: BTreeSet<usize> = chunk.rows.iter().copied().collect();
        for (row, old) in self.read(session, chunk, true).await? {
            missing.remove(&row);
            self.slots[row].old = Some(old);
        }
        Ok(missing.into_iter().collect())
    }

    pub(super) async fn read<S>(
        &mut self,
        session: &mut S,
        chunk: Chunk<'_>,
        sees_committed: bool,
    ) -> Sent<Vec<(usize, U)>>
    where
        S: LoadSession<Backend = DB>,
        E: LoadsFrom<S, U>,
    {
        let rows = chunk.rows;
        let call = self.call;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let matching = self.matching(session).await?;
        if !self.supplies_key(chunk.supplied) {
            return Ok(Vec::new());
        }
        let probe = Probe::<DB, T, E> {
            rows: call.keys_of(chunk, &matching),
            table: &call.model.table,
            matching: &matching,
            effect: None,
            selected: Some(self.returning),
            sees_committed,
            recurs: chunk.recurs,
        };
        let found = E::load_from(&probe, session).await;
        let found = call.checked(session, found, rows).await?;
        let mut numbers = BTreeSet::new();
        let mut read = Vec::with_capacity(found.len());
        for (number, new) in found {
            let (row, _) = input_row(rows, number.0)?;
            if !numbers.insert(row) {
                // The index holds rows apart that are equal here.
                return Err(self.no_row(&[row]));
            }
            read.push((row, new));
        }
        Ok(read)
    }

    /// Does the database hold the keys of the rows different?
    pub(super) async fn are_distinct<S>(&mut self, session: &mut S, chunk: Chunk<'_>) -> Sent<bool>
    where
        S: LoadSession<Backend = DB>,
    {
        let rows = chunk.rows;
        let call = self.call;
        let matching = self.matching(session).await?;
        if !self.supplies_key(chunk.supplied) {
            // A statement that returns rows fails if it writes one twice.
            return Ok(DB::REPORT == Report::Returning);
        }
        let query = AreDistinct {
            rows: call.keys_of(chunk, &matching),
            recurs: chunk.recurs,
            table: &call.model.table,
            matching: &matching,
        };
        let answer = session.load_text(&query).await;
        let answer = call.checked(session, answer, rows).await?;
        Ok(answer.as_deref() == Some("yes"))
    }

    /// By what rows are found.
    pub(super) async fn matching<S>(&mut self, session: &mut S) -> Sent<Arc<Matching>>
    where
        S: LoadSession<Backend = DB>,
    {
        let matching = match self.matching.take() {
            Some(matching) => matching,
            None => Arc::new(Matching::look_up(session, self.call.model).await?),
        };
        Ok(Arc::clone(self.matching.insert(matching)))
    }
}

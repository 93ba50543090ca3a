//! Statements that return what they wrote.

use std::collections::BTreeSet;

use super::{Results, Sent, input_row, unreadable};
use crate::batch::ErasedBatch;
use crate::dialect::{ConflictClause, Outcomes};
use crate::engine::probe::Log;
use crate::engine::{Chunk, Stop};
use crate::error::Error;
use crate::outcome::Action;
use crate::session::{LoadSession, LoadsFrom};
use crate::statement::ReportingStatement;

impl<DB, T, E, U> Results<'_, '_, '_, DB, T, E, U>
where
    DB: Outcomes,
    T: ErasedBatch<DB> + ?Sized,
{
    pub(super) async fn write_returning<S>(
        &mut self,
        session: &mut S,
        chunk: Chunk<'_>,
        conflict: &ConflictClause<'_, DB>,
    ) -> Sent<()>
    where
        S: LoadSession<Backend = DB>,
        E: LoadsFrom<S, U>,
    {
        if self.wanted.old {
            // Inserts what is missing and locks the rest, in the order of the keys
            // as any other call.
            let locking = self.call.model.locking(conflict, chunk.supplied);
            let existing = self.send_returning(session, chunk, &locking).await?;
            if existing.is_empty() {
                return Ok(());
            }
            let existing = chunk.part(&existing);
            self.read_before(session, existing).await?;
            let kept = if conflict.assignments.is_empty() {
                existing.rows.to_vec()
            } else {
                self.send_returning(session, existing, conflict).await?
            };
            return self.read_back(session, chunk.part(&kept)).await;
        }
        let locking;
        let conflict = if self.attempt.locks && conflict.assignments.is_empty() {
            locking = self.call.model.locking(conflict, chunk.supplied);
            &locking
        } else {
            conflict
        };
        let kept = self.send_returning(session, chunk, conflict).await?;
        if !self.wanted.new || kept.is_empty() {
            return Ok(());
        }
        // In a statement of its own, which sees rows that others have committed
        // while the first one ran.
        let missing = self.read_new(session, chunk.part(&kept)).await?;
        if missing.is_empty() {
            Ok(())
        } else if conflict.assignments.is_empty() {
            Err(Stop::Vanished(missing))
        } else {
            // They are locked, and would be found.
            Err(self.no_row(&missing))
        }
    }

    /// Sends a statement that returns what it wrote, and returns the rows that it
    /// did not write.
    pub(super) async fn send_returning<S>(
        &mut self,
        session: &mut S,
        chunk: Chunk<'_>,
        conflict: &ConflictClause<'_, DB>,
    ) -> Sent<Vec<usize>>
    where
        S: LoadSession<Backend = DB>,
        E: LoadsFrom<S, U>,
    {
        let rows = chunk.rows;
        let call = self.call;
        let statement = ReportingStatement::<DB, T, E> {
            rows: call.inserted(chunk),
            conflict,
            returning: self.returning,
            recurs: chunk.recurs,
        };
        let written = call.traced(chunk, E::load_from(&statement, session)).await;
        let written = call.checked(session, written, rows).await?;
        let mut kept: BTreeSet<usize> = rows.iter().copied().collect();
        for (number, new) in written {
            let (row, effect) = input_row(rows, number.0)?;
            kept.remove(&row);
            let slot = &mut self.slots[row];
            slot.action = if effect == 0 {
                Action::Inserted
            } else {
                Action::Updated
            };
            slot.new = Some(new);
        }
        for row in &kept {
            self.slots[*row].action = Action::Skipped;
        }
        if conflict.skip_unchanged && !kept.is_empty() {
            let log = session.load_text(&Log).await.map_err(Error::Connection)?;
            for number in log.unwrap_or_default().split_whitespace() {
                let number = number.parse().map_err(|_| unreadable())?;
                let (row, _) = input_row(rows, number)?;
                self.slots[row].action = Action::Unchanged;
            }
        }
        Ok(chunk.only(&kept))
    }
}

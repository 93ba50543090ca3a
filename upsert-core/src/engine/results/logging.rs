//! Statements that write a log of what they did.

use std::collections::BTreeSet;

use super::{Results, Sent, unreadable};
use crate::batch::ErasedBatch;
use crate::dialect::{ConflictClause, Outcomes};
use crate::engine::Chunk;
use crate::engine::probe::Log;
use crate::error::Error;
use crate::outcome::Action;
use crate::session::{LoadSession, LoadsFrom};
use crate::statement::ReportingStatement;

/// How often rows are sent again that others have changed in the meantime.
const MAX_TRIES: usize = 10;

impl<DB, T, E, U> Results<'_, '_, '_, DB, T, E, U>
where
    DB: Outcomes,
    T: ErasedBatch<DB> + ?Sized,
{
    /// Writes rows, and locks and reads those that exist before.
    ///
    /// Rows that do not exist cannot be locked without keeping others from
    /// inserting theirs, so those that are not seen are inserted first.
    pub(super) async fn write_existing<S>(
        &mut self,
        session: &mut S,
        chunk: Chunk<'_>,
        conflict: &ConflictClause<'_, DB>,
    ) -> Sent<()>
    where
        S: LoadSession<Backend = DB>,
        E: LoadsFrom<S, U>,
    {
        let keeping = self.call.model.keeping(true);
        let mut missing: BTreeSet<usize> = chunk.rows.iter().copied().collect();
        let mut existing = BTreeSet::new();
        for (row, _) in self.read(session, chunk, false).await? {
            missing.remove(&row);
            existing.insert(row);
        }
        for _ in 0..MAX_TRIES {
            if !missing.is_empty() {
                let rows = chunk.only(&missing);
                let part = chunk.part(&rows);
                self.send_logging(session, part, &keeping).await?;
                let was_there = |row: &usize| self.slots[*row].action != Action::Inserted;
                existing.extend(rows.into_iter().filter(was_there));
            }
            if existing.is_empty() {
                return Ok(());
            }
            let rows = chunk.only(&existing);
            let part = chunk.part(&rows);
            missing = self.read_old(session, part).await?.into_iter().collect();
            if missing.is_empty() {
                for row in &rows {
                    self.slots[*row].action = Action::Skipped;
                }
                if conflict.assignments.is_empty() {
                    return Ok(());
                }
                return self.send_logging(session, part, conflict).await;
            }
            // They have been deleted since.
            existing.retain(|row| !missing.contains(row));
        }
        let missing: Vec<usize> = missing.into_iter().collect();
        Err(self.no_row(&missing))
    }

    /// Sends a statement that writes a log, and reads it.
    pub(super) async fn send_logging<S>(
        &mut self,
        session: &mut S,
        chunk: Chunk<'_>,
        conflict: &ConflictClause<'_, DB>,
    ) -> Sent<()>
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
        let sent = call.traced(chunk, session.execute(&statement)).await;
        call.checked(session, sent, rows).await?;
        let log = session.load_text(&Log).await.map_err(Error::Connection)?;
        let log = log.ok_or_else(unreadable)?;
        for row in rows {
            self.slots[*row].action = Action::Inserted;
        }
        for note in log.split_inclusive(|char: char| !char.is_ascii_digit()) {
            let (number, action) = if let Some(number) = note.strip_suffix('u') {
                (number, Action::Updated)
            } else if let Some(number) = note.strip_suffix('n') {
                (number, Action::Unchanged)
            } else if let Some(number) = note.strip_suffix('s') {
                (number, Action::Skipped)
            } else {
                return Err(unreadable().into());
            };
            let row: Option<usize> = number.parse().ok();
            let row = row.and_then(|number| rows.get(number).copied());
            self.slots[row.ok_or_else(unreadable)?].action = action;
        }
        Ok(())
    }
}

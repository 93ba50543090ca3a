//! Rows that cannot be looked up, and are written one by one.

use std::cell::OnceCell;

use diesel::result::QueryResult;

use super::{Results, Sent};
use crate::batch::ErasedBatch;
use crate::dialect::{ConflictClause, Fault, Outcomes, Report};
use crate::engine::Chunk;
use crate::engine::probe::{ById, LastInserted, Probe, RowId};
use crate::outcome::Action;
use crate::session::{LoadSession, LoadsFrom};

impl<DB, T, E, U> Results<'_, '_, '_, DB, T, E, U>
where
    DB: Outcomes,
    T: ErasedBatch<DB> + ?Sized,
{
    /// Writes a row that cannot be found by its key: whether it exists is seen by
    /// inserting it.
    pub(super) async fn write_alone<S>(
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
        let [row] = *rows else {
            return Ok(());
        };
        let table = &self.call.model.table;
        let column = if self.wanted.new {
            self.numbered_column(session).await?
        } else {
            None
        };
        let keeping = self.call.model.keeping(DB::REPORT == Report::Log);
        let is_inserted = if DB::REPORT == Report::Log {
            self.send_logging(session, chunk, &keeping).await?;
            self.slots[row].action == Action::Inserted
        } else {
            self.call.execute_with(session, chunk, &keeping).await? > 0
        };
        if is_inserted {
            let slot = &mut self.slots[row];
            slot.action = Action::Inserted;
            slot.old = None;
            if self.wanted.new {
                let Some(column) = column else {
                    return self.read_back(session, chunk).await;
                };
                let inserted = LastInserted {
                    table,
                    column: &column,
                    selected: self.returning,
                };
                let found = or_nothing::<DB, _>(E::load_from(&inserted, session).await)?;
                match found.into_iter().next() {
                    Some((_, new)) => self.slots[row].new = Some(new),
                    None => self.read_back(session, chunk).await?,
                }
            }
            return Ok(());
        }
        let row_id = self.row_id(session, chunk).await?;
        if self.wanted.old {
            match self.read_by_id(session, chunk, row_id).await? {
                Some(old) => self.slots[row].old = Some(old),
                None => self.read_before(session, chunk).await?,
            }
        }
        if conflict.assignments.is_empty() {
            self.slots[row].action = Action::Skipped;
        } else if DB::REPORT == Report::Log {
            self.send_logging(session, chunk, conflict).await?;
        } else {
            self.slots[row].action = Action::Skipped;
            if self.wanted.action && conflict.skip_unchanged && self.supplies_key(chunk.supplied) {
                self.foresee(session, chunk, conflict).await?;
            }
            let is_written = self.call.execute_with(session, chunk, conflict).await? > 0;
            let slot = &mut self.slots[row];
            if is_written {
                slot.action = Action::Updated;
            } else if slot.action == Action::Updated {
                // A trigger has kept it.
                slot.action = Action::Skipped;
            }
        }
        if self.wanted.new {
            match self.read_by_id(session, chunk, row_id).await? {
                Some(new) => self.slots[row].new = Some(new),
                None => self.read_back(session, chunk).await?,
            }
        }
        Ok(())
    }

    pub(super) async fn numbered_column<S>(&mut self, session: &mut S) -> Sent<Option<String>>
    where
        S: LoadSession<Backend = DB>,
    {
        let column = match self.numbered_column.get() {
            Some(column) => column.clone(),
            None => match (DB::ROW_ID, DB::numbered_column(&self.call.model.table)) {
                (Some(column), _) => Some(column.to_owned()),
                (None, Some(query)) => session.load_text(&*query).await?,
                (None, None) => None,
            },
        };
        self.numbered_column = OnceCell::from(column.clone());
        if let Some(forget) = DB::FORGET_LAST_INSERTED {
            session.batch_execute(forget).await?;
        }
        Ok(column)
    }

    /// The database's own number of the row that an input row conflicts with,
    /// where there is one. Unlike the key and the predicate of the index, it stays
    /// what it is when the row is updated.
    pub(super) async fn row_id<S>(&mut self, session: &mut S, chunk: Chunk<'_>) -> Sent<Option<i64>>
    where
        S: LoadSession<Backend = DB>,
    {
        let Some(row_id) = DB::ROW_ID else {
            return Ok(None);
        };
        let matching = self.matching(session).await?;
        if !self.supplies_key(chunk.supplied) {
            return Ok(None);
        }
        let row_id = RowId {
            table: &self.call.model.table,
            column: row_id,
        };
        let probe = Probe::<DB, T, RowId<'_>> {
            rows: self.call.keys_of(chunk, &matching),
            table: &self.call.model.table,
            matching: &matching,
            effect: None,
            selected: Some(&row_id),
            sees_committed: true,
            recurs: chunk.recurs,
        };
        let found = or_nothing::<DB, _>(session.load_texts(&probe).await)?;
        Ok(match found.as_slice() {
            [row] => row.last().and_then(|id| id.as_deref()?.parse().ok()),
            _ => None,
        })
    }

    pub(super) async fn read_by_id<S>(
        &mut self,
        session: &mut S,
        chunk: Chunk<'_>,
        id: Option<i64>,
    ) -> Sent<Option<U>>
    where
        S: LoadSession<Backend = DB>,
        E: LoadsFrom<S, U>,
    {
        let (Some(id), Some(column)) = (id, DB::ROW_ID) else {
            return Ok(None);
        };
        let by_id = ById {
            table: &self.call.model.table,
            column,
            id,
            selected: self.returning,
        };
        let found = E::load_from(&by_id, session).await;
        let found = self.call.checked(session, found, chunk.rows).await?;
        Ok(found.into_iter().next().map(|(_, row)| row))
    }
}

/// What was found by a number of the database's: a table without such numbers is an error, and
/// no harm.
fn or_nothing<DB: Outcomes, T>(found: QueryResult<Vec<T>>) -> QueryResult<Vec<T>> {
    match found {
        Err(source) => match DB::fault(&source) {
            Fault::ConnectionLost | Fault::Contention(_) => Err(source),
            _ => Ok(Vec::new()),
        },
        found => found,
    }
}

//! Rows that cannot be looked up, and are written one by one.

use std::borrow::Borrow;
use std::cell::OnceCell;

use diesel::connection::LoadConnection;

use super::{Results, Sent};
use crate::dialect::{ConflictClause, Outcomes, Report};
use crate::engine::Chunk;
use crate::engine::probe::{ById, LastInserted, Probe, RowId};
use crate::error::Error;
use crate::outcome::Action;
use crate::returning::{Loads, Number};
use crate::upsertable::{BindFields, Upsertable};

impl<DB, B, R, E, U> Results<'_, '_, '_, DB, B, R, E, U>
where
    DB: Outcomes,
    B: Borrow<R>,
    R: Upsertable + BindFields<DB>,
{
    /// Writes a row that cannot be found by its key: whether it exists is seen by
    /// inserting it.
    pub(super) fn write_alone<C>(
        &mut self,
        conn: &mut C,
        chunk: Chunk<'_>,
        conflict: &ConflictClause<'_, DB>,
    ) -> Sent<()>
    where
        C: LoadConnection<Backend = DB>,
        E: Loads<C, U>,
    {
        let rows = chunk.rows;
        let [row] = *rows else {
            return Ok(());
        };
        let table = &self.call.model.table;
        let column = if self.wanted.new {
            self.numbered_column(conn)?
        } else {
            None
        };
        let keeping = self.call.model.keeping(DB::REPORT == Report::Log);
        let is_inserted = if DB::REPORT == Report::Log {
            self.send_logging(conn, chunk, &keeping)?;
            self.slots[row].action == Action::Inserted
        } else {
            self.execute(conn, chunk, &keeping)? > 0
        };
        if is_inserted {
            let slot = &mut self.slots[row];
            slot.action = Action::Inserted;
            slot.old = None;
            if self.wanted.new {
                let Some(column) = column else {
                    return self.read_all(conn, chunk, Self::read_new);
                };
                let inserted = LastInserted {
                    table,
                    column: &column,
                    selected: self.returning,
                };
                // A table without such numbers is an error, and no harm.
                let found = E::load(&inserted, conn).unwrap_or_default();
                match found.into_iter().next() {
                    Some((_, new)) => self.slots[row].new = Some(new),
                    None => self.read_all(conn, chunk, Self::read_new)?,
                }
            }
            return Ok(());
        }
        let row_id = self.row_id(conn, chunk)?;
        if self.wanted.old {
            match self.read_by_id(conn, chunk, row_id)? {
                Some(old) => self.slots[row].old = Some(old),
                None => self.read_all(conn, chunk, Self::read_old)?,
            }
        }
        if conflict.assignments.is_empty() {
            self.slots[row].action = Action::Skipped;
        } else if DB::REPORT == Report::Log {
            self.send_logging(conn, chunk, conflict)?;
        } else {
            self.slots[row].action = Action::Skipped;
            if self.wanted.action && conflict.skip_unchanged && self.supplies_key(chunk.supplied) {
                self.foresee(conn, chunk, conflict)?;
            }
            let is_written = self.execute(conn, chunk, conflict)? > 0;
            let slot = &mut self.slots[row];
            if is_written {
                slot.action = Action::Updated;
            } else if slot.action == Action::Updated {
                // A trigger has kept it.
                slot.action = Action::Skipped;
            }
        }
        if self.wanted.new {
            match self.read_by_id(conn, chunk, row_id)? {
                Some(new) => self.slots[row].new = Some(new),
                None => self.read_all(conn, chunk, Self::read_new)?,
            }
        }
        Ok(())
    }

    pub(super) fn numbered_column<C>(&mut self, conn: &mut C) -> Sent<Option<String>>
    where
        C: LoadConnection<Backend = DB>,
    {
        if self.numbered_column.get().is_none() {
            let table = &self.call.model.table;
            let column = DB::numbered_column(conn, table).map_err(Error::Connection)?;
            self.numbered_column = OnceCell::from(column);
        }
        DB::forget_last_inserted(conn).map_err(Error::Connection)?;
        Ok(self.numbered_column.get().cloned().flatten())
    }

    /// The database's own number of the row that an input row conflicts with,
    /// where there is one. Unlike the key and the predicate of the index, it stays
    /// what it is when the row is updated.
    pub(super) fn row_id<C>(&mut self, conn: &mut C, chunk: Chunk<'_>) -> Sent<Option<i64>>
    where
        C: LoadConnection<Backend = DB>,
    {
        let Some(row_id) = DB::ROW_ID else {
            return Ok(None);
        };
        let matching = self.matching(conn)?;
        if !self.supplies_key(chunk.supplied) {
            return Ok(None);
        }
        let row_id = RowId {
            table: &self.call.model.table,
            column: row_id,
        };
        let probe = Probe::<DB, B, R, RowId<'_>> {
            rows: self.call.keys_of(chunk, &matching),
            table: &self.call.model.table,
            matching: &matching,
            effect: None,
            selected: Some(&row_id),
            sees_committed: true,
            recurs: chunk.recurs,
        };
        // A table without such numbers is an error, and no harm.
        let found: Vec<(Number, Number)> = RowId::load(&probe, conn).unwrap_or_default();
        Ok(match found.as_slice() {
            [(_, id)] => Some(id.0),
            _ => None,
        })
    }

    pub(super) fn read_by_id<C>(
        &mut self,
        conn: &mut C,
        chunk: Chunk<'_>,
        id: Option<i64>,
    ) -> Sent<Option<U>>
    where
        C: LoadConnection<Backend = DB>,
        E: Loads<C, U>,
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
        let found = E::load(&by_id, conn).map_err(|it| self.call.stop(it, chunk.rows))?;
        Ok(found.into_iter().next().map(|(_, row)| row))
    }
}

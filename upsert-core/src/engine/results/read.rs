//! Reading rows by their conflict keys.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::rc::Rc;

use diesel::connection::LoadConnection;

use super::{Results, Sent, input_row};
use crate::dialect::{Outcomes, Report};
use crate::engine::Chunk;
use crate::engine::probe::{AreDistinct, Matching, Probe};
use crate::returning::Loads;
use crate::upsertable::{BindFields, Upsertable};

impl<DB, B, R, E, U> Results<'_, '_, '_, DB, B, R, E, U>
where
    DB: Outcomes,
    B: Borrow<R>,
    R: Upsertable + BindFields<DB>,
{
    /// Reads rows as they are now; returns those that are not there.
    pub(super) fn read_new<C>(&mut self, conn: &mut C, chunk: Chunk<'_>) -> Sent<Vec<usize>>
    where
        C: LoadConnection<Backend = DB>,
        E: Loads<C, U>,
    {
        let mut missing: BTreeSet<usize> = chunk.rows.iter().copied().collect();
        for (row, new) in self.read(conn, chunk, true)? {
            missing.remove(&row);
            self.slots[row].new = Some(new);
        }
        Ok(missing.into_iter().collect())
    }

    /// Reads rows as they are now, all of which have to be there.
    pub(super) fn read_back<C>(&mut self, conn: &mut C, chunk: Chunk<'_>) -> Sent<()>
    where
        C: LoadConnection<Backend = DB>,
        E: Loads<C, U>,
    {
        self.read_all(conn, chunk, Self::read_new)
    }

    pub(super) fn read_all<C>(
        &mut self,
        conn: &mut C,
        chunk: Chunk<'_>,
        read: impl FnOnce(&mut Self, &mut C, Chunk<'_>) -> Sent<Vec<usize>>,
    ) -> Sent<()> {
        let missing = read(self, conn, chunk)?;
        if missing.is_empty() {
            Ok(())
        } else {
            Err(self.no_row(&missing))
        }
    }

    /// Locks rows and reads them before they are written; returns those that are
    /// not there.
    pub(super) fn read_old<C>(&mut self, conn: &mut C, chunk: Chunk<'_>) -> Sent<Vec<usize>>
    where
        C: LoadConnection<Backend = DB>,
        E: Loads<C, U>,
    {
        let mut missing: BTreeSet<usize> = chunk.rows.iter().copied().collect();
        for (row, old) in self.read(conn, chunk, true)? {
            missing.remove(&row);
            self.slots[row].old = Some(old);
        }
        Ok(missing.into_iter().collect())
    }

    pub(super) fn read<C>(
        &mut self,
        conn: &mut C,
        chunk: Chunk<'_>,
        sees_committed: bool,
    ) -> Sent<Vec<(usize, U)>>
    where
        C: LoadConnection<Backend = DB>,
        E: Loads<C, U>,
    {
        let rows = chunk.rows;
        let call = self.call;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let matching = self.matching(conn)?;
        if !self.supplies_key(chunk.supplied) {
            return Ok(Vec::new());
        }
        let probe = Probe::<DB, B, R, E> {
            rows: call.keys_of(chunk, &matching),
            table: &call.model.table,
            matching: &matching,
            effect: None,
            selected: Some(self.returning),
            sees_committed,
            recurs: chunk.recurs,
        };
        let found = E::load(&probe, conn).map_err(|source| call.stop(source, rows))?;
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
    pub(super) fn are_distinct<C>(&mut self, conn: &mut C, chunk: Chunk<'_>) -> Sent<bool>
    where
        C: LoadConnection<Backend = DB>,
    {
        let rows = chunk.rows;
        let call = self.call;
        let matching = self.matching(conn)?;
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
        let answer = DB::load_text(conn, &query).map_err(|source| call.stop(source, rows))?;
        Ok(answer.as_deref() == Some("yes"))
    }

    /// By what rows are found.
    pub(super) fn matching<C>(&mut self, conn: &mut C) -> Sent<Rc<Matching>>
    where
        C: LoadConnection<Backend = DB>,
    {
        let matching = match self.matching.take() {
            Some(matching) => matching,
            None => Rc::new(Matching::look_up(conn, self.call.model)?),
        };
        Ok(Rc::clone(self.matching.insert(matching)))
    }
}

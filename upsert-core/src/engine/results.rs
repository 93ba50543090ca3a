//! Runs a call that tells what became of each row.
//!
//! No two rows with the same key go out in one statement, so each row's result
//! is what it would be if the rows were upserted one by one. Where the keys
//! cannot be told apart here, the database is asked.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use diesel::connection::LoadConnection;
use diesel::result::Error as DieselError;
use diesel::sql_types::BigInt;

use super::probe::{AreDistinct, LastInserted, Log, Matching, Probe};
use super::{Call, Chunk, Limits, Needs, Stop, is_in_transaction, transaction};
use crate::builder::Options;
use crate::dialect::{ConflictClause, Outcomes, Report};
use crate::error::{Error, Result};
use crate::field::Supplied;
use crate::model::{Model, TargetSql};
use crate::outcome::Action;
use crate::plan::{Plan, Step};
use crate::returning::{Loads, Slot, Wanted};
use crate::sql::{mentions, placeholder, sql_of, without_quotes};
use crate::statement::{Batch, BatchRows, ChunkStatement, ReportingStatement, ResultQuery};
use crate::upsertable::{BindFields, Upsertable};

/// How often rows are sent again that others have changed in the meantime.
const MAX_TRIES: usize = 100;

/// Writes the rows of `batch` on `conn`, and returns what is `wanted` of each.
pub(crate) fn run<C, B, R, E, U>(
    conn: &mut C,
    batch: &Batch<B, R>,
    model: &Model<'_, C::Backend>,
    options: &mut Options<'_>,
    returning: &E,
    wanted: Wanted,
) -> Result<Vec<Slot<U>>>
where
    C: LoadConnection,
    C::Backend: Outcomes,
    B: Borrow<R>,
    R: Upsertable + BindFields<C::Backend>,
    E: Loads<C, U>,
{
    let sql = sql_of::<C::Backend>(returning)
        .map_err(|source| Error::of_building(model.plain_table(), source))?;
    let needs = Needs {
        each_row: true,
        notes: C::Backend::REPORT == Report::Returning
            || C::Backend::REPORT == Report::Log && (wanted.action || wanted.old),
        binds: sql.matches(placeholder::<C::Backend>()).count(),
    };
    let call = Call::<C::Backend, B, R>::prepare(batch, model, options, needs)?;
    let limits = call.limits(conn)?;
    let sorts = call.may_sort(conn, limits)?;
    let mut halve = false;
    loop {
        let plan = if sorts && !halve {
            call.input().sorted(call.selected.clone())
        } else {
            call.input().as_given(call.selected.clone())
        };
        let mut results = Results {
            call: &call,
            returning,
            wanted,
            matching: None,
            asks: !sorts || halve,
            halve,
            slots: Vec::new(),
        };
        match results.run(conn, &plan, limits, options) {
            Ok(()) => return Ok(results.slots),
            Err(Stop::Failed(error)) => return Err(error),
            Err(Stop::Repeats | Stop::Raced) => halve = true,
        }
    }
}

/// The results of a call, as far as they are known.
struct Results<'r, 'c, 'f, DB, B, R: Upsertable, E, U> {
    call: &'r Call<'c, 'f, DB, B, R>,
    returning: &'r E,
    wanted: Wanted,
    /// Looked up when it is needed.
    matching: Option<Rc<Matching>>,
    /// Is the database asked whether keys are different?
    asks: bool,
    /// Are the rows of a statement that fails sent in halves?
    halve: bool,
    slots: Vec<Slot<U>>,
}

impl<DB, B, R, E, U> Results<'_, '_, '_, DB, B, R, E, U>
where
    DB: Outcomes,
    B: Borrow<R>,
    R: Upsertable + BindFields<DB>,
{
    fn run<C>(
        &mut self,
        conn: &mut C,
        plan: &Plan,
        limits: Limits,
        options: &mut Options<'_>,
    ) -> core::result::Result<(), Stop>
    where
        C: LoadConnection<Backend = DB>,
        E: Loads<C, U>,
    {
        let call = self.call;
        let unknown = || Slot {
            action: Action::Skipped,
            old: None,
            new: None,
        };
        self.slots = (0..call.batch.len()).map(|_| unknown()).collect();
        let chunks = call.chunks(plan, limits);
        let left_out = self.left_out();
        let left_out_chunks = call.chunks(&left_out, limits);
        let is_alone = chunks.len() == 1 && left_out_chunks.is_empty() && self.is_one_statement();
        let in_transaction = is_in_transaction(conn)?;
        transaction(conn, is_alone, |conn| {
            if in_transaction {
                let column = call.model.columns.first().map_or("", |column| column.name);
                DB::lock_table(conn, &call.model.table, column)?;
            }
            call.each_chunk(&chunks, options, |chunk| self.send(conn, chunk))?;
            for chunk in left_out_chunks {
                self.read_left_out(conn, chunk)?;
            }
            Ok(())
        })
    }

    /// Is a chunk sent by a single statement?
    fn is_one_statement(&self) -> bool {
        let clauses = &mut self.call.clauses.values();
        DB::REPORT == Report::Returning
            && !self.halve
            && !self.wanted.old
            && clauses.all(|clause| {
                let conflict = &clause.conflict;
                !conflict.has_both_guards() && !(self.wanted.new && conflict.keeps_rows())
            })
    }

    /// The rows that a duplicate policy leaves out.
    fn left_out(&self) -> Plan {
        let selected: BTreeSet<usize> = self.call.selected.iter().copied().collect();
        let mut plan = Plan::default();
        if !self.wanted.new || selected.len() == self.slots.len() {
            return plan;
        }
        let mut by_supplied: BTreeMap<Supplied, Vec<usize>> = BTreeMap::new();
        for row in (0..self.slots.len()).filter(|row| !selected.contains(row)) {
            by_supplied
                .entry(self.call.input().supplied(row))
                .or_default()
                .push(row);
        }
        for (supplied, rows) in by_supplied {
            let start = plan.rows.len();
            plan.rows.extend(rows);
            plan.steps.push(Step {
                rows: start..plan.rows.len(),
                supplied,
            });
        }
        plan
    }

    fn read_left_out<C>(&mut self, conn: &mut C, chunk: Chunk<'_>) -> core::result::Result<(), Stop>
    where
        C: LoadConnection<Backend = DB>,
        E: Loads<C, U>,
    {
        if self.wanted.old {
            for (row, old) in self.read(conn, chunk, DB::READS_BY_LOCKING)? {
                self.slots[row].old = Some(old);
            }
        }
        self.read_back(conn, chunk)
    }

    fn send<C>(&mut self, conn: &mut C, chunk: Chunk<'_>) -> core::result::Result<(), Stop>
    where
        C: LoadConnection<Backend = DB>,
        E: Loads<C, U>,
    {
        let rows = chunk.rows;
        if rows.len() == 1 {
            return self.write(conn, chunk);
        }
        let is_known = !self.asks || self.are_distinct(conn, chunk)?;
        if is_known && !self.halve {
            return self.write(conn, chunk);
        }
        if is_known {
            match conn.transaction(|conn| self.write(conn, chunk)) {
                Err(Stop::Repeats) => {}
                result => return result,
            }
        }
        let (first, second) = rows.split_at(rows.len() / 2);
        for rows in [first, second] {
            self.send(conn, chunk.part(rows))?;
        }
        Ok(())
    }

    /// Writes the rows of a chunk, which have different keys.
    fn write<C>(&mut self, conn: &mut C, chunk: Chunk<'_>) -> core::result::Result<(), Stop>
    where
        C: LoadConnection<Backend = DB>,
        E: Loads<C, U>,
    {
        let Some(clause) = self.call.clauses.get(&chunk.supplied) else {
            return Ok(());
        };
        if DB::REPORT == Report::Returning {
            return self.write_returning(conn, chunk, &clause.conflict);
        }
        let needs_match = self.wanted.new
            || self.wanted.old
            || DB::REPORT == Report::Nothing && self.wanted.action;
        if !needs_match {
            return self.write_together(conn, chunk, &clause.conflict);
        }
        let (together, alone) = self.split(conn, chunk)?;
        if !together.is_empty() {
            self.write_together(conn, chunk.part(&together), &clause.conflict)?;
        }
        for row in alone {
            self.write_alone(conn, chunk.part(&[row]), &clause.conflict)?;
        }
        Ok(())
    }

    /// Splits the rows into those that can be found in the table, and those that
    /// have to be written one by one.
    fn split<C>(
        &mut self,
        conn: &mut C,
        chunk: Chunk<'_>,
    ) -> core::result::Result<(Vec<usize>, Vec<usize>), Stop>
    where
        C: LoadConnection<Backend = DB>,
    {
        let matching = self.matching(conn)?;
        // Only the database knows whether a row is in a partial index, and a NULL
        // equals nothing.
        let is_alone = !matching.expressions.is_empty() || matching.predicate.is_some();
        let reads = self.wanted.new || self.wanted.old;
        let supplies_key = self.supplies_key(chunk.supplied);
        let rows = chunk.rows.iter().copied();
        Ok(rows.partition(|row| {
            !is_alone && supplies_key && !(reads && self.call.keys.has_null(*row))
        }))
    }

    /// Do rows with these columns say by what they are found?
    fn supplies_key(&self, supplied: Supplied) -> bool {
        let Some(matching) = &self.matching else {
            return false;
        };
        let inserted = supplied.inserted();
        if matching.expressions.is_empty() {
            let mut positions = matching.positions.iter();
            return !matching.positions.is_empty()
                && positions.all(|position| inserted.contains(*position));
        }
        let columns = &self.call.model.columns;
        let mut unsupplied = (0..columns.len()).filter(|position| !inserted.contains(*position));
        !unsupplied.any(|position| {
            let name = without_quotes(columns[position].name);
            let mut expressions = matching.expressions.iter();
            expressions.any(|(_, bare)| mentions(&without_quotes(bare), &name))
        })
    }

    // --- Statements that return rows ----------------------------------------

    fn write_returning<C>(
        &mut self,
        conn: &mut C,
        chunk: Chunk<'_>,
        conflict: &ConflictClause<'_, DB>,
    ) -> core::result::Result<(), Stop>
    where
        C: LoadConnection<Backend = DB>,
        E: Loads<C, U>,
    {
        let mut rows = chunk.rows.to_vec();
        for _ in 0..MAX_TRIES {
            let part = chunk.part(&rows);
            let kept = if self.wanted.old {
                match conn.transaction(|conn| self.write_located(conn, part, conflict)) {
                    Err(Stop::Raced) => continue,
                    kept => kept?,
                }
            } else {
                self.send_returning(conn, part, conflict)?
            };
            if !self.wanted.new || kept.is_empty() {
                return Ok(());
            }
            // In a statement of its own, which sees rows that others have
            // committed while the first one ran.
            rows = self.read_new(conn, chunk.part(&kept))?;
            if rows.is_empty() {
                return Ok(());
            }
            // They have been deleted since, so they are sent again.
        }
        Err(self.no_row(&rows))
    }

    /// Writes rows, and locks and reads those that exist before.
    fn write_located<C>(
        &mut self,
        conn: &mut C,
        chunk: Chunk<'_>,
        conflict: &ConflictClause<'_, DB>,
    ) -> core::result::Result<Vec<usize>, Stop>
    where
        C: LoadConnection<Backend = DB>,
        E: Loads<C, U>,
    {
        self.matching(conn)?;
        let can_be_found = |this: &Self, row: &usize| {
            this.supplies_key(chunk.supplied) && !this.call.keys.has_null(*row)
        };
        let rows = chunk.rows.iter().copied();
        let found: Vec<usize> = rows.filter(|row| can_be_found(self, row)).collect();
        for row in chunk.rows {
            self.slots[*row].old = None;
        }
        if !found.is_empty() {
            self.read_old(conn, chunk.part(&found))?;
        }
        let kept = self.send_returning(conn, chunk, conflict)?;
        for row in chunk.rows {
            let slot = &mut self.slots[*row];
            if slot.action == Action::Inserted {
                slot.old = None;
            } else if slot.old.is_none() {
                // Somebody has inserted it after it was looked for.
                return Err(if can_be_found(self, row) {
                    Stop::Raced
                } else {
                    self.no_row(&[*row])
                });
            }
        }
        Ok(kept)
    }

    /// Sends a statement that returns what it wrote, and returns the rows that it
    /// did not write.
    fn send_returning<C>(
        &mut self,
        conn: &mut C,
        chunk: Chunk<'_>,
        conflict: &ConflictClause<'_, DB>,
    ) -> core::result::Result<Vec<usize>, Stop>
    where
        C: LoadConnection<Backend = DB>,
        E: Loads<C, U>,
    {
        let rows = chunk.rows;
        let call = self.call;
        let statement = ReportingStatement::<DB, B, R, E> {
            rows: call.inserted(chunk),
            conflict,
            returning: self.returning,
            recurs: chunk.recurs,
        };
        let written = E::load(&statement, conn).map_err(|source| self.call.stop(source, rows))?;
        let mut kept: BTreeSet<usize> = rows.iter().copied().collect();
        for (number, new) in written {
            let (row, effect) = self.row(rows, number.0)?;
            kept.remove(&row);
            let slot = &mut self.slots[row];
            slot.action = if effect == 0 {
                Action::Inserted
            } else {
                Action::Updated
            };
            slot.new = Some(new);
        }
        let reason = kept_by(conflict);
        for row in &kept {
            self.slots[*row].action = reason;
        }
        if conflict.has_both_guards() && !kept.is_empty() {
            let log = DB::load_text(conn, &Log).map_err(Error::Connection)?;
            for number in log.unwrap_or_default().split_whitespace() {
                let number = number.parse().map_err(|_| self.unreadable())?;
                let (row, _) = self.row(rows, number)?;
                self.slots[row].action = Action::Skipped;
            }
        }
        Ok(kept.into_iter().collect())
    }

    // --- Statements that write a log, or nothing ------------------------------

    fn write_together<C>(
        &mut self,
        conn: &mut C,
        chunk: Chunk<'_>,
        conflict: &ConflictClause<'_, DB>,
    ) -> core::result::Result<(), Stop>
    where
        C: LoadConnection<Backend = DB>,
        E: Loads<C, U>,
    {
        match DB::REPORT {
            Report::Nothing => self.write_foreseen(conn, chunk, conflict)?,
            _ if !(self.wanted.action || self.wanted.old) => {
                self.execute(conn, chunk, conflict)?;
            }
            _ if !self.wanted.old => self.send_logging(conn, chunk, conflict)?,
            _ => {
                // Rows that do not exist cannot be locked without keeping others
                // from inserting theirs, so they are inserted first.
                self.send_logging(conn, chunk, &self.call.model.keeping(true))?;
                let rows = chunk.rows.iter().copied();
                let existing: Vec<usize> = rows
                    .filter(|row| self.slots[*row].action != Action::Inserted)
                    .collect();
                if !existing.is_empty() {
                    let existing = chunk.part(&existing);
                    let missing = self.read_old(conn, existing)?;
                    if !missing.is_empty() {
                        return Err(self.no_row(&missing));
                    }
                    if !conflict.assignments.is_empty() {
                        self.send_logging(conn, existing, conflict)?;
                    }
                }
            }
        }
        if self.wanted.new {
            self.read_back(conn, chunk)?;
        }
        Ok(())
    }

    /// Sends a statement that writes a log, and reads it.
    fn send_logging<C>(
        &mut self,
        conn: &mut C,
        chunk: Chunk<'_>,
        conflict: &ConflictClause<'_, DB>,
    ) -> core::result::Result<(), Stop>
    where
        C: LoadConnection<Backend = DB>,
        E: Loads<C, U>,
    {
        let rows = chunk.rows;
        let call = self.call;
        let statement = ReportingStatement::<DB, B, R, E> {
            rows: call.inserted(chunk),
            conflict,
            returning: self.returning,
            recurs: chunk.recurs,
        };
        let statement = ResultQuery::<DB, BigInt>::new(&statement);
        conn.execute_returning_count(&statement)
            .map_err(|source| self.call.stop(source, rows))?;
        let log = DB::load_text(conn, &Log).map_err(Error::Connection)?;
        let log = log.ok_or_else(|| self.unreadable())?;
        for row in rows {
            self.slots[*row].action = Action::Inserted;
        }
        let mut rest = log.as_str();
        while let Some(end) = rest.find(|char: char| !char.is_ascii_digit()) {
            let row: Option<usize> = rest[..end].parse().ok();
            let row = row.and_then(|number| rows.get(number).copied());
            let action = match &rest[end..=end] {
                "u" => Some(Action::Updated),
                "n" => Some(Action::Unchanged),
                "s" => Some(Action::Skipped),
                _ => None,
            };
            let (Some(row), Some(action)) = (row, action) else {
                return Err(self.unreadable().into());
            };
            self.slots[row].action = action;
            rest = &rest[end + 1..];
        }
        Ok(())
    }

    /// Looks at the rows that exist, and sends a statement that does to them what
    /// it has to.
    fn write_foreseen<C>(
        &mut self,
        conn: &mut C,
        chunk: Chunk<'_>,
        conflict: &ConflictClause<'_, DB>,
    ) -> core::result::Result<(), Stop>
    where
        C: LoadConnection<Backend = DB>,
        E: Loads<C, U>,
    {
        let rows = chunk.rows;
        if !self.wanted.action {
            self.execute(conn, chunk, conflict)?;
            return Ok(());
        }
        for row in rows {
            self.slots[*row].action = Action::Inserted;
        }
        self.foresee(conn, chunk, conflict)?;
        let written = self.execute(conn, chunk, conflict)?;
        let slots = rows.iter().map(|row| &self.slots[*row]);
        let foreseen = slots.filter(|slot| slot.action.is_written()).count();
        if written == foreseen {
            return Ok(());
        }
        // A trigger, or a guard that is not the same twice.
        let [row] = rows else {
            return Err(Stop::Repeats);
        };
        self.slots[*row].action = if written > 0 {
            Action::Updated
        } else {
            kept_by(conflict)
        };
        Ok(())
    }

    /// Looks up what the clause does to the rows that exist.
    fn foresee<C>(
        &mut self,
        conn: &mut C,
        chunk: Chunk<'_>,
        conflict: &ConflictClause<'_, DB>,
    ) -> core::result::Result<(), Stop>
    where
        C: LoadConnection<Backend = DB>,
        E: Loads<C, U>,
    {
        let rows = chunk.rows;
        let call = self.call;
        // What the clause does may depend on every column.
        let reads_all = conflict.keeps_rows() && !conflict.assignments.is_empty();
        let matching = self.matching(conn)?;
        let positions = if reads_all {
            chunk.supplied.inserted().iter().collect()
        } else {
            matching.positions.clone()
        };
        let returning = self.returning;
        let mut probe = Probe::<DB, B, R, E> {
            rows: BatchRows::new(call.batch, rows, positions, &call.model.columns),
            table: &call.model.table,
            matching: &matching,
            effect: Some(conflict),
            selected: None,
            locks: false,
            recurs: chunk.recurs,
        };
        let error = |source| call.stop(source, rows);
        let mut effects = Vec::new();
        let mut old_rows = Vec::new();
        if self.wanted.old {
            probe.selected = Some(returning);
            for (number, old) in E::load(&probe, conn).map_err(error)? {
                effects.push(number.0);
                old_rows.push(Some(old));
            }
        } else {
            let numbers = DB::load_text(conn, &probe).map_err(error)?;
            for number in numbers.unwrap_or_default().split_whitespace() {
                effects.push(number.parse().map_err(|_| self.unreadable())?);
            }
        }
        old_rows.resize_with(effects.len(), || None);
        for (number, old) in effects.into_iter().zip(old_rows) {
            let (row, effect) = self.row(rows, number)?;
            let slot = &mut self.slots[row];
            slot.action = match effect {
                1 => Action::Skipped,
                2 => Action::Unchanged,
                _ => Action::Updated,
            };
            slot.old = old;
        }
        Ok(())
    }

    /// Writes a row that cannot be found by its key: whether it exists is seen by
    /// inserting it.
    fn write_alone<C>(
        &mut self,
        conn: &mut C,
        chunk: Chunk<'_>,
        conflict: &ConflictClause<'_, DB>,
    ) -> core::result::Result<(), Stop>
    where
        C: LoadConnection<Backend = DB>,
        E: Loads<C, U>,
    {
        let rows = chunk.rows;
        let [row] = *rows else {
            return Ok(());
        };
        let table = &self.call.model.table;
        let column = DB::begin_insert(conn, table).map_err(Error::Connection)?;
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
                    return Err(self.no_row(rows));
                };
                let inserted = LastInserted {
                    table,
                    column: &column,
                    selected: self.returning,
                };
                let found = E::load(&inserted, conn).map_err(|it| self.call.stop(it, rows))?;
                let Some((_, new)) = found.into_iter().next() else {
                    return Err(self.no_row(rows));
                };
                self.slots[row].new = Some(new);
            }
            return Ok(());
        }
        self.matching(conn)?;
        if !self.supplies_key(chunk.supplied) && (self.wanted.new || self.wanted.old) {
            return Err(self.no_row(rows));
        }
        if self.wanted.old {
            let missing = self.read_old(conn, chunk)?;
            if !missing.is_empty() {
                return Err(self.no_row(&missing));
            }
        }
        if conflict.assignments.is_empty() {
            self.slots[row].action = Action::Skipped;
        } else if DB::REPORT == Report::Log {
            self.send_logging(conn, chunk, conflict)?;
        } else {
            if self.wanted.action && conflict.has_both_guards() && self.supplies_key(chunk.supplied)
            {
                self.foresee(conn, chunk, conflict)?;
            } else {
                self.slots[row].action = kept_by(conflict);
            }
            if self.execute(conn, chunk, conflict)? > 0 {
                self.slots[row].action = Action::Updated;
            }
        }
        if self.wanted.new {
            self.read_back(conn, chunk)?;
        }
        Ok(())
    }

    /// Sends the statement of a plain call, and returns how many rows it wrote,
    /// where the database tells.
    fn execute<C>(
        &self,
        conn: &mut C,
        chunk: Chunk<'_>,
        conflict: &ConflictClause<'_, DB>,
    ) -> core::result::Result<usize, Stop>
    where
        C: LoadConnection<Backend = DB>,
    {
        let statement = ChunkStatement::<DB, B, R> {
            batch: self.call.batch,
            columns: &self.call.model.columns,
            rows: chunk.rows,
            supplied: chunk.supplied,
            conflict,
            recurs: chunk.recurs,
        };
        conn.execute_returning_count(&statement)
            .map_err(|source| self.call.stop(source, chunk.rows))
    }

    // --- Reading rows by their keys -----------------------------------------

    /// Reads rows as they are now; returns those that are not there.
    fn read_new<C>(
        &mut self,
        conn: &mut C,
        chunk: Chunk<'_>,
    ) -> core::result::Result<Vec<usize>, Stop>
    where
        C: LoadConnection<Backend = DB>,
        E: Loads<C, U>,
    {
        let mut missing: BTreeSet<usize> = chunk.rows.iter().copied().collect();
        for (row, new) in self.read(conn, chunk, DB::READS_BY_LOCKING)? {
            missing.remove(&row);
            self.slots[row].new = Some(new);
        }
        Ok(missing.into_iter().collect())
    }

    /// Reads rows as they are now, all of which have to be there.
    fn read_back<C>(&mut self, conn: &mut C, chunk: Chunk<'_>) -> core::result::Result<(), Stop>
    where
        C: LoadConnection<Backend = DB>,
        E: Loads<C, U>,
    {
        let missing = self.read_new(conn, chunk)?;
        if missing.is_empty() {
            Ok(())
        } else {
            Err(self.no_row(&missing))
        }
    }

    /// Locks rows and reads them before they are written; returns those that are
    /// not there.
    fn read_old<C>(
        &mut self,
        conn: &mut C,
        chunk: Chunk<'_>,
    ) -> core::result::Result<Vec<usize>, Stop>
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

    fn read<C>(
        &mut self,
        conn: &mut C,
        chunk: Chunk<'_>,
        locks: bool,
    ) -> core::result::Result<Vec<(usize, U)>, Stop>
    where
        C: LoadConnection<Backend = DB>,
        E: Loads<C, U>,
    {
        let rows = chunk.rows;
        let call = self.call;
        let matching = self.matching(conn)?;
        if !self.supplies_key(chunk.supplied) {
            return Ok(Vec::new());
        }
        let inserted = chunk.supplied.inserted();
        let positions = matching.positions.iter().copied();
        let probe = Probe::<DB, B, R, E> {
            rows: BatchRows::new(
                call.batch,
                rows,
                positions.filter(|it| inserted.contains(*it)).collect(),
                &call.model.columns,
            ),
            table: &call.model.table,
            matching: &matching,
            effect: None,
            selected: Some(self.returning),
            locks,
            recurs: chunk.recurs,
        };
        let found = E::load(&probe, conn).map_err(|source| call.stop(source, rows))?;
        let found = found.into_iter();
        found
            .map(|(number, new)| Ok((self.row(rows, number.0)?.0, new)))
            .collect()
    }

    /// Does the database hold the keys of the rows different?
    fn are_distinct<C>(
        &mut self,
        conn: &mut C,
        chunk: Chunk<'_>,
    ) -> core::result::Result<bool, Stop>
    where
        C: LoadConnection<Backend = DB>,
    {
        let rows = chunk.rows;
        let call = self.call;
        let matching = self.matching(conn)?;
        if !self.supplies_key(chunk.supplied) {
            return Ok(false);
        }
        let inserted = chunk.supplied.inserted();
        let positions = matching.positions.iter().copied();
        let query = AreDistinct {
            rows: BatchRows::new(
                call.batch,
                rows,
                positions.filter(|it| inserted.contains(*it)).collect(),
                &call.model.columns,
            ),
            count: rows.len(),
            table: &call.model.table,
            matching: &matching,
        };
        let answer = DB::load_text(conn, &query).map_err(|source| call.stop(source, rows))?;
        Ok(answer.as_deref() == Some("yes"))
    }

    /// By what rows are found.
    fn matching<C>(&mut self, conn: &mut C) -> core::result::Result<Rc<Matching>, Stop>
    where
        C: LoadConnection<Backend = DB>,
    {
        let matching = match self.matching.take() {
            Some(matching) => matching,
            None => Rc::new(Matching::look_up(conn, self.call.model)?),
        };
        Ok(Rc::clone(self.matching.insert(matching)))
    }

    // --- Small things -------------------------------------------------------

    /// The input row and the rest of a number that stands beside a row.
    fn row(&self, rows: &[usize], number: i64) -> core::result::Result<(usize, i64), Stop> {
        let position = usize::try_from(number / 4).ok();
        match position.and_then(|position| rows.get(position)) {
            Some(row) => Ok((*row, number % 4)),
            None => Err(self.unreadable().into()),
        }
    }

    fn unreadable(&self) -> Error {
        Error::Connection(DieselError::DeserializationError(
            "the database has returned a row with an unknown number".into(),
        ))
    }

    fn no_row(&self, rows: &[usize]) -> Stop {
        Stop::Failed(Error::NoRow {
            place: self.call.place(rows),
        })
    }
}

/// Why the clause leaves a row as it is; where it has two reasons, one that a
/// guard keeps is in the log.
fn kept_by<DB>(conflict: &ConflictClause<'_, DB>) -> Action {
    if conflict.skip_unchanged && !conflict.assignments.is_empty() {
        Action::Unchanged
    } else {
        Action::Skipped
    }
}

impl Matching {
    fn look_up<C>(conn: &mut C, model: &Model<'_, C::Backend>) -> core::result::Result<Self, Stop>
    where
        C: LoadConnection,
        C::Backend: Outcomes,
    {
        let refused = |source| Error::of_building(model.plain_table(), source);
        let all: Vec<&'static str> = model.columns.iter().map(|column| column.name).collect();
        let (names, constraint, expressions) = match model.target_sql().map_err(refused)? {
            TargetSql::Columns(columns) => (columns.to_vec(), None, Vec::new()),
            TargetSql::Constraint(name) => (all, Some(name), Vec::new()),
            TargetSql::Expressions(expressions) => (all, None, expressions),
        };
        let columns = C::Backend::key_columns(conn, &model.table, &names, constraint)
            .map_err(Error::Connection)?;
        let position = |name: &str| model.columns.iter().position(|it| it.name == name);
        let known = columns
            .iter()
            .map(|key| position(&key.name))
            .collect::<Option<Vec<usize>>>();
        // A column that the model does not have leaves nothing to be found by.
        let positions = known.unwrap_or_default();
        Ok(Self {
            positions,
            columns,
            expressions,
            predicate: model.predicate().map_err(refused)?,
        })
    }
}

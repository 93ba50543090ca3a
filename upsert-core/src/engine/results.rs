//! Runs a call that tells what became of each row.
//!
//! No two rows with the same key go out in one statement, so each row's result
//! is what it would be if the rows were upserted one by one. Where the keys
//! cannot be told apart here, the database is asked.

use std::borrow::Borrow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use diesel::connection::LoadConnection;
use diesel::result::Error as DieselError;
use diesel::sql_types::BigInt;

use super::probe::{AreDistinct, ById, LastInserted, Log, Matching, Probe, RowId};
use super::{Call, Chunk, Limits, Needs, Order, Stop, is_in_transaction, transaction};
use crate::builder::Options;
use crate::dialect::{Condition, ConflictClause, Outcomes, Report, TypeKind};
use crate::error::{Error, Result};
use crate::field::Supplied;
use crate::model::{Model, TargetSql};
use crate::outcome::Action;
use crate::plan::{Plan, Step};
use crate::returning::{Loads, Number, Slot, Wanted};
use crate::sql::{excluded_sql, mentions, placeholder, sql_of, without_quotes};
use crate::statement::{Batch, BatchRows, ChunkStatement, ReportingStatement, ResultQuery};
use crate::upsertable::{BindFields, Upsertable};

/// How often rows are sent again that others have changed in the meantime.
const MAX_TRIES: usize = 10;

/// The most rows of a statement.
const MAX_NOTED_ROWS: usize = 1024;

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
    let mut limits = call.limits(conn)?;
    // A note of a row copies those before it.
    limits.rows = limits.rows.min(MAX_NOTED_ROWS);
    let sorts = call.may_sort(conn, limits)?;
    // Something of the table makes keys equal.
    let is_obstructed = !sorts && call.order(limits) == Order::Ask;
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
            numbered_column: OnceCell::new(),
            asks: !sorts || halve || !model.comparison.knows_equal(),
            one_by_one: is_obstructed && !C::Backend::NUMBERED_LIKE_COLUMNS,
            halve,
            slots: Vec::new(),
        };
        match results.run(conn, &plan, limits, options) {
            Ok(()) => return Ok(results.slots),
            Err(Stop::Failed(error)) => return Err(error),
            Err(Stop::Repeats) => halve = true,
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
    /// The same; a table may have none.
    numbered_column: OnceCell<Option<String>>,
    /// Is the database asked whether keys are different?
    asks: bool,
    /// Is each row sent in a statement of its own?
    one_by_one: bool,
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
        let is_alone = matches!(chunks.as_slice(), [only] if self.is_one_statement(*only))
            && left_out_chunks.is_empty();
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

    /// Is the chunk sent by a single statement, whatever happens?
    fn is_one_statement(&self, chunk: Chunk<'_>) -> bool {
        let Some(clause) = self.call.clauses.get(&chunk.supplied) else {
            return false;
        };
        let may_split = chunk.rows.len() > 1 && self.asks;
        // A trigger may keep a row that is then not found.
        let may_fail = self.wanted.new || self.wanted.old;
        DB::REPORT == Report::Returning
            && !may_split
            && !may_fail
            && !clause.conflict.skip_unchanged
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
            for (row, old) in self.read(conn, chunk, true)? {
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
        if self.one_by_one {
            for row in rows {
                self.write(conn, chunk.part(&[*row]))?;
            }
            return Ok(());
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
        let matching = self.matching(conn)?;
        if matching.one_by_one && chunk.rows.len() > 1 {
            self.one_by_one = true;
            return self.send(conn, chunk);
        }
        // Only the database knows whether a row is in a partial index, and a NULL
        // equals nothing.
        let reads = self.wanted.new || self.wanted.old;
        let is_alone = !matching.expressions.is_empty()
            || matching.predicate.is_some()
            || !self.supplies_key(chunk.supplied);
        let keys = &self.call.keys;
        let is_alone = |row: &usize| is_alone || reads && keys.has_null(*row);
        // In their order: the database may number a row as the next one is.
        for run in chunk.rows.chunk_by(|a, b| !is_alone(a) && !is_alone(b)) {
            if is_alone(&run[0]) {
                self.write_alone(conn, chunk.part(run), &clause.conflict)?;
            } else {
                self.write_together(conn, chunk.part(run), &clause.conflict)?;
            }
        }
        Ok(())
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
        if self.wanted.old {
            // Inserts what is missing and locks the rest, in the order of the keys
            // as any other call.
            let locking = self.call.model.locking(conflict, chunk.supplied);
            let existing = self.send_returning(conn, chunk, &locking)?;
            if existing.is_empty() {
                return Ok(());
            }
            let existing = chunk.part(&existing);
            self.read_all(conn, existing, Self::read_old)?;
            let kept = if conflict.assignments.is_empty() {
                existing.rows.to_vec()
            } else {
                self.send_returning(conn, existing, conflict)?
            };
            return self.read_back(conn, chunk.part(&kept));
        }
        let mut rows = chunk.rows.to_vec();
        for _ in 0..MAX_TRIES {
            let kept = self.send_returning(conn, chunk.part(&rows), conflict)?;
            if !self.wanted.new || kept.is_empty() {
                return Ok(());
            }
            // In a statement of its own, which sees rows that others have
            // committed while the first one ran.
            rows = self.read_new(conn, chunk.part(&kept))?;
            if rows.is_empty() {
                return Ok(());
            }
            if !conflict.assignments.is_empty() {
                // They are locked, and would be found.
                break;
            }
            // They have been deleted since, so they are sent again.
        }
        Err(self.no_row(&rows))
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
            let log = DB::load_text(conn, &Log).map_err(Error::Connection)?;
            for number in log.unwrap_or_default().split_whitespace() {
                let number = number.parse().map_err(|_| unreadable())?;
                let (row, _) = input_row(rows, number)?;
                self.slots[row].action = Action::Unchanged;
            }
        }
        Ok(kept.into_iter().collect())
    }

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
            _ => self.write_existing(conn, chunk, conflict)?,
        }
        if self.wanted.new {
            self.read_back(conn, chunk)?;
        }
        Ok(())
    }

    /// Writes rows, and locks and reads those that exist before.
    ///
    /// Rows that do not exist cannot be locked without keeping others from
    /// inserting theirs, so those that are not seen are inserted first.
    fn write_existing<C>(
        &mut self,
        conn: &mut C,
        chunk: Chunk<'_>,
        conflict: &ConflictClause<'_, DB>,
    ) -> core::result::Result<(), Stop>
    where
        C: LoadConnection<Backend = DB>,
        E: Loads<C, U>,
    {
        let keeping = self.call.model.keeping(true);
        let mut missing: BTreeSet<usize> = chunk.rows.iter().copied().collect();
        let mut existing = BTreeSet::new();
        for (row, _) in self.read(conn, chunk, false)? {
            missing.remove(&row);
            existing.insert(row);
        }
        for _ in 0..MAX_TRIES {
            if !missing.is_empty() {
                let rows: Vec<usize> = missing.iter().copied().collect();
                self.send_logging(conn, chunk.part(&rows), &keeping)?;
                let was_there = |row: &usize| self.slots[*row].action != Action::Inserted;
                existing.extend(rows.into_iter().filter(was_there));
            }
            if existing.is_empty() {
                return Ok(());
            }
            let rows: Vec<usize> = existing.iter().copied().collect();
            missing = self
                .read_old(conn, chunk.part(&rows))?
                .into_iter()
                .collect();
            if missing.is_empty() {
                for row in &rows {
                    self.slots[*row].action = Action::Skipped;
                }
                if conflict.assignments.is_empty() {
                    return Ok(());
                }
                return self.send_logging(conn, chunk.part(&rows), conflict);
            }
            // They have been deleted since.
            existing.retain(|row| !missing.contains(row));
        }
        let missing: Vec<usize> = missing.into_iter().collect();
        Err(self.no_row(&missing))
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
        if rows.len() > 1 && self.is_hard_to_foresee(conflict)? {
            self.one_by_one = true;
            return self.send(conn, chunk);
        }
        for row in rows {
            self.slots[*row].action = Action::Inserted;
        }
        match self.foresee(conn, chunk, conflict) {
            // An expression may not mean the same, or nothing, beside other names.
            Err(_) if rows.len() > 1 => {
                self.one_by_one = true;
                return self.send(conn, chunk);
            }
            foreseen => foreseen?,
        }
        if self.wanted.old {
            let rows = rows.iter().copied();
            let existing: Vec<usize> = rows
                .filter(|row| self.slots[*row].action != Action::Inserted)
                .collect();
            self.read_all(conn, chunk.part(&existing), Self::read_old)?;
        }
        let written = self.execute(conn, chunk, conflict)?;
        let slots = rows.iter().map(|row| &self.slots[*row]);
        let foreseen = slots.filter(|slot| slot.action.is_written()).count();
        if written == foreseen {
            return Ok(());
        }
        // A trigger, or a guard that is not the same twice. Of one row, the count
        // tells.
        let [row] = rows else {
            return Err(Stop::Repeats);
        };
        self.slots[*row].action = if written > 0 {
            Action::Updated
        } else {
            Action::Skipped
        };
        Ok(())
    }

    /// Has the guard an expression that computes with numbers? The column's type
    /// may make SQLite compute otherwise than with what is bound.
    fn is_hard_to_foresee(
        &self,
        conflict: &ConflictClause<'_, DB>,
    ) -> core::result::Result<bool, Stop> {
        for condition in &conflict.conditions {
            let Condition::Expression(expression) = condition else {
                continue;
            };
            let sql = expression.sql()?;
            for column in &self.call.model.columns {
                let kind = TypeKind::of((column.sql_type)());
                if kind == TypeKind::Number && sql.contains(&excluded_sql::<DB>(column.name)?) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
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
        let has_guards = conflict.keeps_rows() && !conflict.assignments.is_empty();
        let mut numbers = self.look_up(conn, chunk, has_guards.then_some(conflict));
        if numbers.is_err() && has_guards && chunk.rows.len() == 1 {
            numbers = self.look_up(conn, chunk, None);
        }
        for number in numbers?.split_whitespace() {
            let number = number.parse().map_err(|_| unreadable())?;
            let (row, effect) = input_row(chunk.rows, number)?;
            self.slots[row].action = match effect {
                1 => Action::Skipped,
                2 => Action::Unchanged,
                _ if conflict.assignments.is_empty() => Action::Skipped,
                _ => Action::Updated,
            };
        }
        Ok(())
    }

    /// The numbers of the rows that exist.
    fn look_up<C>(
        &mut self,
        conn: &mut C,
        chunk: Chunk<'_>,
        effect: Option<&ConflictClause<'_, DB>>,
    ) -> core::result::Result<String, Stop>
    where
        C: LoadConnection<Backend = DB>,
        E: Loads<C, U>,
    {
        let call = self.call;
        let matching = self.matching(conn)?;
        let probe = Probe::<DB, B, R, E> {
            rows: if effect.is_some() {
                // What the clause does may depend on every column.
                call.inserted(chunk)
            } else {
                call.keys_of(chunk, &matching)
            },
            table: &call.model.table,
            matching: &matching,
            effect,
            selected: None,
            sees_committed: true,
            recurs: chunk.recurs,
        };
        let numbers =
            DB::load_text(conn, &probe).map_err(|source| call.stop(source, chunk.rows))?;
        Ok(numbers.unwrap_or_default())
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

    fn numbered_column<C>(&mut self, conn: &mut C) -> core::result::Result<Option<String>, Stop>
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
    fn row_id<C>(
        &mut self,
        conn: &mut C,
        chunk: Chunk<'_>,
    ) -> core::result::Result<Option<i64>, Stop>
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

    fn read_by_id<C>(
        &mut self,
        conn: &mut C,
        chunk: Chunk<'_>,
        id: Option<i64>,
    ) -> core::result::Result<Option<U>, Stop>
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
        for (row, new) in self.read(conn, chunk, true)? {
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
        self.read_all(conn, chunk, Self::read_new)
    }

    fn read_all<C>(
        &mut self,
        conn: &mut C,
        chunk: Chunk<'_>,
        read: impl FnOnce(&mut Self, &mut C, Chunk<'_>) -> core::result::Result<Vec<usize>, Stop>,
    ) -> core::result::Result<(), Stop> {
        let missing = read(self, conn, chunk)?;
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
        sees_committed: bool,
    ) -> core::result::Result<Vec<(usize, U)>, Stop>
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

    fn no_row(&self, rows: &[usize]) -> Stop {
        Stop::Failed(Error::NoRow {
            place: self.call.place(rows),
        })
    }
}

/// The input row and the rest of a number that stands beside a row.
fn input_row(rows: &[usize], number: i64) -> core::result::Result<(usize, i64), Stop> {
    let position = usize::try_from(number / 4).ok();
    match position.and_then(|position| rows.get(position)) {
        Some(row) => Ok((*row, number % 4)),
        None => Err(unreadable().into()),
    }
}

fn unreadable() -> Error {
    Error::Connection(DieselError::DeserializationError(
        "the database has returned a row with an unknown number".into(),
    ))
}

impl<'c, DB, B, R> Call<'c, '_, DB, B, R>
where
    DB: Outcomes,
    B: Borrow<R>,
    R: Upsertable + BindFields<DB>,
{
    /// The values by which the rows of a chunk are found.
    fn keys_of<'p>(&self, chunk: Chunk<'p>, matching: &Matching) -> BatchRows<'p, B, R>
    where
        'c: 'p,
    {
        let inserted = chunk.supplied.inserted();
        let positions = matching.positions.iter().copied();
        BatchRows::new(
            self.batch,
            chunk.rows,
            positions.filter(|it| inserted.contains(*it)).collect(),
            &self.model.columns,
        )
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
        let found = C::Backend::key_columns(conn, &model.table, &names, constraint)
            .map_err(Error::Connection)?;
        let position = |name: &str| model.columns.iter().position(|it| it.name == name);
        let known = found
            .columns
            .iter()
            .map(|key| position(&key.name))
            .collect::<Option<Vec<usize>>>();
        // A column that the model does not have leaves nothing to be found by.
        let positions = known.unwrap_or_default();
        Ok(Self {
            positions,
            columns: found.columns,
            index: found.index,
            has_children: found.has_children,
            one_by_one: found.one_by_one,
            expressions,
            predicate: model.predicate().map_err(refused)?,
        })
    }
}

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

use super::probe::Matching;
use super::{Call, Chunk, Limits, Needs, Order, Stop, is_in_transaction, transaction};
use crate::builder::Options;
use crate::dialect::{ConflictClause, Outcomes, Report};
use crate::error::{Error, Result};
use crate::field::Supplied;
use crate::model::{Model, TargetSql};
use crate::outcome::Action;
use crate::plan::{Plan, Step};
use crate::returning::{Loads, Slot, Wanted};
use crate::sql::{mentions, placeholder, sql_of, without_quotes};
use crate::statement::{Batch, BatchRows, ChunkStatement};
use crate::upsertable::{BindFields, Upsertable};

mod alone;
mod foreseen;
mod logging;
mod read;
mod returning;

/// The result of sending statements.
type Sent<T> = core::result::Result<T, Stop>;

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
    if is_in_transaction(conn)? {
        let column = model.columns.first().map_or("", |column| column.name);
        C::Backend::lock_table(conn, &model.table, column).map_err(Error::Connection)?;
    }
    let mut limits = call.limits(conn)?;
    // A note of a row copies those before it.
    limits.rows = limits.rows.min(MAX_NOTED_ROWS);
    let sorts = call.may_sort(conn, limits)?;
    // Something of the table makes keys equal.
    let is_obstructed = !sorts && call.order(limits) == Order::Ask;
    let mut attempt = Attempt::default();
    loop {
        let plan = if sorts && !attempt.halves {
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
            asks: !sorts || attempt.halves || !model.comparison.knows_equal(),
            one_by_one: is_obstructed && !C::Backend::NUMBERED_LIKE_COLUMNS,
            attempt,
            slots: Vec::new(),
        };
        match results.run(conn, &plan, limits, options) {
            Ok(()) => return Ok(results.slots),
            Err(Stop::Failed(error)) => return Err(error),
            Err(Stop::Repeats) => attempt.halves = true,
            Err(Stop::Vanished(rows)) if attempt.locks => return Err(call.missing(&rows)),
            Err(Stop::Vanished(_)) => attempt.locks = true,
        }
    }
}

/// What an earlier attempt has shown.
#[derive(Debug, Clone, Copy, Default)]
struct Attempt {
    /// Are the rows of a statement that fails sent in halves?
    halves: bool,
    /// Are rows that exist locked, although nothing is done to them, as others
    /// delete them?
    locks: bool,
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
    attempt: Attempt,
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
    ) -> Sent<()>
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
        transaction(conn, is_alone, |conn| {
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

    fn read_left_out<C>(&mut self, conn: &mut C, chunk: Chunk<'_>) -> Sent<()>
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

    fn send<C>(&mut self, conn: &mut C, chunk: Chunk<'_>) -> Sent<()>
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
        if is_known && !self.attempt.halves {
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
    fn write<C>(&mut self, conn: &mut C, chunk: Chunk<'_>) -> Sent<()>
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

    fn write_together<C>(
        &mut self,
        conn: &mut C,
        chunk: Chunk<'_>,
        conflict: &ConflictClause<'_, DB>,
    ) -> Sent<()>
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

    /// Sends the statement of a plain call, and returns how many rows it wrote,
    /// where the database tells.
    fn execute<C>(
        &self,
        conn: &mut C,
        chunk: Chunk<'_>,
        conflict: &ConflictClause<'_, DB>,
    ) -> Sent<usize>
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

    fn no_row(&self, rows: &[usize]) -> Stop {
        Stop::Failed(self.call.missing(rows))
    }
}

/// The input row and the rest of a number that stands beside a row.
fn input_row(rows: &[usize], number: i64) -> Sent<(usize, i64)> {
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
    fn missing(&self, rows: &[usize]) -> Error {
        Error::NoRow {
            place: self.place(rows),
        }
    }

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
    fn look_up<C>(conn: &mut C, model: &Model<'_, C::Backend>) -> Sent<Self>
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

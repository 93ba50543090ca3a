//! Runs a call that tells what became of each row.
//!
//! No two rows with the same key go out in one statement, so each row's result
//! is what it would be if the rows were upserted one by one. Where the keys
//! cannot be told apart here, the database is asked.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use diesel::result::Error as DieselError;

use super::probe::Matching;
use super::{
    Begun, Call, Chunk, Limits, Needs, Order, Stop, begin, classified, end, halves, next_attempt,
};
use crate::batch::ErasedBatch;
use crate::builder::Options;
use crate::dialect::{ConflictClause, KeyLookup, Outcomes, Report};
use crate::error::{Error, Result};
use crate::field::Supplied;
use crate::model::{Model, TargetSql};
use crate::outcome::Action;
use crate::plan::{Plan, Step};
use crate::retry::Attempts;
use crate::returning::{Slot, Wanted};
use crate::session::{LoadSession, LoadsFrom};
use crate::sql::{mentions, placeholder, sql_of, without_quotes};
use crate::statement::BatchRows;
use crate::trace;

mod alone;
mod foreseen;
mod logging;
mod read;
mod returning;

/// The result of sending statements.
type Sent<T> = core::result::Result<T, Stop>;

/// The most rows of a statement.
const MAX_NOTED_ROWS: usize = 1024;

/// Writes the rows of `batch`, and returns what is `wanted` of each.
pub(crate) async fn run<S, T, E, U>(
    session: &mut S,
    batch: &T,
    model: &Model<'_, S::Backend>,
    options: &mut Options<'_>,
    returning: &E,
    wanted: Wanted,
) -> Result<Vec<Slot<U>>>
where
    S: LoadSession,
    T: ErasedBatch<S::Backend> + ?Sized,
    E: LoadsFrom<S, U>,
{
    let sent = async {
        let sql = sql_of::<S::Backend>(returning)
            .map_err(|source| Error::of_building(model.plain_table(), source))?;
        let needs = Needs {
            each_row: true,
            notes: S::Backend::REPORT == Report::Returning
                || S::Backend::REPORT == Report::Log && (wanted.action || wanted.old),
            binds: sql.matches(placeholder::<S::Backend>()).count(),
            ..Needs::default()
        };
        let call = Call::<S::Backend, T>::prepare(batch, model, options, needs)?;
        let mut attempts = Attempts::of(options.retry);
        loop {
            let sent = run_once(session, &call, options, returning, wanted);
            let error = match sent.await {
                Ok(slots) => return Ok(slots),
                Err(Stop::Row { error, .. }) if options.on_error.names_rows() => {
                    let mut options = options.of_part();
                    return Err(named(session, batch, model, &mut options, error).await);
                }
                Err(Stop::Failed(error) | Stop::Row { error, .. }) => error,
                // There is no token, and the others are handled.
                Err(_) => unreadable(),
            };
            next_attempt(session, &mut attempts, classified(error, model)).await?;
        }
    };
    trace::inside(trace::call(&model.table, batch.len()), sent).await
}

async fn run_once<S, T, E, U>(
    session: &mut S,
    call: &Call<'_, '_, S::Backend, T>,
    options: &mut Options<'_>,
    returning: &E,
    wanted: Wanted,
) -> Sent<Vec<Slot<U>>>
where
    S: LoadSession,
    T: ErasedBatch<S::Backend> + ?Sized,
    E: LoadsFrom<S, U>,
{
    let mut limits = Limits::of::<S::Backend>();
    // A note of a row copies those before it.
    limits.rows = limits.rows.min(MAX_NOTED_ROWS);
    let order = call.order(limits);
    let sorts = call.look(session, order, &mut limits).await?.may_sort;
    trace::is_sorted(sorts);
    // Something of the table makes keys equal.
    let is_obstructed = !sorts && call.order(limits) == Order::Ask;
    let mut attempt = Attempt::default();
    loop {
        let plan = call.plan(sorts && !attempt.halves);
        let mut results = Results {
            call,
            returning,
            wanted,
            matching: None,
            numbered_column: OnceCell::new(),
            asks: !sorts || attempt.halves || !call.model.comparison.knows_equal(),
            one_by_one: is_obstructed && !S::Backend::NUMBERED_LIKE_COLUMNS,
            attempt,
            slots: Vec::new(),
        };
        match results.run(session, &plan, limits, options).await {
            Ok(()) => return Ok(results.slots),
            Err(Stop::Repeats | Stop::OneByOne | Stop::NoCopy | Stop::Forgotten)
                if !attempt.halves =>
            {
                attempt.halves = true;
            }
            Err(Stop::Vanished(rows)) if attempt.locks => {
                return Err(call.missing(&rows).into());
            }
            Err(Stop::Vanished(_)) => attempt.locks = true,
            Err(stop) => return Err(stop),
        }
    }
}

/// Names the rows that cannot be written, of a call that has failed by `error`: it is sent
/// once more without its results, and rolled back.
async fn named<S, T>(
    session: &mut S,
    batch: &T,
    model: &Model<'_, S::Backend>,
    options: &mut Options<'_>,
    error: Error,
) -> Error
where
    S: LoadSession,
    T: ErasedBatch<S::Backend> + ?Sized,
{
    if session.begin().await.is_err() {
        return error;
    }
    let sent = super::run(session, batch, model, options).await;
    let _ = session.rollback().await;
    match sent {
        Err(named @ Error::FailedRows { .. }) => named,
        _ => error,
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
struct Results<'r, 'c, 'f, DB, T: ?Sized, E, U> {
    call: &'r Call<'c, 'f, DB, T>,
    returning: &'r E,
    wanted: Wanted,
    /// Looked up when it is needed.
    matching: Option<Arc<Matching>>,
    /// The same; a table may have none.
    numbered_column: OnceCell<Option<String>>,
    /// Is the database asked whether keys are different?
    asks: bool,
    /// Is each row sent in a statement of its own?
    one_by_one: bool,
    attempt: Attempt,
    slots: Vec<Slot<U>>,
}

impl<DB, T, E, U> Results<'_, '_, '_, DB, T, E, U>
where
    DB: Outcomes,
    T: ErasedBatch<DB> + ?Sized,
{
    async fn run<S>(
        &mut self,
        session: &mut S,
        plan: &Plan,
        limits: Limits,
        options: &mut Options<'_>,
    ) -> Sent<()>
    where
        S: LoadSession<Backend = DB>,
        E: LoadsFrom<S, U>,
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
        let begun = begin(session, is_alone).await?;
        let sent = self.send_all(session, &chunks, &left_out_chunks, options);
        let sent = sent.await;
        end(session, call.model, begun, sent).await
    }

    async fn send_all<S>(
        &mut self,
        session: &mut S,
        chunks: &[Chunk<'_>],
        left_out: &[Chunk<'_>],
        options: &mut Options<'_>,
    ) -> Sent<()>
    where
        S: LoadSession<Backend = DB>,
        E: LoadsFrom<S, U>,
    {
        let progress = &mut options.progress;
        progress.begin(self.call.batch.len(), chunks.len());
        if self.wanted.action {
            progress.skipped(self.call.batch.len() - self.call.selected.len());
        }
        for chunk in chunks {
            self.send(session, *chunk).await?;
            let actions = chunk.rows.iter().map(|row| self.slots[*row].action);
            progress.sent(chunk.rows.len(), actions.filter(|_| self.wanted.action));
        }
        for chunk in left_out {
            let mut parts = vec![chunk.rows];
            while let Some(rows) = parts.pop() {
                match self.read_left_out(session, chunk.part(rows)).await {
                    Err(Stop::Repeats) => parts.extend(halves(rows)),
                    read => read?,
                }
            }
        }
        Ok(())
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

    async fn read_left_out<S>(&mut self, session: &mut S, chunk: Chunk<'_>) -> Sent<()>
    where
        S: LoadSession<Backend = DB>,
        E: LoadsFrom<S, U>,
    {
        if self.wanted.old {
            for (row, old) in self.read(session, chunk, true).await? {
                self.slots[row].old = Some(old);
            }
        }
        self.read_back(session, chunk).await
    }

    /// Writes the rows of a chunk in as many statements as it takes.
    async fn send<S>(&mut self, session: &mut S, chunk: Chunk<'_>) -> Sent<()>
    where
        S: LoadSession<Backend = DB>,
        E: LoadsFrom<S, U>,
    {
        let mut parts = vec![chunk.rows];
        while let Some(rows) = parts.pop() {
            let part = if rows.len() == chunk.rows.len() {
                chunk
            } else {
                chunk.part(rows)
            };
            if rows.len() == 1 {
                self.write(session, part).await?;
                continue;
            }
            if self.one_by_one {
                parts.extend(rows.chunks(1).rev());
                continue;
            }
            let is_written = if self.attempt.halves {
                session.begin().await?;
                let written = self.write_distinct(session, part).await;
                match end(session, self.call.model, Begun::Savepoint, written).await {
                    Err(Stop::Repeats) => false,
                    written => written?,
                }
            } else {
                self.write_distinct(session, part).await?
            };
            if !is_written {
                parts.extend(halves(rows));
            }
        }
        Ok(())
    }

    /// Writes the rows of a chunk, unless the database may hold two of their keys equal.
    async fn write_distinct<S>(&mut self, session: &mut S, chunk: Chunk<'_>) -> Sent<bool>
    where
        S: LoadSession<Backend = DB>,
        E: LoadsFrom<S, U>,
    {
        if self.asks && !self.are_distinct(session, chunk).await? {
            return Ok(false);
        }
        self.write(session, chunk).await?;
        Ok(true)
    }

    /// Writes the rows of a chunk, which have different keys.
    async fn write<S>(&mut self, session: &mut S, chunk: Chunk<'_>) -> Sent<()>
    where
        S: LoadSession<Backend = DB>,
        E: LoadsFrom<S, U>,
    {
        let Some(clause) = self.call.clauses.get(&chunk.supplied) else {
            return Ok(());
        };
        let conflict = &clause.conflict;
        if DB::REPORT == Report::Returning {
            return self.write_returning(session, chunk, conflict).await;
        }
        let needs_match = self.wanted.new
            || self.wanted.old
            || DB::REPORT == Report::Nothing && self.wanted.action;
        if !needs_match {
            return self.write_together(session, chunk, conflict).await;
        }
        let matching = self.matching(session).await?;
        self.one_by_one |= matching.one_by_one;
        // Only the database knows whether a row is in a partial index, and a NULL
        // equals nothing.
        let reads = self.wanted.new || self.wanted.old;
        let is_alone = !matching.expressions.is_empty()
            || matching.predicate.is_some()
            || !self.supplies_key(chunk.supplied);
        let keys = &self.call.keys;
        let is_alone = |row: usize| is_alone || reads && keys.has_null(row);
        // In their order: the database may number a row as the next one is.
        let runs = chunk.rows.chunk_by(|a, b| !is_alone(*a) && !is_alone(*b));
        for run in runs {
            if is_alone(run[0]) {
                self.write_alone(session, chunk.part(run), conflict).await?;
                continue;
            }
            if !self.one_by_one {
                let part = chunk.part(run);
                match self.write_together(session, part, conflict).await {
                    Err(Stop::OneByOne) => self.one_by_one = true,
                    written => {
                        written?;
                        continue;
                    }
                }
            }
            for row in run.chunks(1) {
                let row = chunk.part(row);
                self.write_together(session, row, conflict).await?;
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

    async fn write_together<S>(
        &mut self,
        session: &mut S,
        chunk: Chunk<'_>,
        conflict: &ConflictClause<'_, DB>,
    ) -> Sent<()>
    where
        S: LoadSession<Backend = DB>,
        E: LoadsFrom<S, U>,
    {
        match DB::REPORT {
            Report::Nothing => self.write_foreseen(session, chunk, conflict).await?,
            _ if !(self.wanted.action || self.wanted.old) => {
                self.call.execute_with(session, chunk, conflict).await?;
            }
            _ if !self.wanted.old => self.send_logging(session, chunk, conflict).await?,
            _ => self.write_existing(session, chunk, conflict).await?,
        }
        if self.wanted.new {
            self.read_back(session, chunk).await?;
        }
        Ok(())
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

impl<'c, DB, T> Call<'c, '_, DB, T>
where
    DB: Outcomes,
    T: ErasedBatch<DB> + ?Sized,
{
    fn missing(&self, rows: &[usize]) -> Error {
        Error::NoRow {
            place: self.place(rows),
        }
    }

    /// The values by which the rows of a chunk are found.
    fn keys_of<'p>(&self, chunk: Chunk<'p>, matching: &Matching) -> BatchRows<'p, T>
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
    async fn look_up<S>(session: &mut S, model: &Model<'_, S::Backend>) -> Sent<Self>
    where
        S: LoadSession,
    {
        let refused = |source| Error::of_building(model.plain_table(), source);
        let all: Vec<&'static str> = model.columns.iter().map(|column| column.name).collect();
        let (names, constraint, expressions) = match model.target_sql().map_err(refused)? {
            TargetSql::Columns(columns) => (columns.to_vec(), None, Vec::new()),
            TargetSql::Constraint(name) => (all, Some(name), Vec::new()),
            TargetSql::Expressions(expressions) => (all, None, expressions),
        };
        let target = KeyLookup {
            table: &model.table,
            columns: &names,
            constraint,
        };
        let query = S::Backend::key_columns(&target);
        let rows = session.load_texts(&*query).await;
        let rows = rows.map_err(Error::Connection)?;
        let found = S::Backend::read_key_columns(&target, rows);
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

//! Runs a call: plans it, opens the transaction, sends the statements.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use diesel::connection::{Connection, TransactionManager};
use diesel::query_builder::{QueryFragment, QueryId};
use diesel::result::{Error as DieselError, QueryResult};

use crate::builder::{Duplicates, Options, Progress};
use crate::chunk::Limits;
use crate::dialect::{ConflictClause, Dialect, Encoded, Fault, Inspection, TargetLookup};
use crate::error::{Error, Place, Result};
use crate::field::{Rule, Supplied};
use crate::key::{EncodeKey, Keys, MeasureValue, Trust};
use crate::model::{Clause, Model};
use crate::plan::{Conflict, Input, Plan, Repeated};
use crate::statement::{Batch, BatchRows, ChunkStatement};
use crate::upsertable::{BindFields, Upsertable};

mod probe;
pub(crate) mod results;

/// Writes the rows of `batch` on `conn`.
pub(crate) fn run<C, B, R>(
    conn: &mut C,
    batch: &Batch<B, R>,
    model: &Model<'_, C::Backend>,
    options: &mut Options<'_>,
) -> Result<usize>
where
    C: Connection,
    C::Backend: Dialect,
    B: Borrow<R>,
    R: Upsertable + BindFields<C::Backend>,
{
    let call = Call::<C::Backend, B, R>::prepare(batch, model, options, Needs::default())?;
    call.run(conn, options)
}

/// What a call needs beside its rows being written.
#[derive(Debug, Clone, Copy, Default)]
struct Needs {
    /// Is each row written, and no two with the same key by one statement?
    each_row: bool,
    /// Does a statement note what becomes of each row?
    notes: bool,
    /// Parameters of what is returned.
    binds: usize,
}

/// A call that is ready to be sent.
struct Call<'c, 'f, DB, B, R: Upsertable> {
    batch: &'c Batch<B, R>,
    model: &'c Model<'f, DB>,
    keys: Keys,
    /// The columns that each row supplies, or one set for all rows.
    supplied: Vec<Supplied>,
    /// Sizes in bytes, where the dialect limits them.
    sizes: Option<Vec<usize>>,
    /// The rows that the duplicate policy lets through.
    selected: Vec<usize>,
    duplicates: Duplicates,
    max_rows: usize,
    needs: Needs,
    /// The conflict clauses for the sets of columns that rows supply.
    clauses: BTreeMap<Supplied, Clause<'c, DB>>,
}

impl<'c, 'f, DB, B, R> Call<'c, 'f, DB, B, R>
where
    DB: Dialect,
    B: Borrow<R>,
    R: Upsertable + BindFields<DB>,
{
    fn prepare(
        batch: &'c Batch<B, R>,
        model: &'c Model<'f, DB>,
        options: &Options<'_>,
        needs: Needs,
    ) -> Result<Self> {
        let mut call = Self {
            supplied: supplied(batch),
            keys: Keys::with_capacity(batch.len()),
            sizes: None,
            selected: Vec::new(),
            duplicates: options.duplicates,
            max_rows: options.chunk_size.unwrap_or(DB::MAX_ROWS).max(1),
            needs,
            clauses: BTreeMap::new(),
            batch,
            model,
        };
        call.prepare_clauses()
            .map_err(|source| call.refused(source))?;
        if options.duplicates != Duplicates::InOrder {
            model
                .check_compares()
                .map_err(|source| call.refused(source))?;
        }
        for (supplied, clause) in &call.clauses {
            let binds = supplied.inserted().len() + clause.binds + needs.binds;
            if binds > DB::MAX_BINDS {
                return Err(Error::TooManyColumns {
                    place: call.place(&[]),
                    columns: binds,
                    limit: DB::MAX_BINDS,
                });
            }
        }
        let mut scratch = Encoded::default();
        for row in 0..batch.len() {
            call.encode_key(row, &mut scratch)
                .map_err(|source| Error::Statement {
                    place: call.place(&[row]),
                    source,
                })?;
        }
        let comparison = model.comparison;
        call.keys
            .limit(comparison.trust(), comparison.knows_equal());
        if DB::MAX_BYTES.is_some() {
            let sizes = (0..batch.len()).map(|row| call.measure(row, &mut scratch));
            call.sizes = Some(sizes.collect());
        }
        call.selected = match call.input().select() {
            Ok(selected) => selected,
            Err(Repeated(groups)) => {
                return Err(Error::RepeatedKey {
                    place: call.place(&groups.concat()),
                    groups,
                });
            }
        };
        Ok(call)
    }

    fn prepare_clauses(&mut self) -> QueryResult<()> {
        for supplied in &self.supplied {
            if !self.clauses.contains_key(supplied) {
                let clause = self.model.clause(*supplied, self.needs.notes)?;
                self.clauses.insert(*supplied, clause);
            }
        }
        Ok(())
    }

    /// The call cannot be written as SQL.
    fn refused(&self, source: DieselError) -> Error {
        Error::of_building(self.model.plain_table(), source)
    }

    fn encode_key(&mut self, row: usize, scratch: &mut Encoded) -> QueryResult<()> {
        self.keys.begin_row();
        for column in &self.model.keys {
            let encode = EncodeKey {
                keys: &mut self.keys,
                scratch,
            };
            self.batch.visit::<DB, _>(row, *column, encode)?;
        }
        self.keys.end_row();
        Ok(())
    }

    fn measure(&self, row: usize, scratch: &mut Encoded) -> usize {
        let columns = 0..self.model.columns.len();
        columns
            .map(|column| {
                let measure = MeasureValue { scratch };
                self.batch.visit::<DB, _>(row, column, measure)
            })
            .sum()
    }

    fn input(&self) -> Input<'_> {
        Input {
            keys: &self.keys,
            supplied: &self.supplied,
            duplicates: self.duplicates,
            conflict: self.conflict(),
            applies_rows_in_order: DB::APPLIES_ROWS_IN_ORDER && !self.needs.each_row,
        }
    }

    /// What the rows do to existing rows, if they all supply the same columns.
    fn conflict(&self) -> Conflict {
        let [supplied] = self.supplied.as_slice() else {
            return Conflict::EachRow;
        };
        if self.needs.each_row {
            return Conflict::EachRow;
        }
        let Some(clause) = self.clauses.get(supplied) else {
            return Conflict::EachRow;
        };
        let conflict = &clause.conflict;
        if conflict.assignments.is_empty() {
            return Conflict::DoNothing;
        }
        let mut assignments = conflict.assignments.iter();
        let all_replace = assignments.all(|it| it.column.rule == Rule::Update);
        if conflict.keeps_rows() || !all_replace {
            return Conflict::EachRow;
        }
        let is_written = |position: usize| {
            let name = self.model.columns[position].name;
            self.model.keys.contains(&position)
                || conflict.assignments.iter().any(|it| it.column.name == name)
        };
        if supplied.inserted().iter().all(is_written) {
            Conflict::UpdateAll
        } else {
            Conflict::UpdateSome
        }
    }

    // Errors hold it in a box, to be small.
    #[allow(clippy::unnecessary_box_returns)]
    fn place(&self, rows: &[usize]) -> Box<Place> {
        place(self.model, rows)
    }

    fn run<C>(&self, conn: &mut C, options: &mut Options<'_>) -> Result<usize>
    where
        C: Connection<Backend = DB>,
    {
        let limits = self.limits(conn)?;
        let mut plan = if self.may_sort(conn, limits)? {
            self.input().sorted(self.selected.clone())
        } else {
            self.input().as_given(self.selected.clone())
        };
        // The database is the judge of which keys are equal: where it finds
        // two that are encoded differently, no order but the input's will do.
        let mut halve = false;
        loop {
            match self.run_plan(conn, &plan, limits, halve, options) {
                Ok(written) => return Ok(written),
                Err(Stop::Failed(error)) => return Err(error),
                Err(Stop::Repeats | Stop::Vanished(_)) => {
                    plan = self.input().as_given(self.selected.clone());
                    halve = true;
                }
            }
        }
    }

    /// Looks at the target, which has to have a unique index. May the rows be
    /// sorted?
    fn may_sort<C>(&self, conn: &mut C, limits: Limits) -> Result<bool>
    where
        C: Connection<Backend = DB>,
    {
        let order = self.order(limits);
        let columns = match self.model.target_columns() {
            [] => self.key_names(),
            columns => columns.to_vec(),
        };
        let target = TargetLookup {
            table: &self.model.table,
            columns: &columns,
            sorts: order == Order::Ask,
            depends_on_column: self.keys.depends_on_column,
        };
        let inspection = inspect(conn, self.model, &target)?;
        Ok(match order {
            Order::Sorted => true,
            Order::AsGiven => false,
            Order::Ask => inspection.may_sort,
        })
    }

    /// The columns by which rows are compared.
    fn key_names(&self) -> Vec<&'static str> {
        let keys = self.model.keys.iter();
        keys.map(|key| self.model.columns[*key].name).collect()
    }

    /// The limits of the call's statements.
    fn limits<C>(&self, conn: &mut C) -> Result<Limits>
    where
        C: Connection<Backend = DB>,
    {
        let mut limits = Limits {
            rows: self.max_rows,
            bytes: DB::MAX_BYTES.unwrap_or(usize::MAX),
            split_rest: DB::SPLITS_REST,
        };
        let Some(sizes) = &self.sizes else {
            return Ok(limits);
        };
        let largest = sizes.iter().copied().max().unwrap_or(0);
        let total = sizes
            .iter()
            .fold(0, |total: usize, size| total.saturating_add(*size));
        let statement = largest.saturating_mul(self.max_rows).min(total);
        let server = DB::max_statement_bytes(conn, statement).map_err(Error::Connection)?;
        if let Some(server) = server {
            // The names in the statement are not measured.
            let room = server - server / 8;
            limits.bytes = limits.bytes.min(room);
            if let Some(row) = sizes.iter().position(|size| *size > room) {
                return Err(Error::StatementTooLarge {
                    place: self.place(&[row]),
                    bytes: Some(sizes[row]),
                    limit: Some(server),
                    source: None,
                });
            }
        }
        Ok(limits)
    }

    /// May the rows leave the order of the input?
    fn order(&self, limits: Limits) -> Order {
        let rows = self.selected.len();
        if rows < 2 || self.keys.trust == Trust::None {
            return Order::AsGiven;
        }
        let [all] = self.supplied.as_slice() else {
            // Rows that may have one key must not change places.
            return if self.model.comparison.knows_equal() {
                Order::Ask
            } else {
                Order::AsGiven
            };
        };
        if self
            .rows_per_statement(*all, limits)
            .is_none_or(|limit| limit < rows)
        {
            return Order::Ask;
        }
        // All rows fit into one statement.
        if !DB::SORTS_FEW_ROWS && !self.needs.each_row {
            return Order::AsGiven;
        }
        // If they have different keys and the statement updates whatever it
        // finds, a database that takes a key only once refuses those that it
        // holds equal. Rows with one key may not even have it after a trigger,
        // so they take a look.
        if !DB::APPLIES_ROWS_IN_ORDER
            && self.keys.trust == Trust::Exact
            && self
                .clauses
                .get(all)
                .is_some_and(|it| !it.conflict.keeps_rows())
            && self.input().count_keys(&self.selected) == rows
        {
            Order::Sorted
        } else {
            Order::Ask
        }
    }

    fn rows_per_statement(&self, supplied: Supplied, limits: Limits) -> Option<usize> {
        let binds = self.clauses.get(&supplied).map_or(0, |clause| clause.binds);
        let binds = binds + self.needs.binds;
        let columns = supplied.inserted().len();
        Limits::rows(columns, DB::MAX_BINDS.saturating_sub(binds), limits.rows)
    }

    fn run_plan<C>(
        &self,
        conn: &mut C,
        plan: &Plan,
        limits: Limits,
        halve: bool,
        options: &mut Options<'_>,
    ) -> core::result::Result<usize, Stop>
    where
        C: Connection<Backend = DB>,
    {
        let chunks = self.chunks(plan, limits);
        let is_alone = chunks.len() == 1 && !halve;
        transaction(conn, is_alone, |conn| {
            let mut count = Count::begin(conn, self.keeps_rows(plan))?;
            self.each_chunk(&chunks, options, |chunk| {
                count.add(self.send(conn, chunk, halve)?);
                Ok(())
            })?;
            Ok(count.end(conn)? + plan.unsent)
        })
    }

    /// Sends the chunks one after the other, and reports the progress.
    fn each_chunk(
        &self,
        chunks: &[Chunk<'_>],
        options: &mut Options<'_>,
        mut send: impl FnMut(Chunk<'_>) -> core::result::Result<(), Stop>,
    ) -> core::result::Result<(), Stop> {
        let total = self.batch.len();
        let mut rows_sent = 0;
        for (i, chunk) in chunks.iter().enumerate() {
            send(*chunk)?;
            rows_sent += chunk.rows.len();
            if let Some(report) = &mut options.progress {
                let is_last = i + 1 == chunks.len();
                let rows = if is_last { total } else { rows_sent };
                report(Progress { rows, total });
            }
        }
        Ok(())
    }

    /// Cuts the steps of a plan into chunks.
    fn chunks<'p>(&self, plan: &'p Plan, limits: Limits) -> Vec<Chunk<'p>> {
        let mut chunks = Vec::new();
        for step in &plan.steps {
            let limits = Limits {
                rows: self.rows_per_statement(step.supplied, limits).unwrap_or(1),
                ..limits
            };
            let mut rest = &plan.rows[step.rows.clone()];
            while !rest.is_empty() {
                let count = match &self.sizes {
                    Some(sizes) => limits.next(rest.iter().map(|row| sizes[*row])),
                    None => limits.next(rest.iter().map(|_| 0)),
                };
                let (rows, others) = rest.split_at(count);
                chunks.push(Chunk {
                    rows,
                    supplied: step.supplied,
                    recurs: limits.recurs(count),
                });
                rest = others;
            }
        }
        chunks
    }

    /// The values that the statement for a chunk inserts.
    fn inserted<'p>(&self, chunk: Chunk<'p>) -> BatchRows<'p, B, R>
    where
        'c: 'p,
    {
        BatchRows::new(
            self.batch,
            chunk.rows,
            chunk.supplied.inserted().iter().collect(),
            &self.model.columns,
        )
    }

    /// Are there steps that leave existing rows as they are?
    fn keeps_rows(&self, plan: &Plan) -> bool {
        plan.steps.iter().any(|step| {
            let clause = self.clauses.get(&step.supplied);
            clause.is_some_and(|clause| clause.conflict.keeps_rows())
        })
    }

    /// Sends one statement, and returns how many rows it wrote.
    ///
    /// With `halve`, rows whose keys the database holds equal are sent in
    /// several statements.
    fn send<C>(
        &self,
        conn: &mut C,
        chunk: Chunk<'_>,
        halve: bool,
    ) -> core::result::Result<usize, Stop>
    where
        C: Connection<Backend = DB>,
    {
        let Chunk {
            rows,
            supplied,
            recurs,
        } = chunk;
        let Some(clause) = self.clauses.get(&supplied) else {
            return Ok(0);
        };
        let statement = ChunkStatement::<DB, B, R> {
            batch: self.batch,
            columns: &self.model.columns,
            rows,
            supplied,
            conflict: &clause.conflict,
            recurs,
        };
        let execute = |conn: &mut C| {
            let affected = conn
                .execute_returning_count(&statement)
                .map_err(|source| self.stop(source, rows))?;
            Ok(if DB::COUNTS_KEPT_ROWS {
                rows.len()
            } else {
                affected
            })
        };
        if !halve || rows.len() == 1 {
            return execute(conn);
        }
        match conn.transaction(execute) {
            Err(Stop::Repeats) => {
                let (first, second) = rows.split_at(rows.len() / 2);
                let mut written = 0;
                for rows in [first, second] {
                    written += self.send(conn, chunk.part(rows), halve)?;
                }
                Ok(written)
            }
            result => result,
        }
    }

    /// What an error of the statement for `rows` means.
    fn stop(&self, source: DieselError, rows: &[usize]) -> Stop {
        match DB::fault(&source) {
            Fault::CardinalityViolation if rows.len() > 1 => Stop::Repeats,
            fault => Stop::Failed(error(fault, source, self.place(rows))),
        }
    }
}

/// Writes the rows that `statement` selects, on `conn`.
pub(crate) fn run_select<C, Q>(
    conn: &mut C,
    model: &Model<'_, C::Backend>,
    conflict: &ConflictClause<'_, C::Backend>,
    statement: &Q,
) -> Result<usize>
where
    C: Connection,
    C::Backend: Dialect,
    Q: QueryFragment<C::Backend> + QueryId,
{
    let lookup = TargetLookup {
        table: &model.table,
        columns: model.target_columns(),
        sorts: false,
        depends_on_column: false,
    };
    inspect(conn, model, &lookup)?;
    let in_transaction = is_in_transaction(conn)?;
    let counts_kept = C::Backend::COUNTS_KEPT_ROWS;
    let send = |conn: &mut C| {
        if counts_kept {
            C::Backend::begin_count(conn)?;
        }
        let affected = conn.execute_returning_count(statement).map_err(|source| {
            let place = place(model, &[]);
            match C::Backend::fault(&source) {
                Fault::CardinalityViolation => Error::RepeatedInQuery { place, source },
                fault => error(fault, source, place),
            }
        })?;
        if !counts_kept {
            return Ok(affected);
        }
        let selected = C::Backend::selected_rows(conn)?;
        let kept = if conflict.keeps_rows() {
            C::Backend::end_count(conn)?
        } else {
            0
        };
        Ok(selected.saturating_sub(kept))
    };
    if in_transaction {
        conn.transaction(send)
    } else {
        send(conn)
    }
}

/// Looks up the conflict target, which has to have a unique index.
fn inspect<C>(
    conn: &mut C,
    model: &Model<'_, C::Backend>,
    lookup: &TargetLookup<'_>,
) -> Result<Inspection>
where
    C: Connection,
    C::Backend: Dialect,
{
    let inspection = C::Backend::inspect(conn, lookup).map_err(Error::Connection)?;
    if inspection.has_unique_index {
        Ok(inspection)
    } else {
        Err(Error::NoUniqueIndex {
            place: place(model, &[]),
            source: None,
        })
    }
}

/// Runs `send` in a transaction, inside of the caller's in a savepoint.
///
/// One statement is all or nothing by itself, but inside of the caller's
/// transaction it takes a savepoint to go on after an error.
fn transaction<C, T>(
    conn: &mut C,
    is_alone: bool,
    send: impl FnOnce(&mut C) -> core::result::Result<T, Stop>,
) -> core::result::Result<T, Stop>
where
    C: Connection,
    C::Backend: Dialect,
{
    let in_transaction = is_in_transaction(conn)?;
    if is_alone && !in_transaction {
        return send(conn);
    }
    conn.transaction(|conn| {
        if !in_transaction {
            C::Backend::begin(conn)?;
        }
        send(conn)
    })
}

/// Is there a transaction of the caller's?
fn is_in_transaction<C: Connection>(conn: &mut C) -> Result<bool> {
    let status = C::TransactionManager::transaction_manager_status_mut(conn);
    let depth = status.transaction_depth().map_err(Error::Connection)?;
    Ok(depth.is_some())
}

// Errors hold it in a box, to be small.
#[allow(clippy::unnecessary_box_returns)]
fn place<DB: Dialect>(model: &Model<'_, DB>, rows: &[usize]) -> Box<Place> {
    Box::new(Place {
        table: model.plain_table(),
        target: model.target_names(),
        predicate: model.predicate_sql(),
        rows: rows.to_vec(),
    })
}

/// What a statement's error means.
fn error(fault: Fault, source: DieselError, place: Box<Place>) -> Error {
    match fault {
        Fault::NoUniqueIndex => Error::NoUniqueIndex {
            place,
            source: Some(source),
        },
        Fault::UniqueViolation(index) => Error::OtherUniqueIndex {
            place,
            index,
            source,
        },
        Fault::TooLarge => Error::StatementTooLarge {
            place,
            bytes: None,
            limit: None,
            source: Some(source),
        },
        Fault::CardinalityViolation | Fault::Other => Error::Statement { place, source },
    }
}

/// The columns that each row supplies, or one set if it is the same for all.
fn supplied<B: Borrow<R>, R: Upsertable>(batch: &Batch<B, R>) -> Vec<Supplied> {
    let first = batch.supplied(0);
    if (1..batch.len()).all(|row| batch.supplied(row) == first) {
        vec![first]
    } else {
        (0..batch.len()).map(|row| batch.supplied(row)).collect()
    }
}

/// Which order the rows of a call may have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    AsGiven,
    Sorted,
    /// Sorted if the catalog says so.
    Ask,
}

/// Rows that go out in one statement.
#[derive(Clone, Copy)]
struct Chunk<'p> {
    /// Positions in the input.
    rows: &'p [usize],
    supplied: Supplied,
    /// Is the statement one of few that occur?
    recurs: bool,
}

impl Chunk<'_> {
    /// Those of its rows that are in `rows`, in its order: rows are locked in it.
    fn only(&self, rows: &BTreeSet<usize>) -> Vec<usize> {
        let all = self.rows.iter().copied();
        all.filter(|row| rows.contains(row)).collect()
    }

    /// Some of its rows.
    fn part(self, rows: &[usize]) -> Chunk<'_> {
        Chunk {
            rows,
            supplied: self.supplied,
            recurs: self.recurs && rows.len() == self.rows.len() || rows.len().is_power_of_two(),
        }
    }
}

/// Why a plan was not carried out.
enum Stop {
    /// The database holds keys equal that are encoded differently.
    Repeats,
    /// Rows that existed have been deleted before they were read.
    Vanished(Vec<usize>),
    Failed(Error),
}

impl From<DieselError> for Stop {
    fn from(error: DieselError) -> Self {
        Self::Failed(Error::Connection(error))
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Counts the rows that are inserted or updated.
struct Count<DB> {
    written: usize,
    /// Does the database count rows that it leaves as they are, and are there
    /// any?
    subtract: bool,
    database: PhantomData<DB>,
}

impl<DB: Dialect> Count<DB> {
    fn begin<C>(conn: &mut C, keeps_rows: bool) -> Result<Self>
    where
        C: Connection<Backend = DB>,
    {
        let subtract = DB::COUNTS_KEPT_ROWS && keeps_rows;
        if subtract {
            DB::begin_count(conn).map_err(Error::Connection)?;
        }
        Ok(Self {
            written: 0,
            subtract,
            database: PhantomData,
        })
    }

    fn add(&mut self, rows: usize) {
        self.written += rows;
    }

    fn end<C>(self, conn: &mut C) -> Result<usize>
    where
        C: Connection<Backend = DB>,
    {
        if !self.subtract {
            return Ok(self.written);
        }
        let kept = DB::end_count(conn).map_err(Error::Connection)?;
        Ok(self.written.saturating_sub(kept))
    }
}

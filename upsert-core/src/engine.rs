//! Runs a call: plans it, opens the transaction, sends the statements.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::iter;

use diesel::result::{Error as DieselError, QueryResult};

use crate::batch::{Element, ErasedBatch};
use crate::builder::{Duplicates, Options, Strategy};
use crate::chunk::{Limits, is_round};
use crate::dialect::{ConflictClause, Dialect, Encoded, Fault, Inspection, Question, TargetLookup};
use crate::error::{Error, Place, Result, refuse};
use crate::field::{Rule, Supplied};
use crate::key::{Keys, Trust};
use crate::model::{Clause, Model};
use crate::on_error::OnError;
use crate::plan::{Conflict, Input, Plan, Repeated};
use crate::retry::Attempts;
use crate::session::Session;
use crate::statement::{BatchRows, ChunkStatement};
use crate::trace;

mod copy;
mod explain;
mod failures;
mod partition;
mod probe;
pub(crate) mod results;
mod select;
pub(crate) mod stream;
mod token;
mod transaction;
mod verify;

use self::failures::Failures;
use self::token::use_token;
use self::transaction::{
    Begun, Failure, begin, classified, contended, end, next_attempt, of_question,
};

pub(crate) use self::explain::explain;
pub(crate) use self::partition::partition;
pub(crate) use self::select::run_select;
pub(crate) use self::verify::verify;

/// For more rows the catalog is asked anew: what it takes is little then, and the index may
/// have been dropped since.
const MAX_RECALLING_ROWS: usize = 100;

/// For more bytes too: the server is asked how large a statement it takes.
const MAX_RECALLING_BYTES: usize = 64 * 1024;

/// Writes the rows of `batch`.
pub(crate) async fn run<S, T>(
    session: &mut S,
    batch: &T,
    model: &Model<'_, S::Backend>,
    options: &mut Options<'_>,
) -> Result<usize>
where
    S: Session,
    T: ErasedBatch<S::Backend> + ?Sized,
{
    let sent = async {
        let needs = Needs {
            each_row_by_itself: options.on_error.names_rows(),
            ..Needs::default()
        };
        let call = Call::<S::Backend, T>::prepare(batch, model, options, needs)?;
        let mut attempts = Attempts::of(options.retry);
        loop {
            match call.run(session, options).await {
                Ok(written) => return Ok(written),
                Err(error) => {
                    let error = classified(error, model);
                    next_attempt(session, &mut attempts, error).await?;
                }
            }
        }
    };
    trace::inside(trace::call(&model.table, batch.len()), sent).await
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
    /// May a row be left out because it cannot be written, so that no other is left out for
    /// its sake?
    each_row_by_itself: bool,
}

/// A call that is ready to be sent.
struct Call<'c, 'f, DB, T: ?Sized> {
    batch: &'c T,
    model: &'c Model<'f, DB>,
    keys: Keys,
    /// The columns that each row supplies, or one set for all rows.
    supplied: Vec<Supplied>,
    /// Sizes in bytes, where the dialect limits them.
    sizes: Option<Vec<usize>>,
    /// The rows that the duplicate policy lets through.
    selected: Vec<usize>,
    duplicates: Duplicates,
    chunk_size: Option<usize>,
    strategy: Option<Strategy>,
    needs: Needs,
    /// The conflict clauses for the sets of columns that rows supply.
    clauses: BTreeMap<Supplied, Clause<'c, DB>>,
}

impl<'c, 'f, DB, T> Call<'c, 'f, DB, T>
where
    DB: Dialect,
    T: ErasedBatch<DB> + ?Sized,
{
    fn prepare(
        batch: &'c T,
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
            chunk_size: options.chunk_size.map(|rows| rows.max(1)),
            strategy: options.strategy,
            needs,
            clauses: BTreeMap::new(),
            batch,
            model,
        };
        call.prepare_clauses()
            .map_err(|source| call.refused(source))?;
        let chooses = !matches!(options.duplicates, Duplicates::InOrder | Duplicates::Reject);
        if chooses && matches!(options.on_error, OnError::Skip(_)) {
            return Err(call.refused(refuse(
                "`on_error(OnError::Skip(..))` cannot leave out the row that the duplicate policy \
                 has chosen: write `Duplicates::InOrder`, or `OnError::Name`",
            )));
        }
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
            let encoded = batch.encode_key(row, &model.keys, &mut call.keys, &mut scratch);
            encoded.map_err(|source| Error::Statement {
                place: call.place(&[row]),
                source,
            })?;
        }
        let comparison = model.comparison;
        call.keys
            .limit(comparison.trust(), comparison.knows_equal());
        if DB::MAX_BYTES.is_some() {
            let columns = model.columns.len();
            let sizes = (0..batch.len()).map(|row| batch.measure(row, columns, &mut scratch));
            call.sizes = Some(sizes.collect());
        }
        call.selected = match call.input().select() {
            Ok(selected) => selected,
            Err(Repeated(groups)) => {
                return Err(Error::RepeatedKey {
                    place: call.place(&groups.concat()),
                    groups: groups.iter().map(|rows| call.positions(rows)).collect(),
                });
            }
        };
        Ok(call)
    }

    fn prepare_clauses(&mut self) -> QueryResult<()> {
        for (row, supplied) in self.supplied.iter().enumerate() {
            if !self.clauses.contains_key(supplied) {
                let mut clause = self.model.clause(*supplied, self.needs.notes)?;
                clause.has_arrays = self.has_arrays(row, *supplied)?;
                self.clauses.insert(*supplied, clause);
            }
        }
        Ok(())
    }

    /// Are rows that supply the same columns as `row` sent as arrays?
    fn has_arrays(&self, row: usize, supplied: Supplied) -> QueryResult<bool> {
        match self.strategy {
            Some(Strategy::Values) => Ok(false),
            None => Ok(self.obstacle_to_arrays(row, supplied).is_none()),
            Some(strategy) => match self.obstacle_to_arrays(row, supplied) {
                None => Ok(true),
                Some(obstacle) => Err(refuse(format!(
                    "`strategy(Strategy::{strategy:?})` cannot send these rows, as {obstacle}: \
                     leave it out, or write `Strategy::Values`"
                ))),
            },
        }
    }

    /// Why such rows cannot be sent as arrays, if they cannot.
    fn obstacle_to_arrays(&self, row: usize, supplied: Supplied) -> Option<Cow<'static, str>> {
        if DB::MAX_ARRAY_ROWS == 0 {
            return Some("the database takes nothing else than `VALUES`".into());
        }
        if self.needs.each_row {
            return Some("`outcome` and `returning` number the rows".into());
        }
        if supplied.inserted().is_empty() {
            return Some("a row has no column".into());
        }
        let mut columns = supplied.inserted().iter();
        let column = columns.find(|column| !self.batch.has_array(row, *column))?;
        let name = self.model.columns[column].name;
        let obstacle = format!(
            "the values of `{name}` are arrays or records, or may be, as its type is not the \
             database's own"
        );
        Some(obstacle.into())
    }

    /// The call cannot be written as SQL.
    fn refused(&self, source: DieselError) -> Error {
        Error::of_building(self.model.plain_table(), source)
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
        if self.needs.each_row || self.needs.each_row_by_itself {
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
        place(self.model, self.positions(rows))
    }

    /// The positions in the input of rows of the batch.
    fn positions(&self, rows: &[usize]) -> Vec<usize> {
        rows.iter().map(|row| self.batch.position(*row)).collect()
    }

    async fn run<S>(&self, session: &mut S, options: &mut Options<'_>) -> Result<usize>
    where
        S: Session<Backend = DB>,
    {
        let mut limits = self.limits(session)?;
        loop {
            match self.run_within(session, limits, options).await? {
                Some(written) => return Ok(written),
                None => limits.copies = false,
            }
        }
    }

    /// The limits of statements on a connection.
    fn limits<S>(&self, session: &mut S) -> Result<Limits>
    where
        S: Session<Backend = DB>,
    {
        let copies = session.copies();
        if self.strategy == Some(Strategy::Copy) && !copies {
            return Err(self.refused(refuse(
                "`strategy(Strategy::Copy)` needs a connection that is a `PgConnection`, and the \
                 feature `copy` of `upsert-core`: leave it out, or write `Strategy::Unnest`",
            )));
        }
        Ok(Limits {
            copies,
            ..Limits::of::<DB>()
        })
    }

    /// Sends the rows and returns how many of them are written, or `None` if a table for
    /// COPY cannot be made.
    async fn run_within<S>(
        &self,
        session: &mut S,
        mut limits: Limits,
        options: &mut Options<'_>,
    ) -> Result<Option<usize>>
    where
        S: Session<Backend = DB>,
    {
        let order = self.order(limits);
        let presumed = order.is_presumed_sorted();
        let sent = self.run_recalling(session, presumed, limits, options);
        if let Some(written) = sent.await? {
            trace::is_sorted(presumed);
            return Ok(Some(written));
        }
        let inspection = self.look(session, order, &mut limits).await?;
        let is_sorted = inspection.may_sort;
        trace::is_sorted(is_sorted);
        if inspection.is_kept {
            let sent = self.run_recalling(session, is_sorted, limits, options);
            if let Some(written) = sent.await? {
                return Ok(Some(written));
            }
        }
        let mut plan = self.plan(is_sorted);
        // The database is the judge of which keys are equal: where it finds
        // two that are encoded differently, no order but the input's will do.
        let mut halve = false;
        loop {
            let chunks = self.chunks(&plan, limits);
            let autocommits = inspection.autocommits;
            let sent = self.run_plan(session, &plan, &chunks, halve, autocommits, options);
            match sent.await {
                Ok(written) => return Ok(Some(written)),
                Err(Stop::Failed(error) | Stop::Row { error, .. }) => return Err(error),
                Err(Stop::Applied) => return Ok(Some(0)),
                Err(Stop::NoCopy) => return Ok(None),
                Err(Stop::Repeats | Stop::OneByOne | Stop::Vanished(_) | Stop::Forgotten) => {
                    trace::is_sorted(false);
                    plan = self.plan(false);
                    halve = true;
                }
            }
        }
    }

    /// Sends few rows by a statement that fails unless the connection recalls what the
    /// catalog says of the target, which would take longer to ask than the rows to write.
    /// Returns `None` where it does not, and sends nothing of other calls.
    async fn run_recalling<S>(
        &self,
        session: &mut S,
        is_sorted: bool,
        limits: Limits,
        options: &mut Options<'_>,
    ) -> Result<Option<usize>>
    where
        S: Session<Backend = DB>,
    {
        let Some(recall) = self.recall(is_sorted) else {
            return Ok(None);
        };
        let plan = self.plan(is_sorted);
        let mut chunks = self.chunks(&plan, limits);
        let [chunk] = chunks.as_mut_slice() else {
            return Ok(None);
        };
        chunk.recall = Some(&recall);
        // It is recalled too that the server commits the statement.
        let sent = self.run_plan(session, &plan, &chunks, false, true, options);
        match sent.await {
            Ok(written) => Ok(Some(written)),
            Err(Stop::Failed(error) | Stop::Row { error, .. }) => Err(error),
            Err(Stop::Applied) => Ok(Some(0)),
            Err(_) => Ok(None),
        }
    }

    /// What a statement with these rows relies on, if they are few.
    fn recall(&self, is_sorted: bool) -> Option<String> {
        let rows = self.selected.len();
        if self.needs.each_row_by_itself {
            return None;
        }
        let is_small =
            rows <= MAX_RECALLING_ROWS && self.bytes(&self.selected)? <= MAX_RECALLING_BYTES;
        let has_columns = self.supplied.iter().all(|it| !it.inserted().is_empty());
        if !is_small || !has_columns {
            return None;
        }
        DB::recall(&self.lookup(&self.target_columns(), is_sorted))
    }

    fn plan(&self, is_sorted: bool) -> Plan {
        let selected = self.selected.clone();
        if is_sorted {
            self.input().sorted(selected)
        } else {
            self.input().as_given(selected)
        }
    }

    /// Looks at the target, which has to have a unique index, and at the server's
    /// limits. May rows that are to have this order be sorted?
    async fn look<S>(
        &self,
        session: &mut S,
        order: Order,
        limits: &mut Limits,
    ) -> Result<Inspection>
    where
        S: Session<Backend = DB>,
    {
        let columns = self.target_columns();
        let target = self.lookup(&columns, order == Order::Ask);
        let inspection = inspect(session, self.model, &target, self.needs.each_row).await?;
        if !inspection.is_transactional {
            return Err(self.refused(refuse(
                "`on_error(..)` sends rows again one by one, and the table's engine cannot take \
                 back what it has written of them: write `ALTER TABLE .. ENGINE = InnoDB`, or \
                 leave out `on_error(..)`",
            )));
        }
        if let Some(server) = inspection.max_bytes {
            self.limit_bytes(server, limits)?;
        }
        let may_sort = match order {
            Order::Sorted => true,
            Order::AsGiven => false,
            Order::Ask => inspection.may_sort,
        };
        Ok(Inspection {
            may_sort,
            is_kept: inspection.is_kept && may_sort == order.is_presumed_sorted(),
            ..inspection
        })
    }

    /// What there is to be known of the target, and whether the rows are to be sorted.
    fn lookup<'t>(&'t self, columns: &'t [&'static str], sorts: bool) -> TargetLookup<'t> {
        TargetLookup {
            table: &self.model.table,
            columns,
            sorts,
            depends_on_column: self.keys.depends_on_column,
            leaves_out: sorts && self.leaves_out(),
            rolls_back: self.needs.each_row_by_itself,
        }
    }

    /// Are rows left out if they are sorted? Asked only where the catalog may hide a trigger by
    /// which they would not have the same key.
    fn leaves_out(&self) -> bool {
        DB::HIDES_TRIGGERS
            && self.keys.trust == Trust::Exact
            && self.conflict() != Conflict::EachRow
            && self.input().count_keys(&self.selected) < self.selected.len()
    }

    /// The target's columns, or those by which rows are compared.
    fn target_columns(&self) -> Vec<&'static str> {
        match self.model.target_columns() {
            [] => {
                let keys = self.model.keys.iter();
                keys.map(|key| self.model.columns[*key].name).collect()
            }
            columns => columns.to_vec(),
        }
    }

    /// Keeps statements smaller than what the server takes.
    fn limit_bytes(&self, server: usize, limits: &mut Limits) -> Result<()> {
        // The names in the statement are not measured.
        let room = server - server / 8;
        limits.bytes = limits.bytes.min(room);
        let Some(sizes) = &self.sizes else {
            return Ok(());
        };
        let mut sent = self.selected.iter().copied();
        match sent.find(|row| sizes[*row] > room) {
            Some(row) => Err(Error::StatementTooLarge {
                place: self.place(&[row]),
                bytes: Some(sizes[row]),
                limit: Some(server),
                source: None,
            }),
            None => Ok(()),
        }
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
        let strategy = self.strategy(*all, rows, limits.copies);
        let most = self.rows_per_statement(*all, strategy, limits);
        let fit = || self.bytes(&self.selected).unwrap_or(0) <= limits.bytes;
        if most.is_none_or(|most| most < rows) || !fit() {
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

    /// How this many rows are sent.
    fn strategy(&self, supplied: Supplied, rows: usize, copies: bool) -> Strategy {
        let clause = self.clauses.get(&supplied);
        if !clause.is_some_and(|clause| clause.has_arrays) {
            return Strategy::Values;
        }
        let most = self.chunk_size.unwrap_or(usize::MAX);
        match self.strategy {
            Some(strategy) => strategy,
            // A single row is written faster by itself.
            None if rows < 2 => Strategy::Values,
            None if copies && rows.min(most) >= DB::MIN_COPY_ROWS => Strategy::Copy,
            None => Strategy::Unnest,
        }
    }

    /// The most rows in a statement, or `None` where a single one does not fit.
    fn rows_per_statement(
        &self,
        supplied: Supplied,
        strategy: Strategy,
        limits: Limits,
    ) -> Option<usize> {
        let most = match strategy {
            Strategy::Values => DB::MAX_ROWS,
            Strategy::Unnest => DB::MAX_ARRAY_ROWS,
            Strategy::Copy => DB::MAX_COPY_ROWS,
        };
        let rows = self.chunk_size.unwrap_or(most).min(limits.rows);
        if strategy != Strategy::Values {
            return Some(rows);
        }
        let clause = self.clauses.get(&supplied)?;
        let binds = clause.binds + self.needs.binds;
        let columns = supplied.inserted().len();
        Limits::rows(columns, DB::MAX_BINDS.saturating_sub(binds), rows)
    }

    async fn run_plan<S>(
        &self,
        session: &mut S,
        plan: &Plan,
        chunks: &[Chunk<'_>],
        halve: bool,
        autocommits: bool,
        options: &mut Options<'_>,
    ) -> core::result::Result<usize, Stop>
    where
        S: Session<Backend = DB>,
    {
        let mut failures = Failures::new(&options.on_error, options.has_written);
        let is_alone = are_one_statement(chunks)
            && autocommits
            && !halve
            && !failures.are_wanted()
            && options.token.is_none();
        let begun = begin(session, is_alone).await?;
        let written = self.send_all(session, plan, chunks, halve, &mut failures, options);
        let written = written.await;
        let written = match end(session, self.model, begun, written).await {
            Ok(written) => written,
            // They may be left out of what is committed.
            Err(stop @ Stop::Failed(Error::CommitUnknown { .. })) => {
                failures.hand_over(&mut options.on_error);
                return Err(stop);
            }
            Err(stop) => return Err(stop),
        };
        options.has_written |= failures.hand_over(&mut options.on_error);
        Ok(written + plan.unsent)
    }

    /// Sends the chunks one after the other, and returns how many rows they
    /// wrote.
    async fn send_all<S>(
        &self,
        session: &mut S,
        plan: &Plan,
        chunks: &[Chunk<'_>],
        halve: bool,
        failures: &mut Failures,
        options: &mut Options<'_>,
    ) -> core::result::Result<usize, Stop>
    where
        S: Session<Backend = DB>,
    {
        if let Some(token) = &options.token {
            use_token(session, self.model, token).await?;
        }
        // Some databases count the rows that they leave as they are. A statement that is
        // rolled back has counted too.
        let subtracts = DB::COUNTS_KEPT_ROWS && self.keeps_rows(plan);
        let of_each = subtracts && failures.are_wanted();
        let subtracts = subtracts && !of_each;
        if subtracts {
            session.batch_execute(DB::BEGIN_COUNT).await?;
        }
        let splits = Splits {
            repeats: halve,
            counts_kept: of_each,
        };
        let mut written = 0;
        options.progress.begin(self.batch.len(), chunks.len());
        for chunk in chunks {
            written += self.send(session, *chunk, splits, failures).await?;
            options.progress.sent(chunk.rows.len(), iter::empty());
        }
        failures.check(self)?;
        if !subtracts {
            return Ok(written);
        }
        match kept(session).await {
            Ok(kept) => Ok(written.saturating_sub(kept)),
            Err(source) => Err(of_question(session, source, self.place(&self.selected)).into()),
        }
    }

    /// The limits of statements for rows that supply these columns.
    fn limits_of(&self, supplied: Supplied, strategy: Strategy, limits: Limits) -> Limits {
        let rows = self.rows_per_statement(supplied, strategy, limits);
        Limits {
            rows: rows.unwrap_or(1),
            ..limits
        }
    }

    /// How many of these rows go into the next statement.
    fn next(&self, rows: &[usize], limits: Limits) -> usize {
        match &self.sizes {
            Some(sizes) => limits.next(rows.iter().map(|row| sizes[*row])),
            None => limits.next(rows.iter().map(|_| 0)),
        }
    }

    /// Cuts the steps of a plan into chunks.
    fn chunks<'p>(&self, plan: &'p Plan, limits: Limits) -> Vec<Chunk<'p>> {
        let mut chunks = Vec::new();
        for step in &plan.steps {
            let supplied = step.supplied;
            let mut rest = &plan.rows[step.rows.clone()];
            while !rest.is_empty() {
                let mut strategy = self.strategy(supplied, rest.len(), limits.copies);
                let mut most = self.limits_of(supplied, strategy, limits);
                let mut count = self.next(rest, most);
                if strategy == Strategy::Copy {
                    // Fewer rows may fit than a COPY is worth.
                    strategy = self.strategy(supplied, count, limits.copies);
                    most = self.limits_of(supplied, strategy, limits);
                    count = self.next(rest, most);
                }
                let (rows, others) = rest.split_at(count);
                chunks.push(Chunk {
                    rows,
                    supplied,
                    strategy,
                    recall: None,
                    recurs: recurs(strategy, most.recurs(count, step.rows.len())),
                });
                rest = others;
            }
        }
        chunks
    }

    /// The values that the statement for a chunk inserts.
    fn inserted<'p>(&self, chunk: Chunk<'p>) -> BatchRows<'p, T>
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

    /// Sends the statement for a chunk, and returns how many rows it wrote.
    ///
    /// Rows whose keys the database holds equal, and rows of which one cannot be written, are
    /// sent in several statements.
    async fn send<S>(
        &self,
        session: &mut S,
        chunk: Chunk<'_>,
        splits: Splits,
        failures: &mut Failures,
    ) -> core::result::Result<usize, Stop>
    where
        S: Session<Backend = DB>,
    {
        if !splits.repeats && !failures.are_wanted() {
            return self.execute(session, chunk).await;
        }
        let mut written = 0;
        let mut parts = vec![chunk.rows];
        while let Some(rows) = parts.pop() {
            let copies = chunk.strategy == Strategy::Copy;
            let strategy = self.strategy(chunk.supplied, rows.len(), copies);
            let part = Chunk {
                strategy,
                recurs: recurs(strategy, chunk.part(rows).recurs),
                ..chunk.part(rows)
            };
            if rows.len() == 1 && !failures.are_wanted() {
                written += self.execute(session, part).await?;
                continue;
            }
            session.begin().await?;
            let sent = self
                .execute_counting(session, part, splits.counts_kept)
                .await;
            match end(session, self.model, Begun::Savepoint, sent).await {
                Ok(sent) => {
                    written += sent;
                    failures.succeeded();
                }
                Err(Stop::Row { error, .. }) if !failures.are_wanted() => {
                    return Err(Stop::Failed(error));
                }
                Err(Stop::Repeats | Stop::Row { .. }) if rows.len() > 1 => {
                    parts.extend(halves(rows));
                }
                Err(Stop::Row { error, is_certain }) => {
                    let row = self.batch.position(rows[0]);
                    failures.failed(row, error, is_certain, self)?;
                }
                Err(stop) => return Err(stop),
            }
        }
        Ok(written)
    }

    /// Sends the statement for a chunk; without the rows that it leaves as they are, where
    /// the database counts them.
    async fn execute_counting<S>(
        &self,
        session: &mut S,
        chunk: Chunk<'_>,
        counts_kept: bool,
    ) -> core::result::Result<usize, Stop>
    where
        S: Session<Backend = DB>,
    {
        if counts_kept {
            session.batch_execute(DB::BEGIN_COUNT).await?;
        }
        let written = self.execute(session, chunk).await?;
        if counts_kept {
            return Ok(written.saturating_sub(kept(session).await?));
        }
        Ok(written)
    }

    async fn execute<S>(
        &self,
        session: &mut S,
        chunk: Chunk<'_>,
    ) -> core::result::Result<usize, Stop>
    where
        S: Session<Backend = DB>,
    {
        let Some(clause) = self.clauses.get(&chunk.supplied) else {
            return Ok(0);
        };
        let affected = self.execute_with(session, chunk, &clause.conflict).await?;
        Ok(if DB::COUNTS_KEPT_ROWS {
            chunk.rows.len()
        } else {
            affected
        })
    }

    /// Sends the statement for a chunk with another conflict clause, and returns
    /// the database's row count.
    async fn execute_with<S>(
        &self,
        session: &mut S,
        chunk: Chunk<'_>,
        conflict: &ConflictClause<'_, DB>,
    ) -> core::result::Result<usize, Stop>
    where
        S: Session<Backend = DB>,
    {
        let sent = async {
            if chunk.strategy == Strategy::Copy {
                return self.copy(session, chunk, conflict).await;
            }
            let affected = session.execute(&self.statement(chunk, conflict)).await;
            match affected {
                Err(source) if chunk.recall.is_some() && DB::fault(&source) == Fault::Forgotten => {
                    Err(Stop::Forgotten)
                }
                affected => self.checked(session, affected, chunk.rows).await,
            }
        };
        self.traced(chunk, sent).await
    }

    /// Sends a chunk in a span.
    fn traced<F: Future>(&self, chunk: Chunk<'_>, sent: F) -> impl Future<Output = F::Output> {
        let bytes = || self.bytes(chunk.rows);
        trace::inside(trace::chunk(chunk.rows.len(), bytes, chunk.strategy), sent)
    }

    /// The size of rows, where the dialect limits it.
    fn bytes(&self, rows: &[usize]) -> Option<usize> {
        let sizes = self.sizes.as_ref()?;
        Some(rows.iter().map(|row| sizes[*row]).sum())
    }

    fn statement<'p>(
        &self,
        chunk: Chunk<'p>,
        conflict: &'p ConflictClause<'p, DB>,
    ) -> ChunkStatement<'p, DB, T>
    where
        'c: 'p,
    {
        ChunkStatement {
            batch: self.batch,
            columns: &self.model.columns,
            rows: chunk.rows,
            supplied: chunk.supplied,
            strategy: chunk.strategy,
            arrays: self.arrays(chunk),
            conflict,
            recall: chunk.recall,
            recurs: chunk.recurs,
        }
    }

    /// The values of a chunk, column by column, where arrays hold them.
    fn arrays<'p>(&self, chunk: Chunk<'p>) -> Vec<Vec<Element<'p, T>>>
    where
        'c: 'p,
    {
        if chunk.strategy != Strategy::Unnest {
            return Vec::new();
        }
        let batch = self.batch;
        let elements = |column| {
            let rows = chunk.rows.iter();
            rows.map(|&row| Element { batch, row, column }).collect()
        };
        chunk.supplied.inserted().iter().map(elements).collect()
    }

    /// The result of a statement for `rows`, or what its error means.
    async fn checked<S, U>(
        &self,
        session: &mut S,
        result: QueryResult<U>,
        rows: &[usize],
    ) -> core::result::Result<U, Stop>
    where
        S: Session<Backend = DB>,
    {
        let source = match result {
            Ok(value) => return Ok(value),
            Err(source) => source,
        };
        let fault = fault_of(session, &source).await;
        Err(self.stop(fault, source, rows))
    }

    /// What an error of a statement for `rows` means.
    fn stop(&self, fault: Fault, source: DieselError, rows: &[usize]) -> Stop {
        if matches!(fault, Fault::CardinalityViolation | Fault::TooManyBinds) && rows.len() > 1 {
            return Stop::Repeats;
        }
        // Text of a value's may look like it.
        let fault = match fault {
            Fault::Forgotten => Fault::Other,
            fault => fault,
        };
        let is_certain = matches!(
            fault,
            Fault::Row | Fault::UniqueViolation(_) | Fault::TooLarge
        ) || matches!(source, DieselError::SerializationError(_));
        let may_be = fault == Fault::Other && matches!(source, DieselError::DatabaseError(_, _));
        let error = error(fault, source, self.place(rows));
        if is_certain || may_be {
            Stop::Row { error, is_certain }
        } else {
            Stop::Failed(error)
        }
    }
}

/// The halves of rows, the second one first, as the last part is sent next.
fn halves(rows: &[usize]) -> [&[usize]; 2] {
    let (first, second) = rows.split_at(rows.len() / 2);
    [second, first]
}

/// What the last statement's error means.
///
/// Where its text does not tell for certain, the database is asked, before anything else is
/// sent, a rollback too: whoever answers is not lost, whatever a message says that a trigger has
/// made.
fn fault_of<'s, S: Session>(
    session: &'s mut S,
    source: &DieselError,
) -> impl Future<Output = Fault> + use<'s, S> {
    let fault = S::Backend::fault(source);
    let is_answer = matches!(source, DieselError::DatabaseError(_, _));
    let question = matches!(fault, Fault::Other | Fault::ConnectionLost)
        .then(S::Backend::last_error)
        .flatten()
        .filter(|_| is_answer);
    async move {
        match question {
            Some(question) => asked(session, question).await,
            None => fault,
        }
    }
}

async fn asked<S: Session>(session: &mut S, question: Question<'_, S::Backend>) -> Fault {
    match session.ask(question).await {
        Ok(number) => S::Backend::fault_of(number),
        Err(error) => match S::Backend::fault(&error) {
            // Galera tells of a transaction that it has ended on whatever is sent next.
            fault @ (Fault::ConnectionLost | Fault::Contention(_)) => fault,
            _ => Fault::Other,
        },
    }
}

/// For which reasons the rows of a chunk are sent in several statements.
#[derive(Debug, Clone, Copy)]
struct Splits {
    /// The database may hold keys equal that are different here.
    repeats: bool,
    /// The rows that each statement leaves as they are are counted.
    counts_kept: bool,
}

/// Looks up the conflict target, which has to have a unique index. The call `reads`
/// rows after it, or only writes.
async fn inspect<S>(
    session: &mut S,
    model: &Model<'_, S::Backend>,
    lookup: &TargetLookup<'_>,
    reads: bool,
) -> Result<Inspection>
where
    S: Session,
{
    let question = S::Backend::inspect(lookup);
    if question.is_some() || reads {
        lock(session, model).await?;
    }
    let is_in_transaction = session.is_in_transaction().map_err(Error::Connection)?;
    let inspection =
        if S::Backend::ERRORS_END_TRANSACTIONS && question.is_some() && is_in_transaction {
            let begun = begin(session, false).await?;
            let answer = inspected(session, model, question).await;
            end(session, model, begun, answer).await?
        } else {
            inspected(session, model, question).await?
        };
    if inspection.has_unique_index {
        Ok(inspection)
    } else {
        Err(Error::NoUniqueIndex {
            place: place(model, Vec::new()),
            source: None,
        })
    }
}

/// What the catalog answers, where it has to be asked.
async fn inspected<S: Session>(
    session: &mut S,
    model: &Model<'_, S::Backend>,
    question: Option<Question<'_, S::Backend>>,
) -> Result<Inspection> {
    match question {
        Some(question) => Ok(S::Backend::inspection(ask(session, model, question).await?)),
        None => Ok(Inspection::default()),
    }
}

/// The answer to a question that is not about a statement.
async fn ask<S: Session>(
    session: &mut S,
    model: &Model<'_, S::Backend>,
    question: Question<'_, S::Backend>,
) -> Result<usize> {
    let source = match session.ask(question).await {
        Ok(answer) => return Ok(answer),
        Err(source) => source,
    };
    let fault = fault_of(session, &source).await;
    Err(match fault {
        Fault::Contention(_) | Fault::ConnectionLost => {
            error(fault, source, place(model, Vec::new()))
        }
        _ => Error::Connection(source),
    })
}

/// Takes the lock that the caller's transaction needs to write, before it reads.
async fn lock<S: Session>(session: &mut S, model: &Model<'_, S::Backend>) -> Result<()> {
    let column = model.columns.first().map_or("", |column| column.name);
    let Some(lock) = S::Backend::lock_table(&model.table, column) else {
        return Ok(());
    };
    if session.is_in_transaction().map_err(Error::Connection)? {
        let locked = session.batch_execute(&lock).await;
        locked.map_err(Error::Connection)?;
    }
    Ok(())
}

// Errors hold it in a box, to be small.
#[allow(clippy::unnecessary_box_returns)]
fn place<DB: Dialect>(model: &Model<'_, DB>, rows: Vec<usize>) -> Box<Place> {
    Box::new(Place {
        table: model.plain_table(),
        target: model.target_names(),
        predicate: model.predicate_sql(),
        rows,
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
        Fault::Contention(contention) => contended(place, contention, source),
        Fault::ConnectionLost => Error::ConnectionLost { place, source },
        Fault::CardinalityViolation
        | Fault::TooManyBinds
        | Fault::Forgotten
        | Fault::Row
        | Fault::NotRow
        | Fault::Other => Error::Statement { place, source },
    }
}

/// How many rows were left as they are since they are counted.
async fn kept<S: Session>(session: &mut S) -> QueryResult<usize> {
    match S::Backend::kept_rows() {
        Some(question) => session.ask(question).await,
        None => Ok(0),
    }
}

/// The columns that each row supplies, or one set if it is the same for all.
fn supplied<DB: Dialect, T: ErasedBatch<DB> + ?Sized>(batch: &T) -> Vec<Supplied> {
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

impl Order {
    /// Are the rows sorted if nothing is in the way?
    fn is_presumed_sorted(self) -> bool {
        self != Self::AsGiven
    }
}

/// Rows that go out in one statement.
#[derive(Clone, Copy)]
struct Chunk<'p> {
    /// Positions in the input.
    rows: &'p [usize],
    supplied: Supplied,
    strategy: Strategy,
    /// What the statement takes for granted that the connection recalls.
    recall: Option<&'p str>,
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
            strategy: self.strategy,
            recall: None,
            recurs: self.recurs && rows.len() == self.rows.len() || is_round(rows.len()),
        }
    }
}

/// Is the statement for a chunk one of few that occur?
fn recurs(strategy: Strategy, of_values: bool) -> bool {
    match strategy {
        Strategy::Values => of_values,
        Strategy::Unnest => true,
        // It reads a table that is another one each time.
        Strategy::Copy => false,
    }
}

/// Is all of a call one statement, which needs no transaction?
fn are_one_statement(chunks: &[Chunk<'_>]) -> bool {
    matches!(chunks, [chunk] if chunk.strategy != Strategy::Copy)
}

/// Why a plan was not carried out.
enum Stop {
    /// The database holds keys equal that are encoded differently, or takes fewer parameters:
    /// the rows have to go out in smaller statements.
    Repeats,
    /// The rows of a statement have to go out in statements of their own. None of
    /// them has been sent.
    OneByOne,
    /// Rows that existed have been deleted before they were read.
    Vanished(Vec<usize>),
    /// The connection does not recall what the statement relies on.
    Forgotten,
    /// The staging table for COPY cannot be made. What was sent is rolled back.
    NoCopy,
    /// The values of a row may be at fault, or are for certain.
    Row {
        error: Error,
        is_certain: bool,
    },
    /// The token of the call was used before, so that the call is applied already.
    Applied,
    Failed(Error),
}

impl Failure for Stop {
    fn into_final(self) -> Self {
        match self {
            Self::Row { error, .. } => Self::Failed(error),
            Self::Failed(_) | Self::Applied => self,
            // Whatever was to be tried otherwise has no transaction any more.
            Self::Repeats | Self::OneByOne | Self::Vanished(_) | Self::Forgotten | Self::NoCopy => {
                Self::Failed(Error::Connection(DieselError::BrokenTransactionManager))
            }
        }
    }

    fn map_error(self, f: impl FnOnce(Error) -> Error) -> Self {
        match self {
            Self::Failed(error) => Self::Failed(f(error)),
            stop => stop,
        }
    }
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

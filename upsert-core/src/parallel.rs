//! A call over several connections at once.

use std::borrow::Borrow;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use crate::batch::{Batch, Part};
use crate::builder::{Options, Prepared, Upsert};
use crate::connection::UpsertConnection;
use crate::engine;
use crate::error::{Error, Result, refuse};
use crate::progress::Progress;
use crate::session::blocking::BlockingSession;
use crate::session::{Session, now};
use crate::trace;
use crate::upsertable::Upsertable;

/// The rows that one connection of a parallel call has written;
/// [`execute_parallel`](Upsert::execute_parallel) returns them.
#[derive(Debug)]
#[non_exhaustive]
pub struct Partition {
    /// The positions of its rows in the input.
    pub rows: Vec<usize>,
    /// How many of them were inserted or updated. After an error none of them is in the
    /// table, but for [`Error::CommitUnknown`].
    pub result: Result<usize>,
}

/// The options of the whole call, how far each partition has come, and when they began.
type SharedProgress<'f> = Mutex<(Options<'f>, Vec<Progress>, Instant)>;

/// The options of a partition, whose report is the whole call's.
pub(crate) fn options_of<'s>(
    shared: &'s SharedProgress<'_>,
    partition: usize,
    total: usize,
) -> Options<'s> {
    let mut options = {
        let guard = shared.lock().unwrap_or_else(PoisonError::into_inner);
        guard.0.of_part()
    };
    options.progress.set(move |progress| {
        let mut guard = shared.lock().unwrap_or_else(PoisonError::into_inner);
        let (options, all, begun) = &mut *guard;
        all[partition] = progress;
        let mut sum = Progress {
            total: Some(total),
            elapsed: begun.elapsed(),
            ..progress
        };
        sum.rows = all.iter().map(|it| it.rows).sum();
        sum.chunks = all.iter().map(|it| it.chunks).sum();
        options.progress.pass_on(sum);
    });
    options
}

pub(crate) fn shared(options: Options<'_>, partitions: usize) -> SharedProgress<'_> {
    let all = vec![Progress::default(); partitions];
    Mutex::new((options, all, Instant::now()))
}

pub(crate) fn no_connections(table: String) -> Error {
    let why = "`execute_parallel` needs at least one connection";
    Error::of_building(table, refuse(why))
}

/// Each partition has a transaction of its own.
pub(crate) fn in_transaction(table: String) -> Error {
    let why = "`execute_parallel` has transactions of its own: give it connections that are \
               not in a transaction, or `execute` the call";
    Error::of_building(table, refuse(why))
}

impl<'f, B, R, O: 'f> Upsert<'f, B, R, O>
where
    B: Borrow<R> + Send + Sync,
    R: Upsertable<Converted: Send + Sync>,
{
    /// Sends the rows over several connections at once, each in a thread and a transaction
    /// of its own, and says of each what it did.
    ///
    /// **It is not all or nothing**: the rows of one connection are. Rows are divided by
    /// their conflict key, a range of them for each connection, so that no two connections
    /// write the same row. They wait for each other at another unique index, at foreign keys,
    /// and on MySQL and MariaDB at the gaps between keys, where they may deadlock; the server
    /// then fails one of them. Where only the database can say which keys are equal (see the
    /// README's limits), one connection writes them all.
    ///
    /// It pays on a server with idle cores, for a hundred thousand rows and more. SQLite has
    /// one writer at a time, for which the others wait as long as their `busy_timeout`.
    ///
    /// ```no_run
    /// # include!("doctest_setup.rs");
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let rows: Vec<Product> = Vec::new();
    /// use upsert_core::upsert;
    ///
    /// # let pool = vec![()];
    /// # let connect = |_: &()| SqliteConnection::establish("test.sqlite3");
    /// let mut connections = pool.iter().map(connect).collect::<Result<Vec<_>, _>>()?;
    /// for partition in upsert(&rows).execute_parallel(&mut connections)? {
    ///     match partition.result {
    ///         Ok(written) => println!("{written} rows"),
    ///         Err(error) => println!("{} rows are to be sent again: {error}", partition.rows.len()),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Any [`Error`] that is found before rows are sent; then nothing of the call is in the
    /// table. An error of a partition is its `result`.
    ///
    /// # Panics
    ///
    /// If a value or the report panics, in the thread of a partition, when the others have
    /// ended; what these have written stays.
    pub fn execute_parallel<C: UpsertConnection<R, O> + 'static>(
        self,
        connections: &mut [C],
    ) -> Result<Vec<Partition>> {
        let Prepared {
            batch,
            model,
            mut options,
        } = self.prepared::<C::Backend>()?;
        let batch: &(dyn Batch<C::Backend> + Send + Sync) = &batch;
        options.check_for("execute_parallel", || model.plain_table())?;
        let count = connections.len();
        let span = &trace::parallel(&model.table, batch.len());
        for conn in &mut *connections {
            let is_in_transaction = BlockingSession::of(conn).is_in_transaction();
            if is_in_transaction.map_err(Error::Connection)? {
                return Err(in_transaction(model.plain_table()));
            }
        }
        let rows = match connections.first_mut() {
            Some(first) => {
                let session = &mut BlockingSession::with_copy(first);
                let divided = engine::partition(session, batch, &model, &mut options, count);
                now(trace::inside(span.clone(), divided))?
            }
            None => return Err(no_connections(model.plain_table())),
        };
        let (model, total) = (&model, batch.len());
        let shared = &shared(options, rows.len());
        let write = |conn: &mut C, partition: usize, rows: Vec<usize>| {
            let part = Part { batch, rows };
            let erased: &(dyn Batch<C::Backend> + Send + Sync) = &part;
            let mut options = options_of(shared, partition, total);
            let session = &mut BlockingSession::with_copy(conn);
            let written = engine::run(session, erased, model, &mut options);
            let result = now(trace::inside(span.clone(), written));
            Partition {
                rows: part.rows,
                result,
            }
        };
        let partitions = rows.into_iter().zip(connections).enumerate();
        let write = &write;
        Ok(thread::scope(|scope| {
            let start = |(i, (rows, conn))| scope.spawn(move || write(conn, i, rows));
            let threads: Vec<_> = partitions.map(start).collect();
            let join = |thread: thread::ScopedJoinHandle<'_, Partition>| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            threads.into_iter().map(join).collect()
        }))
    }
}

//! Rows that come one by one, more of them than memory holds.

use std::borrow::Borrow;
use std::future::{Future, ready};

use super::{Failure, begin, classified, end, use_token};
use crate::batch::{Batch, ModelBatch};
use crate::builder::Options;
use crate::error::{Error, Result, refuse};
use crate::model::Model;
use crate::session::Session;
use crate::upsertable::{Fields, Upserts};

/// The most rows that are in memory at a time. They are sent sorted, so more of them
/// keep more neighbours together.
const MAX_ROWS: usize = 16 * 1024;

/// Where the rows of a model come from.
pub(crate) trait Source<R: Fields> {
    type Row: Borrow<R>;
    type Error: From<Error>;

    /// The next row; `None` after the last one.
    fn next(
        &mut self,
    ) -> impl Future<Output = core::result::Result<Option<Self::Row>, Self::Error>>;

    /// Writes the rows of a batch.
    fn upsert<S>(
        session: &mut S,
        batch: &ModelBatch<Self::Row, R>,
        model: &Model<'_, S::Backend>,
        options: &mut Options<'_>,
    ) -> impl Future<Output = Result<usize>>
    where
        S: Session,
        S::Backend: Upserts<R::Model>;
}

/// Rows from an iterator.
pub(crate) struct LocalSource<I>(pub(crate) I);

impl<I, B, E, R> Source<R> for LocalSource<I>
where
    R: Fields,
    I: Iterator<Item = core::result::Result<B, E>>,
    B: Borrow<R>,
    E: From<Error>,
{
    type Row = B;
    type Error = E;

    fn next(&mut self) -> impl Future<Output = core::result::Result<Option<B>, E>> {
        ready(self.0.next().transpose())
    }

    async fn upsert<S>(
        session: &mut S,
        batch: &ModelBatch<B, R>,
        model: &Model<'_, S::Backend>,
        options: &mut Options<'_>,
    ) -> Result<usize>
    where
        S: Session,
        S::Backend: Upserts<R::Model>,
    {
        let batch: &dyn Batch<S::Backend> = batch;
        super::run(session, batch, model, options).await
    }
}

/// Writes the rows of `source`, all in one transaction, or `commit_every` so many rows
/// in one of their own.
pub(crate) async fn run<S, F, R>(
    session: &mut S,
    source: &mut F,
    model: &Model<'_, S::Backend>,
    options: &mut Options<'_>,
    commit_every: Option<usize>,
) -> core::result::Result<usize, F::Error>
where
    S: Session,
    F: Source<R>,
    S::Backend: Upserts<R::Model>,
    R: Fields,
{
    let refused = |why| Error::of_building(model.plain_table(), refuse(why));
    match commit_every {
        Some(_) if session.is_in_transaction().map_err(Error::Connection)? => {
            return Err(refused(IN_TRANSACTION).into());
        }
        Some(_) if options.token.is_some() => return Err(refused(ONE_TOKEN).into()),
        Some(1..=MAX_ROWS) => {}
        _ if options.retry.is_some() => return Err(refused(NOT_IN_MEMORY).into()),
        _ => {}
    }
    options.progress.set_stream();
    let mut call = StreamCall {
        session,
        source,
        model,
        options,
        rows: 0,
        written: 0,
    };
    let limit = commit_every.unwrap_or(usize::MAX);
    loop {
        let committed = call.rows;
        match call.transaction::<R>(limit).await {
            Ok(is_last) => {
                if commit_every.is_some() && call.rows > committed {
                    call.options.progress.committed(call.rows);
                }
                if is_last {
                    return Ok(call.written);
                }
            }
            Err(Stop::Source(error)) => return Err(error),
            Err(Stop::Applied) => return Ok(0),
            Err(Stop::Failed(error)) => {
                let error = classified(error, model);
                // The token that its own text advises is for a call of one transaction.
                let is_one = commit_every.is_none();
                return Err(error.after(committed, is_one).into());
            }
        }
    }
}

const IN_TRANSACTION: &str = "`commit_every` cannot commit inside of a transaction: call it \
     outside of `transaction(..)`, or leave out `commit_every(..)`";

const ONE_TOKEN: &str = "`idempotency_token` is for one transaction, and `commit_every` makes \
     several: leave out one of them";

const NOT_IN_MEMORY: &str = "`retry` sends the rows of a transaction again, of which a stream \
     keeps 16384: add `commit_every(..)` with no more than that, or leave out `retry(..)`";

/// Why a transaction was rolled back.
enum Stop<E> {
    Failed(Error),
    /// The token of the call was used before.
    Applied,
    /// The source has yielded an error.
    Source(E),
}

impl<E> Failure for Stop<E> {
    fn into_final(self) -> Self {
        self
    }

    fn map_error(self, f: impl FnOnce(Error) -> Error) -> Self {
        match self {
            Self::Failed(error) => Self::Failed(f(error)),
            stop => stop,
        }
    }
}

impl<E> From<Error> for Stop<E> {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// A call whose rows are on their way.
struct StreamCall<'s, 'f, 'o, S: Session, F> {
    session: &'s mut S,
    source: &'s mut F,
    model: &'s Model<'f, S::Backend>,
    options: &'s mut Options<'o>,
    /// How many rows were sent.
    rows: usize,
    /// How many of them were inserted or updated.
    written: usize,
}

impl<S: Session, F> StreamCall<'_, '_, '_, S, F> {
    /// Writes up to `limit` rows in one transaction. Has the source no more rows?
    async fn transaction<R>(&mut self, limit: usize) -> core::result::Result<bool, Stop<F::Error>>
    where
        F: Source<R>,
        R: Fields,
        S::Backend: Upserts<R::Model>,
    {
        let rows = self.take(limit).await?;
        if rows.len() < MAX_ROWS || limit <= MAX_ROWS {
            return self.send(rows, limit).await;
        }
        let begun = begin(self.session, false).await?;
        let sent = self.send_all(rows, limit).await;
        end(self.session, self.model, begun, sent).await
    }

    /// Writes these rows, and those that come after them, up to `limit` in all.
    async fn send_all<R>(
        &mut self,
        mut rows: Vec<F::Row>,
        limit: usize,
    ) -> core::result::Result<bool, Stop<F::Error>>
    where
        F: Source<R>,
        R: Fields,
        S::Backend: Upserts<R::Model>,
    {
        let mut rest = limit;
        // The batches share one transaction.
        if let Some(token) = self.options.token.take() {
            match use_token(self.session, self.model, &token).await {
                Ok(()) => {}
                Err(super::Stop::Failed(error)) => return Err(Stop::Failed(error)),
                Err(_) => return Err(Stop::Applied),
            }
        }
        loop {
            let count = rows.len();
            let is_last = self.send(rows, rest).await?;
            rest -= count;
            if is_last || rest == 0 {
                return Ok(is_last);
            }
            rows = self.take(rest).await?;
        }
    }

    /// The next rows, at most `limit` and [`MAX_ROWS`]; fewer only if there are no more.
    async fn take<R>(&mut self, limit: usize) -> core::result::Result<Vec<F::Row>, Stop<F::Error>>
    where
        F: Source<R>,
        R: Fields,
    {
        let mut rows = Vec::new();
        while rows.len() < limit.min(MAX_ROWS) {
            match self.source.next().await.map_err(Stop::Source)? {
                Some(row) => rows.push(row),
                None => break,
            }
        }
        Ok(rows)
    }

    /// Writes rows that were taken with this limit. Has the source no more rows?
    async fn send<R>(
        &mut self,
        rows: Vec<F::Row>,
        limit: usize,
    ) -> core::result::Result<bool, Stop<F::Error>>
    where
        F: Source<R>,
        R: Fields,
        S::Backend: Upserts<R::Model>,
    {
        let count = rows.len();
        if count > 0 {
            let mut batch = ModelBatch::<F::Row, R>::new(rows);
            batch.first = self.rows;
            self.written += F::upsert(self.session, &batch, self.model, self.options).await?;
            self.rows += count;
            self.options.progress.end();
        }
        Ok(count < limit.min(MAX_ROWS))
    }
}

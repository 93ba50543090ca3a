//! Rows that come one by one, more of them than memory holds.

use std::borrow::Borrow;
use std::future::{Future, ready};

use super::{begin, end};
use crate::batch::{Batch, ModelBatch};
use crate::builder::Options;
use crate::error::{Error, Result, refuse};
use crate::model::Model;
use crate::session::Session;
use crate::upsertable::BindFields;

/// The most rows that are in memory at a time. They are sent sorted, so more of them
/// keep more neighbours together.
const MAX_ROWS: usize = 16 * 1024;

/// Where the rows of a model come from.
pub(crate) trait Source<R> {
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
        R: BindFields<S::Backend>;
}

/// Rows from an iterator.
pub(crate) struct LocalSource<I>(pub(crate) I);

impl<I, B, E, R> Source<R> for LocalSource<I>
where
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
        R: BindFields<S::Backend>,
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
    R: BindFields<S::Backend>,
{
    options.progress.is_stream();
    let mut written = 0;
    let mut committed = 0;
    let limit = commit_every.unwrap_or(usize::MAX);
    if commit_every.is_some() && session.is_in_transaction().map_err(Error::Connection)? {
        return Err(Error::of_building(model.plain_table(), refuse(IN_TRANSACTION)).into());
    }
    loop {
        let sent = transaction::<S, F, R>(session, source, model, options, committed, limit);
        let sent = match sent.await {
            Ok(sent) => sent,
            Err(Stop::Source(error)) => return Err(error),
            Err(Stop::Failed(error)) => return Err(error.after(committed).into()),
        };
        written += sent.written;
        committed += sent.rows;
        if commit_every.is_some() && sent.rows > 0 {
            options.progress.committed(committed);
        }
        if sent.is_last {
            return Ok(written);
        }
    }
}

const IN_TRANSACTION: &str = "`commit_every` cannot commit inside of a transaction: call it \
     outside of `transaction(..)`, or leave out `commit_every(..)`";

/// What a transaction has sent.
struct Sent {
    rows: usize,
    written: usize,
    /// Has the source no more rows?
    is_last: bool,
}

/// Why a transaction was rolled back.
enum Stop<E> {
    Failed(Error),
    /// The source has yielded an error.
    Source(E),
}

impl<E> From<Error> for Stop<E> {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Writes up to `limit` rows in one transaction; `first` came before them.
async fn transaction<S, F, R>(
    session: &mut S,
    source: &mut F,
    model: &Model<'_, S::Backend>,
    options: &mut Options<'_>,
    first: usize,
    limit: usize,
) -> core::result::Result<Sent, Stop<F::Error>>
where
    S: Session,
    F: Source<R>,
    R: BindFields<S::Backend>,
{
    let rows = take(source, limit.min(MAX_ROWS)).await?;
    if rows.len() < MAX_ROWS {
        return send::<S, F, R>(session, rows, model, options, first, limit).await;
    }
    let begun = begin(session, false).await?;
    let sent = send_all::<S, F, R>(session, rows, source, model, options, first, limit).await;
    end(session, begun, sent).await
}

async fn send_all<S, F, R>(
    session: &mut S,
    mut rows: Vec<F::Row>,
    source: &mut F,
    model: &Model<'_, S::Backend>,
    options: &mut Options<'_>,
    first: usize,
    limit: usize,
) -> core::result::Result<Sent, Stop<F::Error>>
where
    S: Session,
    F: Source<R>,
    R: BindFields<S::Backend>,
{
    let mut all = Sent {
        rows: 0,
        written: 0,
        is_last: false,
    };
    loop {
        let rest = limit - all.rows;
        let first = first + all.rows;
        let sent = send::<S, F, R>(session, rows, model, options, first, rest).await?;
        all.rows += sent.rows;
        all.written += sent.written;
        all.is_last = sent.is_last;
        let rest = limit - all.rows;
        if all.is_last || rest == 0 {
            return Ok(all);
        }
        rows = take(source, rest.min(MAX_ROWS)).await?;
    }
}

/// The next rows, fewer than `limit` only if there are no more.
async fn take<F, R>(
    source: &mut F,
    limit: usize,
) -> core::result::Result<Vec<F::Row>, Stop<F::Error>>
where
    F: Source<R>,
{
    let mut rows = Vec::new();
    while rows.len() < limit {
        match source.next().await.map_err(Stop::Source)? {
            Some(row) => rows.push(row),
            None => break,
        }
    }
    Ok(rows)
}

/// Writes rows that were taken with a limit of `limit`.
async fn send<S, F, R>(
    session: &mut S,
    rows: Vec<F::Row>,
    model: &Model<'_, S::Backend>,
    options: &mut Options<'_>,
    first: usize,
    limit: usize,
) -> core::result::Result<Sent, Stop<F::Error>>
where
    S: Session,
    F: Source<R>,
    R: BindFields<S::Backend>,
{
    let mut sent = Sent {
        rows: rows.len(),
        written: 0,
        is_last: rows.len() < limit.min(MAX_ROWS),
    };
    if !rows.is_empty() {
        let mut batch = ModelBatch::<F::Row, R>::new(rows);
        batch.first = first;
        sent.written = F::upsert(session, &batch, model, options).await?;
        options.progress.end();
    }
    Ok(sent)
}

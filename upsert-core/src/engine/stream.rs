//! Rows that come one by one, more of them than memory holds.

use std::borrow::Borrow;
use std::future::Future;

use super::{begin, end};
use crate::batch::{Batch, ModelBatch};
use crate::builder::Options;
use crate::error::Error;
use crate::model::Model;
use crate::session::Session;
use crate::upsertable::BindFields;

/// The most rows that are in memory at a time. They are sent sorted, so more of them
/// keep more neighbours together.
const MAX_ROWS: usize = 16 * 1024;

/// Where rows come from.
pub(crate) trait Source {
    type Row;
    type Error: From<Error>;

    /// The next row; `None` after the last one.
    fn next(&mut self) -> impl Future<Output = Result<Option<Self::Row>, Self::Error>>;
}

/// Writes the rows of `source`, all in one transaction.
pub(crate) async fn run<S, F, R>(
    session: &mut S,
    source: &mut F,
    model: &Model<'_, S::Backend>,
) -> Result<usize, F::Error>
where
    S: Session,
    F: Source<Row: Borrow<R> + Send + Sync>,
    R: BindFields<S::Backend, Converted: Send + Sync>,
{
    let rows = take(source).await?;
    if rows.len() < MAX_ROWS {
        return send::<S, F, R>(session, 0, rows, model).await;
    }
    let begun = begin(session, false).await?;
    let written = send_all::<S, F, R>(session, rows, source, model).await;
    end(session, begun, written).await
}

async fn send_all<S, F, R>(
    session: &mut S,
    mut rows: Vec<F::Row>,
    source: &mut F,
    model: &Model<'_, S::Backend>,
) -> Result<usize, F::Error>
where
    S: Session,
    F: Source<Row: Borrow<R> + Send + Sync>,
    R: BindFields<S::Backend, Converted: Send + Sync>,
{
    let mut written = 0;
    for first in (0..).step_by(MAX_ROWS) {
        let is_last = rows.len() < MAX_ROWS;
        written += send::<S, F, R>(session, first, rows, model).await?;
        if is_last {
            break;
        }
        rows = take(source).await?;
    }
    Ok(written)
}

/// The next rows, fewer than [`MAX_ROWS`] only if there are no more.
async fn take<F: Source>(source: &mut F) -> Result<Vec<F::Row>, F::Error> {
    let mut rows = Vec::new();
    while rows.len() < MAX_ROWS {
        match source.next().await? {
            Some(row) => rows.push(row),
            None => break,
        }
    }
    Ok(rows)
}

async fn send<S, F, R>(
    session: &mut S,
    first: usize,
    rows: Vec<F::Row>,
    model: &Model<'_, S::Backend>,
) -> Result<usize, F::Error>
where
    S: Session,
    F: Source<Row: Borrow<R> + Send + Sync>,
    R: BindFields<S::Backend, Converted: Send + Sync>,
{
    if rows.is_empty() {
        return Ok(0);
    }
    let mut batch = ModelBatch::<F::Row, R>::new(rows);
    batch.first = first;
    let batch: &(dyn Batch<S::Backend> + Send + Sync) = &batch;
    Ok(super::run(session, batch, model, &mut Options::default()).await?)
}

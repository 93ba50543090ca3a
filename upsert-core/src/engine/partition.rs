//! Divides the rows of a call among connections.

use super::{Call, Needs, Order};
use crate::batch::ErasedBatch;
use crate::builder::Options;
use crate::error::Result;
use crate::key::{Keys, Trust};
use crate::model::Model;
use crate::session::Session;

/// As many rows tell where to divide them.
const SAMPLE: usize = 4096;

/// The rows for each of `connections`, so that no two of them have the same key.
///
/// All rows are one partition where only the database can tell which keys are equal.
pub(crate) async fn partition<S, T>(
    session: &mut S,
    batch: &T,
    model: &Model<'_, S::Backend>,
    options: &mut Options<'_>,
    connections: usize,
) -> Result<Vec<Vec<usize>>>
where
    S: Session,
    T: ErasedBatch<S::Backend> + ?Sized,
{
    if batch.len() == 0 {
        return Ok(Vec::new());
    }
    let call = Call::<S::Backend, T>::prepare(batch, model, options, Needs::default())?;
    let limits = &mut call.limits(session)?;
    // However few rows there are: the database sees only those of one connection together.
    let may_sort = call.look(session, Order::Ask, limits).await?.may_sort;
    if !may_sort || call.keys.trust == Trust::None || !model.comparison.knows_equal() {
        return Ok(vec![(0..batch.len()).collect()]);
    }
    // Neighbours stay together: InnoDB locks the gaps between them.
    let firsts = firsts(&call.keys, batch.len(), connections);
    let mut partitions: Vec<Vec<usize>> = vec![Vec::new(); firsts.len() + 1];
    for row in 0..batch.len() {
        let key = call.keys.class(row);
        partitions[firsts.partition_point(|first| *first <= key)].push(row);
    }
    partitions.retain(|rows| !rows.is_empty());
    Ok(partitions)
}

/// The first keys of all partitions but the first, in order.
fn firsts(keys: &Keys, rows: usize, partitions: usize) -> Vec<&[u8]> {
    let mut sample: Vec<&[u8]> = if rows <= SAMPLE {
        (0..rows).map(|row| keys.class(row)).collect()
    } else {
        // One of each run of rows, each time at another place, as the input may have a pattern.
        let run = rows / SAMPLE;
        (0..SAMPLE)
            .map(|i| keys.class(i * run + i.min(rows % SAMPLE) + i * 7919 % run))
            .collect()
    };
    sample.sort_unstable();
    let size = sample.len().div_ceil(partitions);
    let mut firsts: Vec<_> = sample.into_iter().step_by(size).skip(1).collect();
    firsts.dedup();
    firsts
}

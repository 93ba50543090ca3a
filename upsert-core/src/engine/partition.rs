//! Divides the rows of a call among connections.

use super::{Call, Needs, Order};
use crate::batch::ErasedBatch;
use crate::builder::Options;
use crate::error::Result;
use crate::key::Trust;
use crate::model::Model;
use crate::session::Session;

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
    let may_sort = call.look(session, Order::Ask, limits).await?;
    let mut rows: Vec<usize> = (0..batch.len()).collect();
    if !may_sort || call.keys.trust == Trust::None || !model.comparison.knows_equal() {
        return Ok(vec![rows]);
    }
    // Neighbours stay together: InnoDB locks the gaps between them.
    rows.sort_by_key(|row| call.keys.class(*row));
    let size = rows.len().div_ceil(connections);
    let mut partitions: Vec<Vec<usize>> = vec![Vec::with_capacity(size)];
    for same in rows.chunk_by(|a, b| call.keys.class(*a) == call.keys.class(*b)) {
        match partitions.last_mut() {
            Some(last) if last.len() < size => last.extend(same),
            _ => partitions.push(same.to_vec()),
        }
    }
    for rows in &mut partitions {
        rows.sort_unstable();
    }
    Ok(partitions)
}

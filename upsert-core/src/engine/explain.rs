//! What a call would send.

use std::collections::BTreeMap;

use super::{Call, Chunk, Needs, are_one_statement};
use crate::batch::ErasedBatch;
use crate::builder::{Options, Strategy};
use crate::dialect::Dialect;
use crate::error::{Error, Result, refuse};
use crate::explain::{Explanation, PlannedStatement};
use crate::field::Supplied;
use crate::model::Model;
use crate::plan::Plan;
use crate::session::Session;
use crate::sql::sql_of;

/// What writing the rows of `batch` would be.
pub(crate) async fn explain<S, T>(
    session: &mut S,
    batch: &T,
    model: &Model<'_, S::Backend>,
    options: &mut Options<'_>,
) -> Result<Explanation>
where
    S: Session,
    T: ErasedBatch<S::Backend> + ?Sized,
{
    if batch.len() == 0 {
        return Ok(Explanation::of_nothing(
            model.plain_table(),
            model.target_names(),
        ));
    }
    let call = Call::<S::Backend, T>::prepare(batch, model, options, Needs::default())?;
    let mut limits = call.limits(session)?;
    let order = call.order(limits);
    let inspection = call.look(session, order, &mut limits).await?;
    let is_sorted = inspection.may_sort;
    let plan = call.plan(is_sorted);
    let mut chunks = call.chunks(&plan, limits);
    let recall = call.recall(is_sorted).filter(|_| inspection.is_kept);
    if let [only] = chunks.as_mut_slice() {
        only.recall = recall.as_deref();
    }
    let mut explanation = call.explain(&plan, &chunks, is_sorted)?;
    explanation.in_transaction |= session.is_in_transaction().map_err(Error::Connection)?;
    Ok(explanation)
}

impl<DB, T> Call<'_, '_, DB, T>
where
    DB: Dialect,
    T: ErasedBatch<DB> + ?Sized,
{
    /// What sending the chunks of a plan would be.
    fn explain(&self, plan: &Plan, chunks: &[Chunk<'_>], is_sorted: bool) -> Result<Explanation> {
        let mut planned: BTreeMap<(Supplied, Strategy, usize), PlannedStatement> = BTreeMap::new();
        let mut statements = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let key = (chunk.supplied, chunk.strategy, chunk.rows.len());
            let statement = match planned.get(&key) {
                Some(same) => same.clone(),
                None => self.planned(*chunk)?,
            };
            planned.entry(key).or_insert_with(|| statement.clone());
            statements.push(statement);
        }
        Ok(Explanation {
            table: self.model.plain_table(),
            target: self.model.target_names(),
            rows: self.batch.len(),
            sent: plan.rows.len(),
            is_sorted,
            in_transaction: !are_one_statement(chunks),
            statements,
        })
    }

    fn planned(&self, chunk: Chunk<'_>) -> Result<PlannedStatement> {
        let nothing = || self.refused(refuse("a chunk has no conflict clause"));
        let clause = self.clauses.get(&chunk.supplied).ok_or_else(nothing)?;
        let statement = self.statement(chunk, &clause.conflict);
        Ok(PlannedStatement {
            strategy: chunk.strategy,
            rows: chunk.rows.len(),
            sql: sql_of::<DB>(&statement)
                .map_err(|source| self.refused(source))?
                .into(),
            is_cached: chunk.recurs,
        })
    }
}

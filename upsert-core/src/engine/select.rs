//! Writes the rows of a query.

use diesel::query_builder::QueryFragment;
use diesel::result::QueryResult;

use super::{begin, classified, end, error, fault_of, inspect, kept, of_question, place};
use crate::dialect::{Dialect, Fault, TargetLookup};
use crate::error::{Error, Result};
use crate::select::UpsertFromStatement;
use crate::session::Session;
use crate::trace;

/// Writes the rows that `statement` selects.
///
/// It is borrowed for itself alone, as the query need not be `Sync`.
pub(crate) async fn run_select<S, Q>(
    session: &mut S,
    statement: &mut UpsertFromStatement<'_, S::Backend, Q>,
) -> Result<usize>
where
    S: Session,
    Q: QueryFragment<S::Backend>,
{
    let span = trace::select(&statement.model.table);
    let sent = async {
        let model = &statement.model;
        let lookup = TargetLookup::of_index(&model.table, model.target_columns());
        let inspection = inspect(session, model, &lookup, false).await?;
        let begun = begin(session, inspection.autocommits).await?;
        let written = send_select(session, statement).await;
        end(session, &statement.model, begun, written).await
    };
    let written = trace::inside(span, sent).await;
    written.map_err(|error| classified(error, &statement.model))
}

async fn send_select<S, Q>(
    session: &mut S,
    statement: &mut UpsertFromStatement<'_, S::Backend, Q>,
) -> Result<usize>
where
    S: Session,
    Q: QueryFragment<S::Backend>,
{
    let counts_kept = S::Backend::COUNTS_KEPT_ROWS;
    if counts_kept {
        session.batch_execute(S::Backend::BEGIN_COUNT).await?;
    }
    let affected = match session.execute(&*statement).await {
        Ok(affected) => affected,
        Err(source) => {
            let fault = fault_of(session, &source).await;
            let place = place(&statement.model, Vec::new());
            return Err(match fault {
                Fault::CardinalityViolation => Error::RepeatedInQuery { place, source },
                fault => error(fault, source, place),
            });
        }
    };
    if !counts_kept {
        return Ok(affected);
    }
    let keeps_rows = statement.conflict()?.keeps_rows();
    let counted = count(session, keeps_rows, affected).await;
    counted.map_err(|source| of_question(session, source, place(&statement.model, Vec::new())))
}

/// How many rows the last statement has written, where the database counts those that it keeps.
async fn count<S: Session>(
    session: &mut S,
    keeps_rows: bool,
    affected: usize,
) -> QueryResult<usize> {
    let Some(question) = S::Backend::selected_rows() else {
        return Ok(affected);
    };
    let selected = session.ask(question).await?;
    if !keeps_rows {
        return Ok(selected);
    }
    Ok(selected.saturating_sub(kept(session).await?))
}

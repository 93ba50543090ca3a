//! Writes the rows of a query.

use diesel::query_builder::QueryFragment;

use super::{Begun, begin, classified, end, error, fault_of, inspect, of_autocommit, place};
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
        let lookup = TargetLookup {
            table: &model.table,
            columns: model.target_columns(),
            sorts: false,
            depends_on_column: false,
            leaves_out: false,
        };
        inspect(session, model, &lookup, false).await?;
        let begun = begin(session, true).await?;
        let written = send_select(session, statement).await;
        let written = end(session, &statement.model, begun, written).await;
        written.map_err(|error| {
            let error = classified(error, &statement.model);
            if begun == Begun::Nothing {
                of_autocommit::<S::Backend>(error)
            } else {
                error
            }
        })
    };
    trace::inside(span, sent).await
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
    let selected = match S::Backend::selected_rows() {
        Some(question) if counts_kept => session.ask(question).await?,
        _ => return Ok(affected),
    };
    let keeps_rows = statement.conflict()?.keeps_rows();
    let kept = match S::Backend::kept_rows() {
        Some(question) if keeps_rows => session.ask(question).await?,
        _ => 0,
    };
    Ok(selected.saturating_sub(kept))
}

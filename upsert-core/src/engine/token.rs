//! Calls that are applied once, however often they are sent.

use super::{Stop, ask, error, fault_of, inspected, place};
use crate::dialect::{Dialect, Fault, TargetLookup};
use crate::error::{Error, refuse};
use crate::model::Model;
use crate::session::Session;
use crate::token::InsertToken;

/// Writes the token of a call, in whose transaction it stays.
///
/// # Errors
///
/// [`Stop::Applied`] if it is there already.
pub(super) async fn use_token<S: Session>(
    session: &mut S,
    model: &Model<'_, S::Backend>,
    token: &str,
) -> Result<(), Stop> {
    let failed = |source| {
        Stop::Failed(Error::Token {
            create_table: S::Backend::CREATE_TOKENS,
            source,
        })
    };
    let insert = InsertToken::<S::Backend>::of(token).map_err(failed)?;
    let mut lookup = TargetLookup::of_index(&insert.table, InsertToken::<S::Backend>::COLUMNS);
    lookup.rolls_back = true;
    let inspection = inspected(session, model, S::Backend::inspect(&lookup)).await?;
    if !inspection.has_unique_index {
        let why = "the table `upsert_tokens` has no unique index on `token`";
        return Err(failed(refuse(why)));
    }
    if !inspection.is_transactional {
        let why = "the engine of the table `upsert_tokens` keeps the token of a call that fails";
        return Err(failed(refuse(why)));
    }
    let source = match session.execute(&insert).await {
        Ok(0) => return Err(Stop::Applied),
        Ok(_) => return Ok(()),
        Err(source) => source,
    };
    match fault_of(session, &source).await {
        Fault::UniqueViolation(_) => {
            // Another text may stand in its way.
            let holds = match S::Backend::holds_token(token) {
                Some(question) => ask(session, model, question).await? > 0,
                None => true,
            };
            Err(if holds { Stop::Applied } else { failed(source) })
        }
        fault @ (Fault::Contention(_) | Fault::ConnectionLost) => {
            Err(error(fault, source, place(model, Vec::new())).into())
        }
        _ => Err(failed(source)),
    }
}

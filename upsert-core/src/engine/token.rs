//! Calls that are applied once, however often they are sent.

use super::Stop;
use crate::dialect::{Dialect, Fault};
use crate::error::Error;
use crate::session::Session;
use crate::token::InsertToken;

/// Writes the token of a call, in whose transaction it stays.
///
/// # Errors
///
/// [`Stop::Applied`] if it is there already.
pub(super) async fn use_token<S: Session>(session: &mut S, token: &str) -> Result<(), Stop> {
    let Err(source) = session.execute(&InsertToken(token)).await else {
        return Ok(());
    };
    match S::Backend::fault(&source) {
        Fault::UniqueViolation(_) => Err(Stop::Applied),
        Fault::Contention(_) | Fault::ConnectionLost => Err(source.into()),
        _ => Err(Stop::Failed(Error::Token {
            create_table: S::Backend::CREATE_TOKENS,
            source,
        })),
    }
}

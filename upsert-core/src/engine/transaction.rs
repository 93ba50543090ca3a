//! The transaction of a call: its begin, its end, and what an error means for it.

use diesel::result::Error as DieselError;

use super::place;
use crate::dialect::{Dialect, Fault};
use crate::error::{Error, Place, Result};
use crate::model::Model;
use crate::retry::Attempts;
use crate::session::Session;

/// What a call has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begun {
    /// Nothing: its only statement commits itself.
    Nothing,
    /// A savepoint in the caller's transaction, or in the call's.
    Savepoint,
    Transaction,
}

/// Begins a transaction, inside of another one a savepoint.
///
/// One statement is all or nothing by itself where the server commits it, but inside of the
/// caller's transaction it takes a savepoint to go on after an error.
pub(super) async fn begin<S: Session>(session: &mut S, is_alone: bool) -> Result<Begun> {
    let begun = match session.is_in_transaction().map_err(Error::Connection)? {
        true => Begun::Savepoint,
        false if is_alone => return Ok(Begun::Nothing),
        false => Begun::Transaction,
    };
    session.begin().await.map_err(Error::Connection)?;
    Ok(begun)
}

/// Why a call, or a part of it, has failed.
pub(super) trait Failure: From<Error> {
    /// The same, with nothing to be tried instead.
    #[must_use]
    fn into_final(self) -> Self;

    /// The same, with what `f` makes of an error that ends the call.
    #[must_use]
    fn map_error(self, f: impl FnOnce(Error) -> Error) -> Self;
}

impl Failure for Error {
    fn into_final(self) -> Self {
        self
    }

    fn map_error(self, f: impl FnOnce(Error) -> Error) -> Self {
        f(self)
    }
}

/// Ends what was begun, so that nothing stays of what has failed.
pub(super) async fn end<S, T, E>(
    session: &mut S,
    model: &Model<'_, S::Backend>,
    begun: Begun,
    result: core::result::Result<T, E>,
) -> core::result::Result<T, E>
where
    S: Session,
    E: Failure,
{
    if begun == Begun::Nothing {
        return result.map_err(|error| error.map_error(of_autocommit::<S::Backend>));
    }
    match result {
        Ok(value) => match session.commit().await {
            Ok(()) => Ok(value),
            Err(source) => Err(of_commit(source, begun, model).into()),
        },
        // What has failed first tells more than that it cannot be rolled back, which
        // Diesel's status of the connection says.
        Err(error) => match session.rollback().await {
            // The database has ended the transaction around it, and what is sent now would
            // be in none.
            Err(source) if begun == Begun::Savepoint => {
                let error = error.into_final();
                Err(error.map_error(|error| without_savepoint(error, source, model)))
            }
            _ => Err(error),
        },
    }
}

/// What the error of a part of a call means whose savepoint is not there any more.
fn without_savepoint<DB: Dialect>(
    error: Error,
    source: DieselError,
    model: &Model<'_, DB>,
) -> Error {
    let place = || place(model, Vec::new());
    if error.contention().is_some() || matches!(error, Error::ConnectionLost { .. }) {
        error
    } else if DB::fault(&source) == Fault::ConnectionLost {
        let place = place();
        Error::ConnectionLost { place, source }
    } else if DB::COMMITS_BY_OTHERS {
        let place = place();
        Error::TransactionEnded { place, source }
    } else {
        error
    }
}

/// What an error of COMMIT means.
fn of_commit<DB: Dialect>(source: DieselError, begun: Begun, model: &Model<'_, DB>) -> Error {
    let (source, is_lost) = match source {
        DieselError::RollbackErrorOnCommit {
            // A server that answers takes a ROLLBACK.
            rollback_error: _,
            commit_error,
        } => {
            let is_answered = matches!(
                DB::fault(&commit_error),
                Fault::Contention(_) | Fault::Row | Fault::UniqueViolation(_)
            );
            (*commit_error, !DB::IS_EMBEDDED && !is_answered)
        }
        source => (source, false),
    };
    if begun == Begun::Transaction && (is_lost || DB::fault(&source) == Fault::ConnectionLost) {
        let place = place(model, Vec::new());
        return Error::CommitUnknown { place, source };
    }
    match classified(Error::Connection(source), model) {
        Error::Connection(source) if begun == Begun::Savepoint && DB::COMMITS_BY_OTHERS => {
            let place = place(model, Vec::new());
            Error::TransactionEnded { place, source }
        }
        error => error,
    }
}

/// The error of a statement that commits itself: a connection that is lost takes the answer
/// with it.
///
/// Where it is lost with the answer to a question about the error, the statement itself has had
/// one.
fn of_autocommit<DB: Dialect>(error: Error) -> Error {
    match error {
        Error::ConnectionLost { place, source } if DB::fault(&source) == Fault::ConnectionLost => {
            Error::CommitUnknown { place, source }
        }
        error => error,
    }
}

/// The error of a question about a statement that was sent, and that may have committed
/// itself.
pub(super) fn of_question<S: Session>(
    session: &mut S,
    source: DieselError,
    place: Box<Place>,
) -> Error {
    match session.is_in_transaction() {
        Ok(false) => Error::CommitUnknown { place, source },
        _ => Error::Connection(source),
    }
}

/// Says of an error outside of a statement that writes rows what it means for the call.
pub(super) fn classified<DB: Dialect>(error: Error, model: &Model<'_, DB>) -> Error {
    let Error::Connection(source) = error else {
        return error;
    };
    match DB::fault(&source) {
        Fault::Contention(contention) => {
            let place = place(model, Vec::new());
            contended(place, contention, source)
        }
        Fault::ConnectionLost => {
            let place = place(model, Vec::new());
            Error::ConnectionLost { place, source }
        }
        _ => Error::Connection(source),
    }
}

/// Another transaction was in the way of the first attempt.
pub(super) fn contended(
    place: Box<Place>,
    contention: crate::error::Contention,
    source: DieselError,
) -> Error {
    Error::Contention {
        place,
        contention,
        attempts: 1,
        source,
    }
}

/// Waits until it is time for the next attempt of a call whose last one has failed.
///
/// # Errors
///
/// `error`, if there is no next one: it would fail again, or there were enough.
pub(super) async fn next_attempt<S: Session>(
    session: &mut S,
    attempts: &mut Attempts,
    error: Error,
) -> Result<()> {
    let Error::Contention {
        place,
        contention,
        source,
        ..
    } = error
    else {
        return Err(error);
    };
    let given_up = match attempts.failed() {
        // In a transaction that goes on, the caller's or one that could not be rolled
        // back, the attempt would see what this one saw.
        Ok(delay) if session.is_in_transaction().is_ok_and(|is| !is) => {
            session.sleep(delay).await;
            return Ok(());
        }
        Ok(_) => attempts.made(),
        Err(made) => made,
    };
    Err(Error::Contention {
        place,
        contention,
        attempts: given_up,
        source,
    })
}

//! The spans of the feature `tracing`; without it nothing.

use std::future::Future;

#[cfg(feature = "tracing")]
use tracing::{Instrument, debug_span, field, info_span};

use crate::builder::Strategy;

/// Runs a call in a span.
#[cfg(feature = "tracing")]
pub(crate) fn call<F: Future>(
    table: &str,
    rows: usize,
    call: F,
) -> impl Future<Output = F::Output> {
    let table = crate::model::plain(table);
    call.instrument(info_span!("upsert", table, rows, sorted = field::Empty))
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn call<F: Future>(_: &str, _: usize, call: F) -> impl Future<Output = F::Output> {
    call
}

/// Says of the call's span whether its rows are sorted.
#[cfg(feature = "tracing")]
pub(crate) fn is_sorted(is_sorted: bool) {
    let span = tracing::Span::current();
    // Where ours is disabled, it is the caller's.
    if span
        .metadata()
        .is_some_and(|it| it.target() == module_path!())
    {
        span.record("sorted", is_sorted);
    }
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn is_sorted(_: bool) {}

/// Runs a statement in a span.
#[cfg(feature = "tracing")]
pub(crate) fn chunk<F: Future>(
    rows: usize,
    bytes: impl FnOnce() -> Option<usize>,
    strategy: Strategy,
    statement: F,
) -> impl Future<Output = F::Output> {
    statement.instrument(debug_span!("chunk", rows, bytes = bytes(), %strategy))
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn chunk<F: Future>(
    _: usize,
    _: impl FnOnce() -> Option<usize>,
    _: Strategy,
    statement: F,
) -> impl Future<Output = F::Output> {
    statement
}

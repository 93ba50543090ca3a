//! The spans of the feature `tracing`; without it nothing.

use std::future::Future;

#[cfg(feature = "tracing")]
use tracing::{Instrument, debug_span, field, info_span};

use crate::builder::Strategy;

#[cfg(feature = "tracing")]
pub(crate) type Span = tracing::Span;

#[cfg(not(feature = "tracing"))]
#[derive(Clone)]
pub(crate) struct Span;

/// The span of a call.
#[cfg(feature = "tracing")]
pub(crate) fn call(table: &str, rows: usize) -> Span {
    let table = crate::model::plain(table);
    info_span!("upsert", table, rows, sorted = field::Empty)
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn call(_: &str, _: usize) -> Span {
    Span
}

/// The span of a call whose rows come from a query.
#[cfg(feature = "tracing")]
pub(crate) fn select(table: &str) -> Span {
    let table = crate::model::plain(table);
    info_span!("upsert", table)
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn select(_: &str) -> Span {
    Span
}

/// The span of a stream, which has a call for each batch.
#[cfg(feature = "tracing")]
pub(crate) fn stream(table: &str) -> Span {
    let table = crate::model::plain(table);
    info_span!("upsert_stream", table)
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn stream(_: &str) -> Span {
    Span
}

/// The span of a call over several connections, which has a call for each of them.
#[cfg(feature = "tracing")]
pub(crate) fn parallel(table: &str, rows: usize) -> Span {
    let table = crate::model::plain(table);
    info_span!("upsert_parallel", table, rows)
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn parallel(_: &str, _: usize) -> Span {
    Span
}

/// Runs a future inside of a span.
#[cfg(feature = "tracing")]
pub(crate) fn inside<F: Future>(span: Span, run: F) -> impl Future<Output = F::Output> {
    run.instrument(span)
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn inside<F: Future>(_: Span, run: F) -> F {
    run
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

/// The span of a statement.
#[cfg(feature = "tracing")]
pub(crate) fn chunk(
    rows: usize,
    bytes: impl FnOnce() -> Option<usize>,
    strategy: Strategy,
) -> Span {
    debug_span!("chunk", rows, bytes = bytes(), %strategy)
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn chunk(_: usize, _: impl FnOnce() -> Option<usize>, _: Strategy) -> Span {
    Span
}

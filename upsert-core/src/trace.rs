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

/// Runs a call whose rows come from a query in a span.
#[cfg(feature = "tracing")]
pub(crate) fn select<F: Future>(table: &str, call: F) -> impl Future<Output = F::Output> {
    let table = crate::model::plain(table);
    call.instrument(info_span!("upsert", table))
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn select<F: Future>(_: &str, call: F) -> impl Future<Output = F::Output> {
    call
}

/// The span of a call that consists of others.
#[cfg(feature = "tracing")]
pub(crate) type Span = tracing::Span;

#[cfg(not(feature = "tracing"))]
pub(crate) type Span = ();

/// The span of a stream, which has a call for each batch.
#[cfg(feature = "tracing")]
pub(crate) fn stream(table: &str) -> Span {
    let table = crate::model::plain(table);
    info_span!("upsert_stream", table)
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn stream(_: &str) -> Span {}

/// The span of a call over several connections, which has a call for each of them.
#[cfg(feature = "tracing")]
pub(crate) fn parallel(table: &str, rows: usize) -> Span {
    let table = crate::model::plain(table);
    info_span!("upsert_parallel", table, rows)
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn parallel(_: &str, _: usize) -> Span {}

/// Runs a future inside of a span.
#[cfg(feature = "tracing")]
pub(crate) fn inside<F: Future>(span: Span, call: F) -> impl Future<Output = F::Output> {
    call.instrument(span)
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn inside<F: Future>((): Span, call: F) -> F {
    call
}

/// Makes a call inside of a span, in any thread.
#[cfg(feature = "tracing")]
pub(crate) fn within<T>(span: &Span, call: impl FnOnce() -> T) -> T {
    span.in_scope(call)
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn within<T>((): &Span, call: impl FnOnce() -> T) -> T {
    call()
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

//! The tests of the blocking calls, on the connections of diesel-async, and tests of
//! what only asynchronous calls do.

mod atomicity;
mod calls;
mod canary;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod commits;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod deadlocks;
mod duplicates;
mod errors;
mod explain;
mod hazards;
mod identifiers;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod isolation;
mod large;
mod log;
mod none;
mod on_error;
mod outcome;
mod outcome_hazards;
mod outcome_property;
mod parallel;
mod path;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod privileges;
mod property;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod proxy;
mod regression;
mod retry;
mod rule_regression;
mod rules;
mod scenarios;
mod shapes;
mod streams;
mod support;
mod tokens;
mod verify;

mod asynchronous {
    pub(crate) mod api;
    mod cancellation;
    mod pools;
    mod tasks;
}
use asynchronous::api;

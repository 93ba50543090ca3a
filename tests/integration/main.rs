//! Tests against databases: SQLite always, servers with their features.

mod airports;
mod api;
mod atomicity;
mod calls;
mod canary;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod commits;
mod connections;
#[cfg(feature = "postgres")]
mod copy;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod deadlocks;
mod duplicates;
mod errors;
mod explain;
mod hazards;
mod identifiers;
mod import;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod isolation;
mod large;
mod log;
mod none;
mod on_error;
mod outcome;
mod outcome_hazards;
mod outcome_property;
mod panics;
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
mod rule_sql;
mod rules;
mod scenarios;
mod shapes;
mod spans;
mod sql_text;
mod statements;
mod streams;
mod support;
mod tokens;
mod verify;

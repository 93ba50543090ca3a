//! Tests against databases: SQLite always, servers with their features.

mod airports;
mod api;
mod atomicity;
mod calls;
mod connections;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod deadlocks;
mod duplicates;
mod errors;
mod large;
mod none;
mod outcome;
mod outcome_hazards;
mod outcome_property;
mod property;
mod regression;
mod rule_regression;
mod rule_sql;
mod rules;
mod scenarios;
mod shapes;
mod sql_text;
mod statements;
mod support;

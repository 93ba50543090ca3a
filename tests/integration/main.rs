//! Tests against databases: SQLite always, servers with their features.

mod property;
mod support;

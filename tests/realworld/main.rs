//! Upserts of public projects, on every database that can express them.
//!
//! Each is the table, the model, and calls one after another with the whole
//! table after each. Columns that do not matter are left out.

#[allow(dead_code, unused_imports)]
#[path = "../integration/api.rs"]
mod api;
mod aptos;
mod crates_io;
mod emi;
mod gem_wallet;
#[cfg(feature = "postgres")]
mod habitat;
mod lemmy;
mod namada;
mod omicron;
#[path = "../integration/path.rs"]
mod path;
mod soar;
mod sui;
#[allow(dead_code)]
#[path = "../integration/support.rs"]
mod support;
mod syncstorage;
mod trieve;
mod vaultwarden;
mod xmtp;

use self::support::System;

/// A `CREATE TABLE` of PostgreSQL in the words of `system`.
fn create(system: System, sql: &str) -> String {
    match system {
        System::Sqlite => sql.replace("SERIAL", "INTEGER"),
        #[cfg(feature = "postgres")]
        System::Postgres => sql.to_owned(),
        #[cfg(feature = "mysql")]
        System::Mysql => sql
            .replace("SERIAL", "INTEGER AUTO_INCREMENT")
            .replace('"', "`"),
    }
}

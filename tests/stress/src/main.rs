//! Writers that meet each other, commits whose answers are lost, nodes that die: prints
//! what became of the rows as a Markdown table, and exits with 1 if a promise is broken.

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use diesel::mysql::MysqlConnection;
use diesel::pg::PgConnection;

mod commits;
mod deadlocks;
mod failures;
mod lists;
mod proxy;
mod random;
mod report;
mod restarts;
mod server;
mod sizes;

/// What a program that cannot go on says.
type Failed = Box<dyn Error + Send + Sync>;

/// Tries what `upsert-core` promises to writers that meet each other.
///
/// A database is `postgres://..` or `mysql://..`; tables of the names that begin with
/// `stress_`, and `upsert_tokens`, are dropped in it.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Counts the deadlocks of writers that write the same rows.
    Deadlocks(deadlocks::Arguments),
    /// Appends to lists while they are read.
    Lists {
        /// Of one server, or of the nodes of a cluster.
        #[arg(required = true)]
        urls: Vec<String>,
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// They are a pooler's, in transaction mode: no statement is kept prepared, each call
        /// is in a transaction of the caller's, and no connection is killed.
        #[arg(long)]
        pooled: bool,
    },
    /// Loses the answers of commits.
    Commits {
        url: String,
        #[arg(long, default_value_t = 1000)]
        calls: usize,
    },
    /// Measures what calls leave in the log and the catalog of PostgreSQL.
    Sizes { url: String },
    /// Writes to a server, or to the nodes of a cluster, of which one is killed.
    Restarts(restarts::Arguments),
}

macro_rules! on_server_of {
    ($url:expr, $run:path, $($argument:expr),*) => {
        if $url.starts_with("mysql:") {
            $run(server::connect::<MysqlConnection>, $($argument),*)
        } else {
            $run(server::connect::<PgConnection>, $($argument),*)
        }
    };
}

fn run() -> Result<bool, Failed> {
    match Arguments::parse().command {
        Command::Deadlocks(arguments) => {
            on_server_of!(arguments.url, deadlocks::run, &arguments)
        }
        Command::Lists {
            urls,
            seconds,
            pooled,
        } => {
            on_server_of!(urls[0], lists::run, &urls, seconds, pooled)
        }
        Command::Commits { url, calls } => on_server_of!(url, commits::run, &url, calls),
        Command::Sizes { url } => sizes::run(&url),
        Command::Restarts(arguments) => {
            on_server_of!(arguments.urls[0], restarts::run, &arguments)
        }
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("upsert-stress: {error}");
            ExitCode::from(2)
        }
    }
}

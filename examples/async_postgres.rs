//! Many tasks upsert at once through a pool, into the same rows.
//!
//! `cargo run --example async_postgres -- --database-url postgres://localhost/test`
//! makes a schema `upsert_example` for its table, and drops it at the end.

use clap::Parser;
use diesel::QueryDsl;
use diesel_async::pooled_connection::AsyncDieselConnectionManager;
use diesel_async::pooled_connection::deadpool::Pool;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use tokio::task::JoinSet;
use upsert_core::asynchronous::Upsertable;

diesel::table! {
    upsert_example.visits (page) {
        page -> Text,
        count -> BigInt,
        last_visitor -> Integer,
    }
}

#[derive(Upsertable)]
#[diesel(table_name = visits)]
struct Visit {
    #[conflict_key]
    page: String,
    #[on_conflict(add)] // count = visits.count + excluded.count
    count: i64,
    #[on_conflict(max)] // last_visitor = GREATEST(visits.last_visitor, excluded.last_visitor)
    last_visitor: i32,
}

#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    database_url: String,
}

const TASKS: i32 = 32;
const PAGES: i32 = 1000;
const CREATE: &str = "DROP SCHEMA IF EXISTS upsert_example CASCADE; CREATE SCHEMA upsert_example;
    CREATE TABLE upsert_example.visits (page TEXT PRIMARY KEY, count BIGINT NOT NULL, \
    last_visitor INTEGER NOT NULL)";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let arguments = Arguments::parse();
    let manager = AsyncDieselConnectionManager::<AsyncPgConnection>::new(arguments.database_url);
    let pool = Pool::builder(manager).max_size(8).build()?;
    pool.get().await?.batch_execute(CREATE).await?;

    let mut tasks = JoinSet::new();
    for visitor in 1..=TASKS {
        let pool = pool.clone();
        tasks.spawn(async move {
            // Every task has the rows in another order, which is a deadlock if they
            // are sent like this; a call sorts them.
            let rows = (0..PAGES).map(|i| Visit {
                page: format!("/page/{}", (i * visitor) % PAGES),
                count: 1,
                last_visitor: visitor,
            });
            let mut conn = pool.get().await?;
            Ok(Visit::bulk_upsert(&mut conn, rows).await?)
        });
    }
    while let Some(written) = tasks.join_next().await {
        let written: Result<usize, Box<dyn std::error::Error + Send + Sync>> = written?;
        written?;
    }

    let mut conn = pool.get().await?;
    let counts: Vec<i64> = visits::table.select(visits::count).load(&mut conn).await?;
    let (visits, pages) = (counts.iter().sum::<i64>(), counts.len());
    println!("{TASKS} tasks counted {visits} visits of {pages} pages");
    assert_eq!(visits, i64::from(TASKS * PAGES));
    conn.batch_execute("DROP SCHEMA upsert_example CASCADE")
        .await?;
    Ok(())
}

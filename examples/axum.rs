//! A web service that upserts what it is sent.
//!
//! `cargo run --example axum` listens on port 3000 of this machine, with a SQLite file in
//! the temporary directory:
//!
//! ```sh
//! curl -X PUT localhost:3000/products -H 'content-type: application/json' \
//!     -d '[{"sku": "a-1", "name": "Apple", "price": 120}]'
//! ```
//!
//! A client that goes away drops the future of its request. All of its call is then in
//! the table or nothing, and the connection goes back to the pool without a
//! transaction.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::put;
use axum::{Json, Router};
use diesel::SqliteConnection;
use diesel_async::SimpleAsyncConnection;
use diesel_async::pooled_connection::AsyncDieselConnectionManager;
use diesel_async::pooled_connection::deadpool;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use serde::{Deserialize, Serialize};
use upsert_core::asynchronous::{Upsertable, upsert};

pub(crate) type Pool = deadpool::Pool<SyncConnectionWrapper<SqliteConnection>>;

diesel::table! {
    products (sku) {
        sku -> Text,
        name -> Text,
        price -> Integer,
    }
}

#[derive(Deserialize, Upsertable)]
#[diesel(table_name = products)]
#[upsert(skip_unchanged)]
struct Product {
    #[conflict_key]
    sku: String,
    #[on_conflict(update)]
    name: String,
    #[on_conflict(update)]
    price: i32,
}

/// What became of the products.
#[derive(Serialize)]
struct Summary {
    inserted: usize,
    updated: usize,
    unchanged: usize,
}

async fn put_products(
    State(pool): State<Pool>,
    Json(products): Json<Vec<Product>>,
) -> Result<Json<Summary>, (StatusCode, String)> {
    let mut conn = pool.get().await.map_err(failed)?;
    let outcome = upsert(products).outcome(&mut conn).await.map_err(failed)?;
    Ok(Json(Summary {
        inserted: outcome.inserted(),
        updated: outcome.updated(),
        unchanged: outcome.unchanged(),
    }))
}

/// The errors of `upsert-core` have no values of rows in them.
fn failed(error: impl std::error::Error) -> (StatusCode, String) {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

pub(crate) fn router(pool: Pool) -> Router {
    Router::new()
        .route("/products", put(put_products))
        .with_state(pool)
}

/// A pool for the SQLite file at `path`, which gets its table.
pub(crate) async fn connect(path: &str) -> Result<Pool, Box<dyn std::error::Error>> {
    let manager = AsyncDieselConnectionManager::new(path);
    let pool = Pool::builder(manager).max_size(4).build()?;
    let mut conn = pool.get().await?;
    conn.batch_execute(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE IF NOT EXISTS products (
             sku TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, price INTEGER NOT NULL)",
    )
    .await?;
    drop(conn);
    Ok(pool)
}

#[allow(dead_code)] // the test has its own
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::temp_dir().join("upsert-example.sqlite3");
    let pool = connect(&path.to_string_lossy()).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!(
        "listening on {}, writing {}",
        listener.local_addr()?,
        path.display()
    );
    axum::serve(listener, router(pool)).await?;
    Ok(())
}

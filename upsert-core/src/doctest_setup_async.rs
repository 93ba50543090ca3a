#[allow(unused_imports)]
use diesel::prelude::*;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncConnection, SimpleAsyncConnection};
#[allow(unused_imports)]
use upsert_core::asynchronous::{Upsertable, upsert};

include!("doctest_model.rs");

#[allow(dead_code)]
async fn connection() -> SyncConnectionWrapper<SqliteConnection> {
    let mut conn = SyncConnectionWrapper::establish(":memory:").await.unwrap();
    conn.batch_execute(CREATE).await.unwrap();
    conn
}

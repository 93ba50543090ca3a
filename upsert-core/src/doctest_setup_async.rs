#[allow(unused_imports)]
use diesel::prelude::*;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncConnection, SimpleAsyncConnection};
#[allow(unused_imports)]
use upsert_core::asynchronous::{Upsertable, upsert, upsert_stream};

diesel::table! {
    products (sku) {
        sku -> Text,
        name -> Text,
    }
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[allow(dead_code)]
struct Product {
    #[conflict_key]
    sku: String,
    #[on_conflict(update)]
    name: String,
}

#[allow(dead_code)]
fn product(sku: &str, name: &str) -> Product {
    Product {
        sku: sku.to_owned(),
        name: name.to_owned(),
    }
}

#[allow(dead_code)]
async fn connection() -> SyncConnectionWrapper<SqliteConnection> {
    let mut conn = SyncConnectionWrapper::establish(":memory:").await.unwrap();
    conn.batch_execute("CREATE TABLE products (sku TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL)")
        .await
        .unwrap();
    conn
}

#[allow(unused_imports)]
use diesel::prelude::*;
#[allow(unused_imports)]
use upsert_core::Upsertable;

include!("doctest_model.rs");

#[allow(dead_code)]
fn connection() -> SqliteConnection {
    use diesel::connection::SimpleConnection;

    let mut conn = SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute(CREATE).unwrap();
    conn
}

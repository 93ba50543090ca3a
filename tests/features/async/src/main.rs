use std::rc::Rc;

use diesel::SqliteConnection;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use upsert_core::asynchronous;

type AsyncConnection = SyncConnectionWrapper<SqliteConnection>;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

#[derive(upsert_core::Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    name: String,
}

fn on_a_blocking_connection(conn: &mut SqliteConnection, products: &[Product]) {
    drop(asynchronous::upsert(products).execute(conn));
}

fn without_waiting(conn: &mut AsyncConnection, products: &[Product]) {
    let _ = upsert_core::upsert(products).execute(conn);
}

#[derive(upsert_core::Upsertable)]
#[diesel(table_name = products)]
#[upsert(update_all)]
struct NotSend {
    id: i32,
    name: String,
    #[diesel(skip_insertion)]
    parsed: Rc<str>,
}

fn of_rows_that_are_not_send(conn: &mut AsyncConnection, products: &[NotSend]) {
    use asynchronous::Upsertable;

    drop(<NotSend as Upsertable>::bulk_upsert(conn, products));
}

fn main() {}

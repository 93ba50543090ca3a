use diesel::SqliteConnection;
use upsert_core::{Upsertable, upsert};

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        stock -> Nullable<Integer>,
    }
}

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    name: String,
}

fn id(conn: &mut SqliteConnection, product: &Product) -> upsert_core::Result<String> {
    upsert([product]).returning(products::id).get_result(conn)
}

fn main() {}

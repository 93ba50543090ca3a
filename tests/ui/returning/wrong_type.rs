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

fn ids(conn: &mut SqliteConnection, products: &[Product]) -> upsert_core::Result<Vec<String>> {
    upsert(products).returning(products::id).get_results(conn)
}

fn main() {}

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

fn stocks(conn: &mut SqliteConnection, products: &[Product]) -> upsert_core::Result<Vec<i32>> {
    upsert(products)
        .returning(products::stock)
        .get_results(conn)
}

fn main() {}

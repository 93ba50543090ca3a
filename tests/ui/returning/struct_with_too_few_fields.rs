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

#[derive(diesel::Queryable)]
struct Row {
    id: i32,
}

fn rows(conn: &mut SqliteConnection, products: &[Product]) -> upsert_core::Result<Vec<Row>> {
    upsert(products)
        .returning((products::id, products::name))
        .get_results(conn)
}

fn main() {}

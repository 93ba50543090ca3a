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

fn rows(conn: &mut SqliteConnection, products: &[Product]) {
    let rows: Vec<(i32, String)> = upsert(products)
        .returning((products::id, products::name, products::stock))
        .get_results(conn)
        .unwrap();
    drop(rows);
}

fn main() {}

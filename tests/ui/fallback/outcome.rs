use diesel::SqliteConnection;
use upsert_core::{Upsertable, upsert};

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        stock -> Integer,
    }
}

#[derive(Upsertable)]
#[upsert(update_al)]
struct Product {
    id: i32,
    name: String,
    stock: i32,
}

fn save(conn: &mut SqliteConnection, products: &[Product]) {
    let _ = upsert(products).skip_unchanged(true).outcome(conn);
}

fn main() {}

//! All faults show in one run.

use diesel::SqliteConnection;
use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        stock -> Integer,
        visits -> Integer,
        deleted -> Bool,
        updated_at -> BigInt,
    }
}

#[derive(Upsertable)]
#[upsert(update_if = stock, set(deleted = "no"))]
struct Product {
    id: i32,
    #[on_conflict(add)]
    name: String,
    #[on_conflict(set = name)]
    stock: i32,
    #[on_conflict(set = excluded(visit))]
    visits: i32,
    #[on_conflict(touch = visits)]
    updated_at: i64,
}

fn save(conn: &mut SqliteConnection, products: &[Product]) {
    let _ = Product::bulk_upsert(conn, products);
}

fn main() {}

use diesel::SqliteConnection;
use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        sku -> Text,
    }
}

#[derive(Upsertable)]
#[upsert(update_all, constraint = "products_sku_key")]
struct Product {
    id: i32,
    sku: String,
}

fn save(conn: &mut SqliteConnection, products: &[Product]) {
    let _ = Product::bulk_upsert(conn, products);
}

fn main() {}

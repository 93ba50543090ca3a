use diesel::SqliteConnection;
use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

// `ILIKE` is PostgreSQL's.
#[derive(Upsertable)]
#[upsert(update_all, update_if = name.ilike(excluded(name)))]
struct Product {
    id: i32,
    name: String,
}

fn save(conn: &mut SqliteConnection, products: &[Product]) -> upsert_core::Result<usize> {
    Product::bulk_upsert(conn, products)
}

fn main() {
    let _: fn(&mut SqliteConnection, &[Product]) -> _ = save;
}

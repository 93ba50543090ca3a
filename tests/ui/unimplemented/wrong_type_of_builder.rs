use diesel::SqliteConnection;
use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    name: i32,
}

fn save(conn: &mut SqliteConnection, products: &[Product]) {
    let _ = upsert_core::upsert(products).chunk_size(10).execute(conn);
}

fn main() {}

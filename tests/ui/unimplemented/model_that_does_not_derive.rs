use diesel::SqliteConnection;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

struct Product {
    id: i32,
    name: String,
}

fn save(conn: &mut SqliteConnection, products: &[Product]) {
    let _ = upsert_core::upsert(products).execute(conn);
}

fn main() {}

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
    let _ = upsert(products)
        .returning_old(products::id)
        .get_results::<i32, _>(conn);
}

fn main() {}

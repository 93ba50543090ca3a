use diesel::SqliteConnection;
use upsert_core::{Upsertable, on_constraint, upsert};

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
    name: String,
}

fn save(conn: &mut SqliteConnection, products: &[Product]) {
    let _ = upsert(products)
        .on_conflict(on_constraint("products_name_key"))
        .execute(conn);
}

fn main() {}

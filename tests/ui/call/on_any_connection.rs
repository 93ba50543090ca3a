use diesel::connection::Connection;
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
    name: String,
}

fn save<C: Connection + 'static>(conn: &mut C, products: &[Product]) {
    let _ = Product::bulk_upsert(conn, products);
}

fn main() {}

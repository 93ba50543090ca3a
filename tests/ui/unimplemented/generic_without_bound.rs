use diesel::SqliteConnection;
use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(update_all)]
struct Product<T> {
    id: i32,
    name: T,
}

fn save(conn: &mut SqliteConnection, products: &[Product<i32>]) {
    let _ = Product::bulk_upsert(conn, products);
}

fn main() {}

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
struct Product {
    id: i32,
    name: String,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(do_nothing)]
struct NewProduct {
    id: i32,
    name: String,
}

fn save(conn: &mut SqliteConnection, products: &[NewProduct]) {
    let _ = Product::bulk_upsert(conn, products);
}

fn main() {}

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
#[upsert(update_all, embedded)]
struct Product {
    id: i32,
    name: String,
}

fn save(conn: &mut SqliteConnection, products: &[Product]) {
    let _ = upsert_core::upsert(products).execute(conn);
}

fn main() {}

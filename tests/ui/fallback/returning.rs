use diesel::SqliteConnection;
use upsert_core::{Result, Upsertable, upsert};

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
    let _: Result<Vec<i32>> = upsert(products).returning(products::id).get_results(conn);
    let _: Result<i32> = upsert(products).returning(products::id).get_result(conn);
    let _ = upsert(products)
        .returning((products::id, products::name))
        .outcome::<(i32, String), _>(conn);
}

fn main() {}

use diesel::SqliteConnection;
use upsert_core::{Upsertable, upsert};

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        stock -> Nullable<Integer>,
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
        .returning(products::id)
        .do_nothing()
        .get_results::<i32, _>(conn);
}

fn main() {}

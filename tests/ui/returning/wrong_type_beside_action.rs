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

fn ids(conn: &mut SqliteConnection, products: &[Product]) {
    let ids = upsert(products)
        .returning(products::id)
        .outcome::<String, _>(conn);
    drop(ids);
}

fn main() {}

use diesel::prelude::*;
use upsert_core::{Upsertable, upsert};

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

#[derive(Upsertable)]
#[diesel(table_name = "products")]
#[upsert(update_all)]
struct NewProduct {
    id: i32,
    name: String,
}

fn save(conn: &mut SqliteConnection, products: &[NewProduct]) {
    let _ = upsert(products).on_conflict(products::name).execute(conn);
    let _ = upsert(products).set(products::name, "set").execute(conn);
    let _ = upsert(products)
        .returning(products::id)
        .get_results::<i32, _>(conn);
    let all = products::table.select((products::id, products::name));
    let _ = NewProduct::upsert_from(all).execute(conn);
}

fn main() {}

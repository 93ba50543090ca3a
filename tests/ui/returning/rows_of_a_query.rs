use diesel::prelude::*;
use upsert_core::Upsertable;

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

fn save(conn: &mut SqliteConnection) {
    let all = products::table.select((products::id, products::name));
    let _ = Product::upsert_from(all)
        .returning(products::id)
        .get_results::<i32, _>(conn);
}

fn main() {}

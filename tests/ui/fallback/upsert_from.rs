use diesel::prelude::*;
use upsert_core::Upsertable;

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

fn save(conn: &mut SqliteConnection) {
    let all = products::table.select((products::id, products::name, products::stock + 1));
    let _ = Product::upsert_from(all)
        .on_conflict(products::name)
        .set(products::stock, 0)
        .execute(conn);
}

fn main() {}

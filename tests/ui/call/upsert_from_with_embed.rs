use diesel::prelude::*;
use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
struct Product {
    id: i32,
    #[diesel(embed)]
    name: Name,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(embedded)]
struct Name {
    #[on_conflict(update)]
    name: String,
}

fn save() {
    let _ = Product::upsert_from(products::table.select((products::id, products::name)));
}

fn main() {}

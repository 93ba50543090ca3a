use diesel::prelude::*;
use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        stock -> Integer,
    }
}

diesel::table! {
    offers (id) {
        id -> Integer,
        name -> Text,
    }
}

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    name: String,
    stock: i32,
}

fn save() {
    let _ = Product::upsert_from(offers::table.select((offers::id, offers::name)));
}

fn main() {}

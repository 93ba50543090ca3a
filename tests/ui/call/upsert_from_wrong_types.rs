use diesel::prelude::*;
use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

diesel::table! {
    offers (id) {
        id -> Integer,
        amount -> Integer,
    }
}

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    name: String,
}

fn save() {
    let _ = Product::upsert_from(offers::table.select((offers::id, offers::amount)));
}

fn main() {}

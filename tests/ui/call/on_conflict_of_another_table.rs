use upsert_core::{Upsertable, upsert};

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

diesel::table! {
    prices (id) {
        id -> Integer,
    }
}

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    name: String,
}

fn by_price(products: &[Product]) {
    let _ = upsert(products).on_conflict(prices::id);
}

fn main() {}

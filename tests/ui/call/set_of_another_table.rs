use upsert_core::{Upsertable, upsert};

diesel::table! {
    products (id) {
        id -> Integer,
        stock -> Integer,
    }
}

diesel::table! {
    prices (id) {
        id -> Integer,
        amount -> Integer,
    }
}

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    stock: i32,
}

fn save(products: &[Product]) {
    let _ = upsert(products).set(prices::amount, 1);
}

fn main() {}

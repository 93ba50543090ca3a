use upsert_core::{Upsertable, upsert};

diesel::table! {
    products (id) {
        id -> Integer,
        stock -> Integer,
    }
}

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    stock: i32,
}

fn by_stock(products: &[Product]) {
    let _ = upsert(products)
        .on_conflict(products::id)
        .filter_target(products::stock);
}

fn main() {}

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

fn save(products: &[Product]) {
    let _ = upsert(products).update_if(products::stock);
}

fn main() {}

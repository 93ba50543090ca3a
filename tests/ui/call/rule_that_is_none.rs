use upsert_core::{Rule, Upsertable, upsert};

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

// `upsert_core::rule::Add` is the type.
fn save(products: &[Product]) {
    let _ = upsert(products).rule(products::stock, Rule::Add);
}

fn main() {}

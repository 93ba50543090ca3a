use upsert_core::{Upsertable, rule, upsert};

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    name: String,
}

fn save(products: &[Product]) {
    let _ = upsert(products).rule(products::name, rule::Add);
}

fn main() {}

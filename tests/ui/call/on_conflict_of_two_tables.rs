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

fn by_both(products: &[Product]) {
    let _ = upsert(products).on_conflict((products::id, prices::id));
}

fn main() {}

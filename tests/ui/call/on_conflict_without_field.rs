use upsert_core::{Upsertable, upsert};

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        sku -> Text,
    }
}

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    name: String,
}

fn main() {
    let products: [Product; 0] = [];
    let _ = upsert(&products).on_conflict((products::id, products::sku));
}

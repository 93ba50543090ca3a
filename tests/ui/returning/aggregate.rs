use diesel::dsl::max;
use upsert_core::{Upsertable, upsert};

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        stock -> Nullable<Integer>,
    }
}

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    name: String,
}

fn greatest(products: &[Product]) {
    let _ = upsert(products).returning(max(products::id));
}

fn main() {}

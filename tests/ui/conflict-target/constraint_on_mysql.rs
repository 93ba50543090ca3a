use diesel::mysql::Mysql;
use upsert_core::{Upsertable, upsert};

diesel::table! {
    products (id) {
        id -> Integer,
        sku -> Text,
    }
}

#[derive(Upsertable)]
#[upsert(update_all, constraint = "products_sku_key")]
struct Product {
    id: i32,
    sku: String,
}

fn write(products: &[Product]) {
    let _ = upsert(products).statement::<Mysql>();
}

fn main() {}

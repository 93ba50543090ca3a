use diesel::mysql::Mysql;
use upsert_core::{Upsertable, on_constraint, upsert};

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

fn write(products: &[Product]) {
    let _ = upsert(products)
        .on_conflict(on_constraint("products_name_key"))
        .statement::<Mysql>();
}

fn main() {}

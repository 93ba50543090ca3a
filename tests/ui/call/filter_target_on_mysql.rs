use diesel::mysql::Mysql;
use diesel::prelude::*;
use upsert_core::{Upsertable, literal, upsert};

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

fn write(products: &[Product]) {
    let _ = upsert(products)
        .on_conflict(products::id)
        .filter_target(products::stock.gt(literal(0)))
        .statement::<Mysql>();
}

fn main() {}

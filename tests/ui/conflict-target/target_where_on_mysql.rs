use diesel::mysql::Mysql;
use upsert_core::{Upsertable, upsert};

diesel::table! {
    products (id) {
        id -> Integer,
        stock -> Integer,
    }
}

#[derive(Upsertable)]
#[upsert(update_all, target_where = stock.gt(0))]
struct Product {
    #[conflict_key]
    id: i32,
    stock: i32,
}

fn write(products: &[Product]) {
    let _ = upsert(products).statement::<Mysql>();
}

fn main() {}

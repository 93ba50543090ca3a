use diesel::mysql::Mysql;
use upsert_core::{Upsertable, upsert};

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

// `ILIKE` is PostgreSQL's.
#[derive(Upsertable)]
#[upsert(update_all, update_if = name.ilike(excluded(name)))]
struct Product {
    id: i32,
    name: String,
}

fn main() {
    let products: [Product; 0] = [];
    let _ = upsert(&products).statement::<Mysql>();
}

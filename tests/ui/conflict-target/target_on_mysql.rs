use diesel::mysql::Mysql;
use upsert_core::{Upsertable, upsert};

diesel::table! {
    products (id) {
        id -> Integer,
        sku -> Text,
    }
}

diesel::define_sql_function! {
    fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text;
}

#[derive(Upsertable)]
#[upsert(update_all, target = lower(sku))]
struct Product {
    id: i32,
    sku: String,
}

fn write(products: &[Product]) {
    let _ = upsert(products).statement::<Mysql>();
}

fn main() {}

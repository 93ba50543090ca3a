use diesel::prelude::*;
use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

diesel::table! {
    prices (id) {
        id -> Integer,
        name -> Text,
    }
}

diesel::allow_tables_to_appear_in_same_query!(products, prices);

// The query may have no row, and then its value is NULL.
#[derive(Upsertable)]
struct Product {
    id: i32,
    #[on_conflict(set = prices::table.select(prices::name).single_value())]
    name: String,
}

fn main() {}

use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        stock -> Integer,
    }
}

// `stock.gt(excluded(stock))` is the condition.
#[derive(Upsertable)]
#[upsert(update_all, update_if = stock > excluded(stock))]
struct Product {
    id: i32,
    stock: i32,
}

fn main() {}

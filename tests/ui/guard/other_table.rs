use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        stock -> Integer,
    }
}

diesel::table! {
    prices (id) {
        id -> Integer,
        amount -> Integer,
    }
}

#[derive(Upsertable)]
#[upsert(update_all, update_if = prices::amount.gt(0))]
struct Product {
    id: i32,
    stock: i32,
}

fn main() {}

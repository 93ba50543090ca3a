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
struct Product {
    id: i32,
    #[on_conflict(set = prices::amount + excluded(stock))]
    stock: i32,
}

fn main() {}

use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        stock -> Integer,
    }
}

#[derive(Upsertable)]
#[upsert(update_all, update_if = stock.less_than(excluded(stock)))]
struct Product {
    id: i32,
    stock: i32,
}

fn main() {}

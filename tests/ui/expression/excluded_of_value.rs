use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        stock -> Integer,
    }
}

#[derive(Upsertable)]
struct Product {
    id: i32,
    #[on_conflict(set = excluded(stock + 1))]
    stock: i32,
}

fn main() {}

use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        stock -> Integer,
        threshold -> Integer,
    }
}

// A column is not a field: `self.stock` is.
#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    stock: i32,
    #[on_insert(default = stock / 2)]
    threshold: Option<i32>,
}

fn main() {}

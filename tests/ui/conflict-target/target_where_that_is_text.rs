use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        stock -> Integer,
    }
}

#[derive(Upsertable)]
#[upsert(update_all, target_where = "stock > 0")]
struct Product {
    #[conflict_key]
    id: i32,
    stock: i32,
}

fn main() {}

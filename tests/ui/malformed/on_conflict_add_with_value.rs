use upsert_core::Upsertable;

#[derive(Upsertable)]
struct Product {
    #[conflict_key]
    id: i32,
    #[on_conflict(add = 1)]
    stock: i32,
}

fn main() {}

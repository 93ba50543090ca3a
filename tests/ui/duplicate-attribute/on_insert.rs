use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    #[on_insert(default = 0)]
    #[on_insert(default = 1)]
    stock: Option<i32>,
}

fn main() {}

use upsert_core::Upsertable;

#[derive(Upsertable)]
#[on_insert(default = 0)]
#[upsert(update_all)]
struct Product {
    id: i32,
    stock: Option<i32>,
}

fn main() {}

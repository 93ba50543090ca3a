use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    #[on_insert = 0]
    stock: Option<i32>,
}

fn main() {}

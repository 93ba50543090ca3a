use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_if = stock.gt(0), do_nothing)]
struct Product {
    id: i32,
    stock: i32,
}

fn main() {}

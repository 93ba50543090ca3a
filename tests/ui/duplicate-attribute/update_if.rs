use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, update_if = stock.gt(0), update_if = stock.lt(9))]
struct Product {
    id: i32,
    stock: i32,
}

fn main() {}

use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, target_where = stock.lt(upsert_core::excluded(stock)))]
struct Product {
    #[conflict_key]
    id: i32,
    stock: i32,
}

fn main() {}

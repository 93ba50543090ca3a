use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, targets(by_sku = lower(sku)))]
struct Product {
    id: i32,
    sku: String,
}

fn main() {}

use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, targets(crate = sku))]
struct Product {
    id: i32,
    sku: String,
}

fn main() {}

use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, targets(by_sku = sku), targets(by_name = name))]
struct Product {
    sku: String,
    name: String,
}

fn main() {}

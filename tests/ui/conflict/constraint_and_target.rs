use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, target = lower(sku), constraint = "products_sku_key")]
struct Product {
    sku: String,
    name: String,
}

fn main() {}

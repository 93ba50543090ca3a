use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, target = lower(sku), target = lower(name))]
struct Product {
    sku: String,
    name: String,
}

fn main() {}

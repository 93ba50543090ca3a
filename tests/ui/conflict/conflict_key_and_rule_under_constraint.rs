use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(constraint = "products_sku_key")]
struct Product {
    #[conflict_key]
    #[on_conflict(touch)]
    sku: String,
    #[on_conflict(update)]
    name: String,
}

fn main() {}

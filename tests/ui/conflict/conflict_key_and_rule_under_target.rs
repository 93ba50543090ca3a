use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(target = lower(sku))]
struct Product {
    // The text may change where `lower` of it does not.
    #[conflict_key]
    #[on_conflict(update)]
    sku: String,
    #[conflict_key]
    #[on_conflict(add)]
    stock: i32,
}

fn main() {}

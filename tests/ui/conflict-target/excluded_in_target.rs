use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, target = (id, lower(excluded(sku))))]
struct Product {
    id: i32,
    sku: String,
}

fn main() {}

use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, constraint = products_sku_key)]
struct Product {
    id: i32,
    sku: String,
}

fn main() {}

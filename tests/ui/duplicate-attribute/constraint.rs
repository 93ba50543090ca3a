use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, constraint = "products_sku_key", constraint = "products_name_key")]
struct Product {
    sku: String,
    name: String,
}

fn main() {}

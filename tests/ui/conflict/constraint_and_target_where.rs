use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, constraint = "products_sku_key", target_where = deleted.eq(false))]
struct Product {
    sku: String,
    name: String,
}

fn main() {}

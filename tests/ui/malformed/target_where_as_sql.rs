use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, target_where = deleted_at IS NULL)]
struct Product {
    id: i32,
    sku: String,
}

fn main() {}

use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, target_where = deleted.eq(false), target_where = stock.gt(0))]
struct Product {
    #[conflict_key]
    sku: String,
    name: String,
}

fn main() {}

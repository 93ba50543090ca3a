use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, target = lower(self.sku))]
struct Product {
    sku: String,
    name: String,
}

fn main() {}

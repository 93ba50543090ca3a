use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, set(products::deleted = false))]
struct Product {
    id: i32,
    name: String,
}

fn main() {}

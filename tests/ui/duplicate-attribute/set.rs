use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, set(deleted = false))]
#[upsert(set(seen = 1))]
struct Product {
    id: i32,
    name: String,
}

fn main() {}

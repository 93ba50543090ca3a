use upsert_core::Upsertable;

#[derive(Upsertable)]
#[conflict_key]
#[upsert(update_all)]
struct Product {
    id: i32,
    name: String,
}

fn main() {}

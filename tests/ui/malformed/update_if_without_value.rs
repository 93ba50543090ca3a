use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, update_if)]
struct Product {
    id: i32,
    name: String,
}

fn main() {}

use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, set = deleted)]
struct Product {
    id: i32,
    name: String,
}

fn main() {}

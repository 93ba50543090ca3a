use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_al)]
struct Product {
    id: i32,
    name: String,
}

fn main() {}

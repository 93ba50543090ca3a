use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(merge)]
struct Product {
    id: i32,
    name: String,
}

fn main() {}

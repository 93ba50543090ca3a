use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(do_nothing, set(deleted = false))]
struct Product {
    id: i32,
    name: String,
}

fn main() {}

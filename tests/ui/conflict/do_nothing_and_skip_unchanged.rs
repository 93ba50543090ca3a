use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(do_nothing, skip_unchanged)]
struct Product {
    id: i32,
    name: String,
}

fn main() {}

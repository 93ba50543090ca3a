use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, skip_unchanged, skip_unchanged)]
struct Product {
    id: i32,
    name: String,
}

fn main() {}

use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, touch(seen = 1), touch(changed = 1))]
struct Product {
    id: i32,
    name: String,
}

fn main() {}

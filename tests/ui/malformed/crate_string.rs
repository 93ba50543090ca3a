use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, crate = "upsert_core")]
struct Product {
    id: i32,
    name: String,
}

fn main() {}

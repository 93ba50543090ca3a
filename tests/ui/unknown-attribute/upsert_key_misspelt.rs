use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, skip_unchangd)]
struct Product {
    id: i32,
    name: String,
}

fn main() {}

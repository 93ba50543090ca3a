use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(set(id = 0))]
struct Product {
    #[conflict_key]
    id: i32,
    #[on_conflict(update)]
    name: String,
}

fn main() {}

use upsert_core::Upsertable;

#[derive(Upsertable)]
struct Product {
    #[conflict_key]
    id: i32,
    #[upsert(update)]
    #[on_conflict(update)]
    name: String,
}

fn main() {}

use upsert_core::Upsertable;

#[derive(Upsertable)]
struct Product {
    #[conflict_key]
    #[on_conflict(keep)]
    id: i32,
    #[on_conflict(update)]
    name: String,
}

fn main() {}

use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(newer_by = updated_at)]
struct Product {
    #[conflict_key]
    id: i32,
    #[on_conflict(update)]
    name: String,
    #[on_conflict(touch)]
    updated_at: i64,
}

fn main() {}

use upsert_core::Upsertable;

#[derive(Upsertable)]
struct Product {
    #[conflict_key]
    id: i32,
    #[on_conflict(update)]
    name: String,
    #[on_conflict(touch(diesel::dsl::now))]
    updated_at: i64,
}

fn main() {}

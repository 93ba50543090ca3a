use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(touch(seen_at = diesel::dsl::now), set(seen_at = diesel::dsl::now))]
struct Product {
    #[conflict_key]
    id: i32,
    #[on_conflict(update)]
    name: String,
}

fn main() {}

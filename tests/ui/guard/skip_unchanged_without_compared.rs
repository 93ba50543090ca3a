use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(skip_unchanged)]
struct Product {
    #[conflict_key]
    id: i32,
    #[on_conflict(touch)]
    seen_at: i64,
}

fn main() {}

use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(newer_by = version)]
struct Product {
    #[conflict_key]
    id: i32,
    #[conflict_key]
    version: i32,
    #[on_conflict(update)]
    name: String,
}

fn main() {}

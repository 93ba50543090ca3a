use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(not_older_by = version)]
struct Product {
    #[conflict_key]
    id: i32,
    #[on_conflict(update)]
    name: String,
    #[on_conflict(min)]
    version: i32,
}

fn main() {}

use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(set(kind = Self::KIND))]
struct Product {
    #[conflict_key]
    id: i32,
    #[on_conflict(update)]
    name: String,
}

impl Product {
    const KIND: i32 = 1;
}

fn main() {}

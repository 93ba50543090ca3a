use upsert_core::Upsertable;

#[derive(Upsertable)]
struct Product {
    id: i32,
    #[on_conflict(overwrite)]
    name: String,
}

fn main() {}

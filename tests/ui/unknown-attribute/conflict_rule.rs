use upsert_core::Upsertable;

#[derive(Upsertable)]
struct Product {
    id: i32,
    #[on_conflict(updaet)]
    name: String,
}

fn main() {}

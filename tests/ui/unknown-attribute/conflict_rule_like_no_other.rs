use upsert_core::Upsertable;

#[derive(Upsertable)]
struct Product {
    id: i32,
    #[on_conflict(blend)]
    name: String,
}

fn main() {}

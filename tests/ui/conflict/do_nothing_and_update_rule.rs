use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(do_nothing)]
struct Product {
    id: i32,
    #[on_conflict(update)]
    name: String,
}

fn main() {}

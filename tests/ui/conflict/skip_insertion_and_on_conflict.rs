use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    #[diesel(skip_insertion)]
    #[on_conflict(update)]
    name: String,
}

fn main() {}

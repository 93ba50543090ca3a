use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    #[diesel(skip_insertion, skip_insertion)]
    name: String,
}

fn main() {}

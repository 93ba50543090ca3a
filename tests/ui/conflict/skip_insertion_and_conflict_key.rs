use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    #[conflict_key]
    #[diesel(skip_insertion)]
    id: i32,
    name: String,
}

fn main() {}

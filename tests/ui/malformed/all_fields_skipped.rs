use upsert_core::Upsertable;

#[derive(Upsertable)]
struct Product {
    #[diesel(skip_insertion)]
    id: i32,
}

fn main() {}

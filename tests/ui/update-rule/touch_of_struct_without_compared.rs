use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(touch(updated_at = diesel::dsl::now))]
struct Product {
    #[conflict_key]
    id: i32,
    name: String,
}

fn main() {}

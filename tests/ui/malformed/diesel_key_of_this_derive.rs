use upsert_core::Upsertable;

#[derive(Upsertable)]
#[diesel(do_nothing)]
struct Product {
    #[diesel(conflict_key)]
    id: i32,
    #[diesel(on_conflict(update))]
    name: String,
}

fn main() {}

use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    #[conflict_key(nullable)]
    #[on_insert(default = 0)]
    region: Option<i32>,
    name: String,
}

fn main() {}

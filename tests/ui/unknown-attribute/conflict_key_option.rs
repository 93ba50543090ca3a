use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    #[conflict_key(nulable)]
    id: i32,
    name: String,
}

fn main() {}

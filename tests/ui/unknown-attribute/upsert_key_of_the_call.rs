use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(commit_every = 1000)]
struct Product {
    id: i32,
    name: String,
}

fn main() {}

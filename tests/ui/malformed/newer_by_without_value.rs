use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, newer_by)]
struct Product {
    id: i32,
    version: i32,
}

fn main() {}

use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(do_nothing, newer_by = version)]
struct Product {
    id: i32,
    version: i32,
}

fn main() {}

use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(do_nothing, not_older_by = version)]
struct Product {
    id: i32,
    version: i32,
}

fn main() {}

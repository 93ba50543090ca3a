use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, not_older_by = products::version)]
struct Product {
    id: i32,
    version: i32,
}

fn main() {}

use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, newer_by = version, newer_by = stock)]
struct Product {
    id: i32,
    version: i32,
    stock: i32,
}

fn main() {}

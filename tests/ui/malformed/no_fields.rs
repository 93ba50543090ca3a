use upsert_core::Upsertable;

#[derive(Upsertable)]
struct Product {}

fn main() {}

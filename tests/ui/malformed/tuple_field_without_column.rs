use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product(i32, #[diesel(column_name = name)] String);

fn main() {}

use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, newer_by = version)]
struct Product {
    id: i32,
    #[diesel(column_name = version)]
    number: i32,
}

fn main() {}

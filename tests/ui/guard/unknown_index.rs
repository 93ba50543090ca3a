use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(newer_by = 2)]
struct Product(
    #[diesel(column_name = id)]
    #[conflict_key]
    i32,
    #[diesel(column_name = version)]
    #[on_conflict(update)]
    i32,
);

fn main() {}

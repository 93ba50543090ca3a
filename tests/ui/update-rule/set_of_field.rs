use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(set(stock = 0))]
struct Product {
    #[conflict_key]
    id: i32,
    #[diesel(column_name = stock)]
    #[on_conflict(update)]
    amount: i32,
}

fn main() {}

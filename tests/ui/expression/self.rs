use upsert_core::Upsertable;

#[derive(Upsertable)]
struct Product {
    #[conflict_key]
    id: i32,
    #[on_conflict(set = stock + self.stock)]
    stock: i32,
}

fn main() {}

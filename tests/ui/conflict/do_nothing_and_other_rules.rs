use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(do_nothing)]
struct Product {
    id: i32,
    // This one says the same as the struct.
    #[on_conflict(keep)]
    name: String,
    #[on_conflict(add)]
    stock: i32,
    #[on_conflict(max)]
    highest: i32,
    #[on_conflict(min)]
    lowest: i32,
    #[on_conflict(coalesce)]
    note: Option<String>,
    #[on_conflict(fill)]
    origin: Option<String>,
    #[on_conflict(set = visits + 1)]
    visits: i32,
    #[on_conflict(touch)]
    updated_at: i32,
    #[on_conflict(touch = changes + 1)]
    changes: i32,
}

fn main() {}

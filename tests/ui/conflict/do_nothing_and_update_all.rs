use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, do_nothing)]
struct Product {
    id: i32,
    name: String,
}

fn main() {}

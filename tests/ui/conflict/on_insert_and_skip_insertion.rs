use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    name: String,
    #[diesel(skip_insertion)]
    #[on_insert(default = 0)]
    stock: Option<i32>,
}

fn main() {}

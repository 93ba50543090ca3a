use upsert_core::Upsertable;

#[derive(Upsertable)]
#[diesel(treat_none_as_default_value = false)]
#[upsert(update_all)]
struct Product {
    id: i32,
    #[on_insert(default = 0)]
    stock: Option<i32>,
}

fn main() {}

use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    #[diesel(treat_none_as_default_value = false)]
    #[on_insert(default = 0)]
    stock: Option<i32>,
}

fn main() {}

use upsert_core::Upsertable;

#[derive(Upsertable)]
#[diesel(treat_none_as_default_value = true)]
#[diesel(treat_none_as_default_value = false)]
#[upsert(update_all)]
struct Product {
    id: i32,
    name: Option<String>,
}

fn main() {}

use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    #[diesel(treat_none_as_default_value = true)]
    name: String,
}

fn main() {}

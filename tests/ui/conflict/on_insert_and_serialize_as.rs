use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    #[diesel(serialize_as = Option<String>)]
    #[on_insert(default = String::new())]
    name: Option<&'static str>,
}

fn main() {}

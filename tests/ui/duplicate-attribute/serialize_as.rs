use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    #[diesel(serialize_as = String, serialize_as = Box<str>)]
    name: String,
}

fn main() {}

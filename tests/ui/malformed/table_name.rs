use upsert_core::Upsertable;

#[derive(Upsertable)]
#[diesel(table_name = "products")]
#[upsert(update_all)]
struct Product {
    id: i32,
    name: String,
}

fn main() {}

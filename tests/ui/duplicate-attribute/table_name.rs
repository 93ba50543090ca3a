use upsert_core::Upsertable;

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[diesel(table_name = goods)]
#[upsert(update_all)]
struct Product {
    id: i32,
    name: String,
}

fn main() {}

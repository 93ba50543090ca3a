use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert]
struct Product {
    id: i32,
    name: String,
}

fn main() {}

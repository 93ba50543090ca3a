use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    #[diesel(embed)]
    #[diesel(serialize_as = String)]
    name: Name,
}

struct Name;

fn main() {}

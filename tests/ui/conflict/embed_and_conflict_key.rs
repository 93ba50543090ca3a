use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    #[diesel(embed)]
    #[conflict_key]
    name: Name,
}

struct Name;

fn main() {}

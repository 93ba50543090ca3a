use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    #[diesel(embed)]
    #[on_insert(default = Name)]
    name: Name,
}

struct Name;

fn main() {}

use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(newer_by = version)]
struct Product {
    #[conflict_key]
    id: i32,
    #[diesel(embed)]
    version: Version,
}

struct Version;

fn main() {}

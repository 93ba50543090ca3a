use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(embedded, set(deleted = false))]
struct Name {
    name: String,
}

fn main() {}

use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(skip_unchanged, embedded)]
struct Name {
    name: String,
}

fn main() {}

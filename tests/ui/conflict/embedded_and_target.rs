use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(embedded, target = lower(name))]
struct Name {
    name: String,
}

fn main() {}

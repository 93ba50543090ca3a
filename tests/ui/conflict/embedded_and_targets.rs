use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(embedded, targets(by_name = name))]
struct Name {
    name: String,
}

fn main() {}

use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(embedded, constraint = "names_key")]
struct Name {
    name: String,
}

fn main() {}

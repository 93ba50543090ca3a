use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(embedded, update_if = name.ne(excluded(name)))]
struct Name {
    name: String,
}

fn main() {}

use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(embedded, target_where = name.ne(""))]
struct Name {
    name: String,
}

fn main() {}

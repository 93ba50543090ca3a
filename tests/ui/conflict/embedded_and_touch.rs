use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(embedded, touch(seen_at = diesel::dsl::now))]
struct Name {
    name: String,
}

fn main() {}

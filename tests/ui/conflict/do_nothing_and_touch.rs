use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(do_nothing, touch(seen_at = diesel::dsl::now))]
struct Product {
    id: i32,
    name: String,
}

fn main() {}

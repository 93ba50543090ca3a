use upsert_core::Upsertable;

#[derive(Upsertable)]
union Product {
    id: i32,
}

fn main() {}

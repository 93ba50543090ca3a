use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(embedded, not_older_by = version)]
struct Version {
    #[on_conflict(update)]
    version: i32,
}

fn main() {}

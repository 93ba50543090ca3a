use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(do_nothing, embedded)]
struct Name {
    name: String,
}

fn main() {}

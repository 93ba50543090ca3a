use upsert_core::Upsertable;

#[derive(Upsertable)]
enum Product {
    Book,
}

fn main() {}

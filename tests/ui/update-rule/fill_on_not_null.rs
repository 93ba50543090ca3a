use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        origin -> Text,
    }
}

#[derive(Upsertable)]
struct Product {
    id: i32,
    #[on_conflict(fill)]
    origin: Option<String>,
}

fn main() {}

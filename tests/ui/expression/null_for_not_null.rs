use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        note -> Nullable<Text>,
    }
}

#[derive(Upsertable)]
struct Product {
    id: i32,
    #[on_conflict(set = excluded(note))]
    name: String,
    note: Option<String>,
}

fn main() {}

use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        note -> Text,
        deleted -> Bool,
        version -> Json,
    }
}

#[derive(Upsertable)]
#[upsert(newer_by = version)]
struct Product {
    id: i32,
    #[on_conflict(add)]
    name: String,
    #[on_conflict(fill)]
    note: String,
    #[on_conflict(max)]
    deleted: bool,
    #[on_conflict(update)]
    version: String,
}

fn main() {}

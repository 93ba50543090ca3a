use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        updated_at -> BigInt,
    }
}

#[derive(Upsertable)]
struct Product {
    id: i32,
    #[on_conflict(update)]
    name: String,
    #[on_conflict(touch = diesel::dsl::now)]
    updated_at: i64,
}

fn main() {}

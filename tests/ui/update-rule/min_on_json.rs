use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        data -> Nullable<Json>,
    }
}

#[derive(Upsertable)]
struct Product {
    id: i32,
    #[on_conflict(min)]
    data: Option<String>,
}

fn main() {}

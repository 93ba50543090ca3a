use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        deleted -> Bool,
    }
}

#[derive(Upsertable)]
struct Product {
    id: i32,
    #[on_conflict(max)]
    deleted: bool,
}

fn main() {}

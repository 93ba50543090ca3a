use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        visits -> Integer,
    }
}

#[derive(Upsertable)]
struct Product {
    id: i32,
    #[on_conflict(set = "many")]
    visits: i32,
}

fn main() {}

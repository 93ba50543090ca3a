use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        seen -> Integer,
    }
}

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    #[on_conflict(touch)]
    seen: i32,
}

fn main() {}

use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        note -> Nullable<Text>,
        weight -> Double,
    }
}

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i64,
    name: &'static [u8],
    note: Option<i32>,
    weight: f64,
}

fn main() {}

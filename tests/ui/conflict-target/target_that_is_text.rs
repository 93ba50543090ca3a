use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        sku -> Text,
    }
}

#[derive(Upsertable)]
#[upsert(update_all, target = "lower(sku)")]
struct Product {
    id: i32,
    sku: String,
}

fn main() {}

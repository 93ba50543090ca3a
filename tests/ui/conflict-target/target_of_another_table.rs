use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        sku -> Text,
    }
}

diesel::table! {
    prices (id) {
        id -> Integer,
        sku -> Text,
    }
}

#[derive(Upsertable)]
#[upsert(update_all, target = prices::sku)]
struct Product {
    id: i32,
    sku: String,
}

fn main() {}

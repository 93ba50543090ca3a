use upsert_core::Upsertable;

diesel::table! {
    // Without `(sku)`, the primary key is `id`.
    products {
        id -> Integer,
        sku -> Text,
        name -> Text,
    }
}

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    sku: String,
    name: String,
}

fn main() {}

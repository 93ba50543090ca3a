use upsert_core::Upsertable;

diesel::table! {
    prices (product, region) {
        product -> Integer,
        region -> Text,
        amount -> Integer,
    }
}

#[derive(Upsertable)]
#[upsert(update_all)]
struct Price {
    product: i32,
    amount: i32,
}

fn main() {}

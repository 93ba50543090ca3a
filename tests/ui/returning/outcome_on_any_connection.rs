use upsert_core::{UpsertConnection, Upsertable, upsert};

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        stock -> Nullable<Integer>,
    }
}

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    name: String,
}

fn save<C>(conn: &mut C, products: &[Product])
where
    C: UpsertConnection<Product>,
{
    let _ = upsert(products).outcome(conn);
}

fn main() {}

use diesel::connection::Connection;
use upsert_core::dialect::Outcomes;
use upsert_core::{BindFields, Upsertable, upsert};

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
    C: Connection,
    C::Backend: Outcomes,
    Product: BindFields<C::Backend>,
{
    let _ = upsert(products).outcome(conn);
}

fn main() {}

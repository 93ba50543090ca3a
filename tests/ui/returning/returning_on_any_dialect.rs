use diesel::connection::LoadConnection;
use upsert_core::{Loads, UpsertConnection, Upsertable, upsert};

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
    C: UpsertConnection<Product> + LoadConnection + Loads<products::id, i32>,
{
    let _ = upsert(products)
        .returning(products::id)
        .get_results::<i32, _>(conn);
}

fn main() {}

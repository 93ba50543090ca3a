use diesel::pg::Pg;
use diesel::sqlite::Sqlite;
use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

#[derive(Upsertable)]
#[diesel(check_for_backend(Pg, Sqlite))]
#[upsert(update_all, constraint = "products_name_key")]
struct Product {
    id: i32,
    name: String,
}

fn main() {}

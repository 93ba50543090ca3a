use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

#[derive(Upsertable)]
#[diesel(check_for_backend(diesel::sqlite::Sqlite))]
#[diesel(check_for_backend(disable = true))]
#[upsert(update_all)]
struct Product {
    id: i32,
    name: String,
}

fn main() {}

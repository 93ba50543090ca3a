use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

#[derive(Upsertable)]
#[diesel(check_for_backend(Sqlite))]
#[upsert(update_all)]
struct Product {
    id: i32,
    name: String,
}

fn main() {}

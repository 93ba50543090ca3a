use diesel::mysql::Mysql;
use diesel::sqlite::Sqlite;
use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        stock -> Unsigned<Integer>,
    }
}

#[derive(Upsertable)]
#[diesel(check_for_backend(Mysql, Sqlite))]
#[upsert(update_all)]
struct Product {
    id: i32,
    name: String,
    stock: u32,
}

fn main() {}

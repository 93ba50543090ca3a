use diesel::mysql::Mysql;
use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

diesel::define_sql_function! {
    fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text;
}

#[derive(Upsertable)]
#[diesel(check_for_backend(Mysql))]
#[upsert(update_all, target = lower(name))]
struct Product {
    id: i32,
    name: String,
}

fn main() {}

use diesel::mysql::Mysql;
use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

#[derive(Upsertable)]
#[diesel(check_for_backend(Mysql))]
#[upsert(update_all, target_where = id.gt(0))]
struct Product {
    id: i32,
    #[conflict_key]
    name: String,
}

fn main() {}

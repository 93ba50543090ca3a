use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(embedded)]
struct Name {
    #[on_conflict(update)]
    name: String,
}

#[derive(Upsertable)]
struct Product {
    id: i32,
    name: String,
    #[diesel(embed)]
    inner: Name,
}

fn main() {}

use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        seen -> Integer,
    }
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
struct Product {
    id: i32,
    #[diesel(embed)]
    name: Name,
    #[on_conflict(touch)]
    seen: i32,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(embedded)]
struct Name {
    name: String,
}

fn main() {}

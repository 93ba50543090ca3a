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
struct Name<'a> {
    #[on_conflict(update)]
    name: Option<&'a [i32]>,
}

#[derive(Upsertable)]
struct Product<'a> {
    id: i32,
    #[diesel(embed)]
    name: Name<'a>,
}

fn main() {}

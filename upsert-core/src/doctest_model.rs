diesel::table! {
    products (sku) {
        sku -> Text,
        name -> Text,
    }
}

#[allow(dead_code)]
const CREATE: &str =
    "CREATE TABLE products (sku TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL)";

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[allow(dead_code)]
struct Product<'a> {
    #[conflict_key]
    sku: &'a str,
    #[on_conflict(update)]
    name: &'a str,
}

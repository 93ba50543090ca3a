use diesel::SqliteConnection;
use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

diesel::table! {
    labels (text) {
        text -> Text,
    }
}

#[derive(Upsertable)]
#[diesel(table_name = labels)]
#[upsert(embedded)]
struct Label {
    text: String,
}

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    name: String,
    #[diesel(embed)]
    label: Label,
}

fn save(conn: &mut SqliteConnection, products: &[Product]) {
    let _ = Product::bulk_upsert(conn, products);
}

fn main() {}

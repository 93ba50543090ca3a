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
    #[on_conflict(update)]
    text: String,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
struct Product<T> {
    #[conflict_key]
    id: i32,
    #[diesel(embed)]
    label: T,
}

fn save(conn: &mut SqliteConnection, products: &[Product<Label>]) {
    let _ = Product::bulk_upsert(conn, products);
}

fn main() {}

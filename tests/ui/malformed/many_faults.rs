//! All faults show in one run, and the uses of the struct are not faults.

use diesel::SqliteConnection;
use upsert_core::Upsertable;

#[derive(Upsertable)]
#[diesel(table_name = "products")]
#[upsert(update_al)]
struct Product {
    #[conflict_key]
    #[conflict_key]
    id: Option<i32>,
    #[on_conflict(updaet)]
    name: String,
    #[diesel(column_name = name)]
    #[on_conflict(keep, update)]
    title: String,
    #[upsert(do_nothing)]
    stock: i32,
}

fn save(conn: &mut SqliteConnection, products: &[Product]) -> upsert_core::Result<usize> {
    Product::bulk_upsert(conn, products)?;
    upsert_core::upsert(products).execute(conn)
}

fn main() {}

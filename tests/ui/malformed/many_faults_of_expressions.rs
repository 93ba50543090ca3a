//! All faults show in one run, and the uses of the struct are not faults.

use diesel::SqliteConnection;
use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(set(deleted), update_if = , newer_by = verison, not_older_by = stock)]
#[upsert(constraint = "products_sku_key", target = excluded(sku))]
#[upsert(targets(by_name = name, by_sku = ksu), touch(stock = 1))]
struct Product {
    #[conflict_key]
    #[on_conflict(min)]
    sku: String,
    #[on_conflict(set = self.name)]
    name: String,
    #[on_conflict(max = 1)]
    version: i32,
    #[on_insert(default = 0)]
    stock: i32,
}

fn save(conn: &mut SqliteConnection, products: &[Product]) -> upsert_core::Result<usize> {
    Product::bulk_upsert(conn, products)?;
    upsert_core::upsert(products)
        .skip_unchanged(true)
        .do_nothing()
        .execute(conn)
}

fn main() {}

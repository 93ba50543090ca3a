#![deny(warnings)]

use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        stock -> Unsigned<Integer>,
    }
}

/// A trait of the user's, of every type, with constants like those of the derive.
trait Everything {
    const IS: u8 = 1;
    const CHECK: u8 = 2;
}

impl<T: ?Sized> Everything for T {}

/// Only MySQL has the column's type.
#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    stock: u32,
}

fn main() {
    let product = Product { id: 1, stock: 2 };
    assert_eq!(product.id + product.stock as i32, 3);
    assert_eq!(<Product as Everything>::IS + <Product as Everything>::CHECK, 3);
}

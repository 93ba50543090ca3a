use diesel::prelude::*;
use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(update_al)]
struct Product<'a, T: ?Sized> {
    id: i32,
    name: &'a T,
}

fn save() {
    let all = products::table.select((products::id, products::name));
    let _ = Product::<str>::upsert_from(all);
}

fn main() {}

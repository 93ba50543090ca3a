#![deny(warnings)]

// As `upserts = { package = "upsert-core", .. }` in Cargo.toml does.
extern crate upsert_core as upserts;

mod upsert_core {
    //! Nothing of it is here.
}

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        seen -> Integer,
    }
}

#[derive(upserts::Upsertable)]
#[upsert(
    crate = upserts,
    update_all,
    target = id,
    target_where = seen.gt(0),
    set(seen = seen + 1),
    update_if = name.ne(excluded(name)),
)]
struct Product {
    id: i32,
    name: String,
}

#[derive(upserts::Upsertable)]
#[diesel(table_name = products)]
#[upsert(crate = crate::upserts, do_nothing)]
struct Id {
    id: i32,
}

fn main() {
    let _ = (Product { id: 1, name: String::new() }.id, Id { id: 1 }.id);
}

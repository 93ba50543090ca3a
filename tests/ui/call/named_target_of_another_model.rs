use upsert_core::{Upsertable, upsert};

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

diesel::table! {
    users (id) {
        id -> Integer,
        email -> Text,
    }
}

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    name: String,
}

#[derive(Upsertable)]
#[upsert(update_all, targets(by_email = email))]
struct User {
    id: i32,
    email: String,
}

fn save(products: &[Product]) {
    let _ = upsert(products).on_conflict(User::by_email());
}

fn main() {}

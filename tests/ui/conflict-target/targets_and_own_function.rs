use upsert_core::Upsertable;

diesel::table! {
    users (id) {
        id -> Integer,
        email -> Text,
    }
}

#[derive(Upsertable)]
#[upsert(update_all, targets(by_email = email))]
struct User {
    id: i32,
    email: String,
}

impl User {
    fn by_email() {}
}

fn main() {}

use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, targets(by_email = (email, email)))]
struct User {
    id: i32,
    email: String,
}

fn main() {}

use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, targets(by_email = address))]
struct User {
    id: i32,
    #[diesel(column_name = email)]
    address: String,
}

fn main() {}

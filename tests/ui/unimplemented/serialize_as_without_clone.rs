use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

struct Name;

impl From<Name> for String {
    fn from(_: Name) -> Self {
        Self::new()
    }
}

#[derive(Upsertable)]
#[upsert(update_all)]
struct Product {
    id: i32,
    #[diesel(serialize_as = String)]
    name: Name,
}

fn main() {}

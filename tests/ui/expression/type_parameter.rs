use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        kind -> Integer,
    }
}

trait Kind {
    const KIND: i32;
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(update_all, set(kind = K::KIND))]
struct Product<K: Kind> {
    id: i32,
    name: String,
    #[diesel(skip_insertion)]
    _kind: K,
}

fn main() {}

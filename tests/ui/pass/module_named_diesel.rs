/// The path `diesel` means this module here, and `upsert_core` the one below.
mod diesel {}
mod upsert_core {}

::diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

#[derive(::upsert_core::Upsertable)]
#[diesel(table_name = products)]
#[upsert(update_all)]
struct Product {
    id: i32,
    name: Option<String>,
}

fn main() {
    use ::diesel::connection::SimpleConnection as _;
    use ::diesel::{Connection as _, SqliteConnection};
    use ::upsert_core::Upsertable as _;

    let conn = &mut SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute("CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT DEFAULT 'n')")
        .unwrap();
    assert_eq!(
        Product {
            id: 1,
            name: None
        }
        .upsert(conn)
        .unwrap(),
        1
    );
}

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

#[derive(
    Debug, PartialEq, Insertable, Upsertable, AsChangeset, Queryable, Selectable, Identifiable,
)]
#[diesel(table_name = products, treat_none_as_null = true)]
#[diesel(check_for_backend(diesel::sqlite::Sqlite))]
#[upsert(update_all)]
struct Product {
    id: i32,
    name: String,
}

#[derive(Insertable, Upsertable, AsChangeset)]
#[diesel(table_name = products)]
#[diesel(primary_key(id))]
struct Borrowed<'a> {
    id: i32,
    #[diesel(embed)]
    rest: Rest<'a>,
}

#[derive(Insertable, Upsertable, AsChangeset)]
#[diesel(table_name = products)]
#[upsert(embedded)]
struct Rest<'a> {
    #[on_conflict(update)]
    name: &'a str,
}

fn main() {
    let conn = &mut connection();
    let product = Product {
        id: 1,
        name: "a".into(),
    };
    product.upsert(conn).unwrap();
    diesel::insert_into(products::table)
        .values(&Borrowed {
            id: 2,
            rest: Rest { name: "b" },
        })
        .execute(conn)
        .unwrap();
    Borrowed {
        id: 2,
        rest: Rest { name: "c" },
    }
    .upsert(conn)
    .unwrap();
    let rows: Vec<Product> = products::table
        .select(Product::as_select())
        .load(conn)
        .unwrap();
    assert_eq!(
        rows,
        [
            product,
            Product {
                id: 2,
                name: "c".into()
            }
        ]
    );
}

fn connection() -> SqliteConnection {
    let mut conn = SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute("CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        .unwrap();
    conn
}

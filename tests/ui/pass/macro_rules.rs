use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
    }
}

/// Fragments of every kind reach the derive in invisible groups.
macro_rules! model {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident<$lifetime:lifetime> in $table:path {
            $($field:ident: $ty:ty = $rule:ident,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Upsertable)]
        #[diesel(table_name = $table)]
        $vis struct $name<$lifetime> {
            id: i32,
            $(#[on_conflict($rule)] $field: $ty,)*
            #[diesel(skip_insertion)]
            _lifetime: std::marker::PhantomData<&$lifetime ()>,
        }
    };
}

model! {
    #[derive(Clone)]
    pub struct Product<'a> in products {
        name: &'a str = update,
    }
}

model! {
    struct Owned<'a> in crate::products {
        name: Option<String> = update,
    }
}

macro_rules! keyed {
    ($key:ty, $column:ident, $name:literal) => {
        #[derive(Upsertable)]
        #[diesel(table_name = products)]
        #[upsert(update_all)]
        struct Keyed {
            #[conflict_key(nullable)]
            #[diesel(column_name = $column)]
            key: $key,
            #[diesel(column_name = $name)]
            value: &'static str,
        }
    };
}

keyed!(Option<i32>, id, "name");

fn main() {
    let conn = &mut connection();
    let _lifetime = std::marker::PhantomData;
    Product {
        id: 1,
        name: "a",
        _lifetime,
    }
    .clone()
    .upsert(conn)
    .unwrap();
    Owned {
        id: 1,
        name: Some("b".into()),
        _lifetime,
    }
    .upsert(conn)
    .unwrap();
    Keyed {
        key: Some(1),
        value: "c",
    }
    .upsert(conn)
    .unwrap();
    let rows: Vec<(i32, String)> = products::table.load(conn).unwrap();
    assert_eq!(rows, [(1, "c".into())]);
}

fn connection() -> SqliteConnection {
    let mut conn = SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute("CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        .unwrap();
    conn
}

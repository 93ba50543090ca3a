use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        stock -> Integer,
        visits -> Integer,
        seen -> Integer,
    }
}

/// Fragments of every kind reach the derive in invisible groups.
macro_rules! model {
    (
        struct $name:ident in $table:path, by $key:ident as $target:ident {
            $($field:ident: $ty:ty = $rule:ident $(($value:expr))?,)*
        }
        set $set:ident = $to:expr,
        touch $touch:ident = $with:expr,
        if $guard:expr,
        newer $newer:ident,
        where $literal:literal,
    ) => {
        #[derive(Upsertable)]
        #[diesel(table_name = $table)]
        #[upsert(set($set = $to), touch($touch = $with), update_if = $guard)]
        #[upsert(newer_by = $newer, target_where = $newer.gt($literal))]
        #[upsert(targets($target = $key))]
        struct $name {
            #[conflict_key]
            $key: i32,
            $(#[on_conflict($rule $(= $value)?)] $field: $ty,)*
        }
    };
}

model! {
    struct Product in products, by id as by_number {
        name: &'static str = update,
        stock: i32 = add,
    }
    set visits = visits + 1,
    touch seen = products::seen + 1,
    if name.ne("none"),
    newer stock,
    where -1,
}

/// The sum is one factor.
macro_rules! doubled {
    ($name:ident: $sum:expr, $default:expr, $target:expr, $constraint:literal) => {
        #[derive(Upsertable)]
        #[diesel(table_name = products)]
        #[upsert(target = $target)]
        struct $name {
            id: i32,
            name: &'static str,
            #[on_conflict(set = $sum * 2)]
            #[on_insert(default = $default * 2)]
            stock: Option<i32>,
        }

        mod named {
            #[derive(upsert_core::Upsertable)]
            #[diesel(table_name = super::products)]
            #[upsert(constraint = $constraint, update_all)]
            #[allow(dead_code)]
            struct Named {
                name: &'static str,
            }
        }
    };
}

doubled!(Doubled: stock + visits, 3 + 4, (id), "products_name_key");

fn main() {
    let conn = &mut SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute(
        "CREATE TABLE products (
            id INTEGER PRIMARY KEY, name TEXT NOT NULL, stock INTEGER NOT NULL,
            visits INTEGER NOT NULL DEFAULT 0, seen INTEGER NOT NULL DEFAULT 0
        );
        CREATE UNIQUE INDEX target ON products (id) WHERE stock > -1;",
    )
    .unwrap();
    let product = |name, stock| Product { id: 1, name, stock };
    assert_eq!(product("a", 1).upsert(conn).unwrap(), 1);
    assert_eq!(product("b", 2).upsert(conn).unwrap(), 1);
    assert_eq!(product("c", 2).upsert(conn).unwrap(), 0);
    let _: products::id = Product::by_number();
    let doubled = |id, stock| Doubled {
        id,
        name: "d",
        stock,
    };
    assert_eq!(doubled(1, Some(9)).upsert(conn).unwrap(), 1);
    assert_eq!(doubled(2, None).upsert(conn).unwrap(), 1);
    let rows: Vec<(i32, String, i32, i32, i32)> = products::table.load(conn).unwrap();
    assert_eq!(rows, [(1, "b".into(), 8, 1, 1), (2, "d".into(), 14, 0, 0)]);
}

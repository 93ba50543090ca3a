use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::Upsertable;

/// Columns that are named as what generated code or expressions use.
mod schema {
    diesel::table! {
        products (id) {
            id -> Integer,
            excluded -> Integer,
            index -> Integer,
            column -> Integer,
            literal -> Integer,
            assigned -> Integer,
            condition -> Integer,
            into -> Integer,
            table_name -> Integer,
            at -> Integer,
        }
    }
}

/// Names that generated code could pick up by accident.
#[allow(dead_code, non_camel_case_types, unused_macros)]
mod model {
    use super::schema;

    struct Vec;
    struct String;
    struct Box;
    enum Option {
        Some,
        None,
    }
    #[allow(unused_imports)]
    use Option::{None, Some};
    trait Sized {}
    trait Send {}
    trait Fields {}
    trait BindFields {}
    trait Upsertable {}
    trait Dialect {}
    trait AsFragment {}
    trait NoFragment {}
    struct Expressions;
    struct Fragment;
    struct Written;
    struct Rule;
    struct ColumnDef;
    struct NewerBy;
    struct TargetDef;
    struct usize;
    struct str;
    struct bool;
    mod core {}
    mod std {}
    mod upsert_core {}
    fn assigned() {}
    fn condition() {}
    fn target_part() {}
    fn predicate() {}
    fn literal() {}
    fn check_rule() {}
    macro_rules! unreachable {
        ($($t:tt)*) => {
            compile_error!("shadowed")
        };
    }
    macro_rules! on_each_backend {
        ($($t:tt)*) => {
            compile_error!("shadowed")
        };
    }

    #[derive(::upsert_core::Upsertable)]
    #[diesel(table_name = schema::products)]
    #[upsert(set(literal = literal + 1), touch(assigned = assigned + condition))]
    #[upsert(update_if = into.eq(excluded(into)), newer_by = at, skip_unchanged)]
    #[upsert(target_where = index.gt(-1), targets(index = index))]
    pub(super) struct Product {
        #[conflict_key]
        pub(super) id: i32,
        pub(super) excluded: i32,
        #[on_conflict(set = index + excluded(index))]
        pub(super) index: i32,
        #[on_conflict(set = excluded(schema::products::excluded) + column)]
        pub(super) column: i32,
        pub(super) condition: i32,
        pub(super) into: i32,
        #[on_conflict(touch = table_name + 1)]
        #[on_insert(default = self.at)]
        pub(super) table_name: ::core::option::Option<i32>,
        #[on_conflict(max)]
        pub(super) at: i32,
    }
}

fn main() {
    let conn = &mut SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute(
        "CREATE TABLE products (
            id INTEGER, excluded INTEGER, `index` INTEGER, `column` INTEGER,
            literal INTEGER DEFAULT 0, assigned INTEGER DEFAULT 0, condition INTEGER,
            `into` INTEGER, table_name INTEGER, at INTEGER
        );
        CREATE UNIQUE INDEX target ON products (id) WHERE `index` > -1;",
    )
    .unwrap();
    let product = |at| model::Product {
        id: 1,
        excluded: 2,
        index: 3,
        column: 4,
        condition: 5,
        into: 6,
        table_name: None,
        at,
    };
    assert_eq!(product(1).upsert(conn).unwrap(), 1);
    assert_eq!(product(2).upsert(conn).unwrap(), 1);
    let _ = model::Product::index();
    let row: (i32, i32, i32, i32, i32) = schema::products::table
        .select((
            schema::products::index,
            schema::products::column,
            schema::products::literal,
            schema::products::assigned,
            schema::products::table_name,
        ))
        .first(conn)
        .unwrap();
    assert_eq!(row, (6, 6, 1, 5, 1));
}

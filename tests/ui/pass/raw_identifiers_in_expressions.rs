use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::Upsertable;

diesel::table! {
    r#types (r#type) {
        r#type -> Integer,
        r#gen -> Text,
        #[sql_name = "match"]
        r#match -> Integer,
        r#fn -> Integer,
        r#let -> Integer,
    }
}

#[derive(Upsertable)]
#[diesel(table_name = r#types)]
#[upsert(set(r#fn = r#fn + r#match), touch(r#let = r#types::r#let + 1))]
#[upsert(update_if = r#gen.ne(excluded(r#gen)), not_older_by = r#match)]
#[upsert(targets(r#as = r#type, by_both = (type, r#gen)))]
struct r#Type<'r#as> {
    #[conflict_key]
    r#type: i32,
    #[on_conflict(set = r#gen.concat(excluded(r#gen)))]
    r#gen: &'r#as str,
    #[on_conflict(add)]
    #[on_insert(default = self.r#type)]
    r#match: Option<i32>,
}

fn main() {
    let conn = &mut SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute(
        "CREATE TABLE types (
            type INTEGER PRIMARY KEY, gen TEXT NOT NULL, `match` INTEGER NOT NULL,
            fn INTEGER NOT NULL DEFAULT 1, let INTEGER NOT NULL DEFAULT 1
        )",
    )
    .unwrap();
    let row = |r#gen, r#match| r#Type {
        r#type: 2,
        r#gen,
        r#match,
    };
    assert_eq!(row("a", None).upsert(conn).unwrap(), 1);
    assert_eq!(row("b", Some(3)).upsert(conn).unwrap(), 1);
    let _: (r#types::r#type, r#types::r#gen) = r#Type::by_both();
    let _: r#types::r#type = r#Type::r#as();
    let rows: Vec<(i32, String, i32, i32, i32)> = r#types::table.load(conn).unwrap();
    assert_eq!(rows, [(2, "ab".into(), 5, 3, 2)]);
}

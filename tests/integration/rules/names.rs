//! Names that need quotes.

use super::*;

diesel::table! {
    #[sql_name = "odd \"table` %s"]
    odd_names (id) {
        #[sql_name = "key"]
        id -> Integer,
        #[sql_name = "word\"; --"]
        word -> Nullable<Text>,
        #[sql_name = "select"]
        sum -> Nullable<Integer>,
        #[sql_name = "Größe` ?"]
        size -> Nullable<Integer>,
        #[sql_name = "excluded"]
        note -> Nullable<Text>,
        #[sql_name = "VALUES"]
        seen -> Integer,
    }
}

#[derive(Debug, Upsertable)]
#[diesel(table_name = odd_names)]
#[upsert(not_older_by = size, skip_unchanged, set(note = word.concat(excluded(word))))]
struct OddName {
    id: i32,
    #[on_conflict(coalesce)]
    word: Option<&'static str>,
    #[on_conflict(add)]
    sum: Option<i32>,
    #[on_conflict(max)]
    size: Option<i32>,
    #[on_conflict(touch = seen + 1)]
    seen: i32,
}

on_every_database! {
    #[test]
    fn names_that_need_quotes(database) {
        let quote = |name: &str| match system::SYSTEM {
            #[cfg(feature = "mysql")]
            System::Mysql => format!("`{}`", name.replace('`', "``")),
            _ => format!("\"{}\"", name.replace('"', "\"\"")),
        };
        database.run(&format!(
            "CREATE TABLE {} ({} INTEGER NOT NULL PRIMARY KEY, {} VARCHAR(20), {} INTEGER, \
             {} INTEGER, {} VARCHAR(40), {} INTEGER NOT NULL)",
            quote("odd \"table` %s"),
            quote("key"),
            quote("word\"; --"),
            quote("select"),
            quote("Größe` ?"),
            quote("excluded"),
            quote("VALUES"),
        ));
        let conn = &mut database.conn;
        let row = |word, sum, size| OddName { id: 1, word, sum, size, seen: 0 };
        let rows = [
            row(Some("a"), Some(1), None),
            row(None, Some(2), Some(1)),
            row(Some("b"), Some(4), Some(0)),
            row(Some("c"), Some(8), Some(1)),
            // The note would be another one.
            row(Some("c"), None, Some(1)),
            row(Some("c"), None, Some(1)),
        ];
        for chunk_size in [1, 2, 100] {
            diesel::delete(odd_names::table).execute(conn).unwrap();
            assert_eq!(wait(upsert(&rows).chunk_size(chunk_size).execute(conn)).unwrap(), 4);
            let row: (i32, Option<String>, Option<i32>, Option<i32>, Option<String>, i32) =
                odd_names::table.first(conn).unwrap();
            let text = |text: &str| Some(text.to_owned());
            assert_eq!(row, (1, text("c"), Some(11), Some(1), text("cc"), 3));
        }
    }
}

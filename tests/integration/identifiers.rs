//! Names that look like SQL, or like what a driver replaces: they are names, in every
//! statement of a call. `outcome_hazards/names.rs` and `rules/names.rs` have others.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::{Action, Change, Strategy};

use crate::api::{COPIES, Upsertable, upsert, wait};
use crate::support::{System, on_every_database};

fn quote(system: System, name: &str) -> String {
    match system {
        #[cfg(feature = "mysql")]
        System::Mysql => format!("`{}`", name.replace('`', "``")),
        _ => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// A table of this name, with a key of that name, and other columns that are named as badly.
macro_rules! named {
    ($name:ident, $table:literal, $key:literal) => {
        mod $name {
            use super::*;

            diesel::table! {
                #[sql_name = $table]
                names (id) {
                    #[sql_name = $key]
                    id -> VarChar,
                    #[sql_name = "); DROP TABLE guard; --"]
                    statement -> Integer,
                    #[sql_name = "x' OR '1'='1"]
                    text -> Integer,
                    #[sql_name = "$1"]
                    dollar -> Integer,
                    #[sql_name = "?1 ? ??"]
                    question -> Integer,
                    #[sql_name = ":x @upsert_number %s %(a)s {0}"]
                    colon -> Integer,
                    #[sql_name = "two\nlines\r\n\tand \\ \\n"]
                    lines -> Integer,
                    #[sql_name = "/* */ # -- -"]
                    comment -> Integer,
                    #[sql_name = "user"]
                    user -> Integer,
                    #[sql_name = "excluded"]
                    proposed -> Integer,
                    #[sql_name = "\"\"`` ]"]
                    quotes -> Integer,
                    // 63 bytes, the most of PostgreSQL.
                    #[sql_name = "ééééééééééééééééééééééééééééééé."]
                    long -> Integer,
                    #[sql_name = "upsert_row"]
                    own -> Integer,
                }
            }

            #[derive(Debug, Clone, upsert_core::Upsertable)]
            #[diesel(table_name = names)]
            #[upsert(update_all, skip_unchanged, update_if = text.ne(99))]
            struct Item {
                #[conflict_key]
                id: String,
                statement: i32,
                text: i32,
                dollar: i32,
                #[on_conflict(max)]
                question: i32,
                colon: i32,
                #[on_conflict(add)]
                lines: i32,
                comment: i32,
                user: i32,
                #[on_conflict(set = proposed + excluded(proposed))]
                proposed: i32,
                quotes: i32,
                long: i32,
                own: i32,
            }

            fn item(id: &str, i: i32) -> Item {
                Item {
                    id: id.to_owned(),
                    statement: i,
                    text: i,
                    dollar: i,
                    question: i,
                    colon: i,
                    lines: i,
                    comment: i,
                    user: i,
                    proposed: i,
                    quotes: i,
                    long: i,
                    own: i,
                }
            }

            type Row = (
                String,
                (i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32),
            );

            fn row(id: &str, i: i32, sum: i32) -> Row {
                (id.to_owned(), (i, i, i, i, i, sum, i, i, sum, i, i, i))
            }

            fn stored(conn: &mut Conn) -> Vec<Row> {
                let columns = (
                    names::statement,
                    names::text,
                    names::dollar,
                    names::question,
                    names::colon,
                    names::lines,
                    names::comment,
                    names::user,
                    names::proposed,
                    names::quotes,
                    names::long,
                    names::own,
                );
                let rows = names::table.select((names::id, columns)).order(names::id);
                rows.load(conn).unwrap()
            }

            pub(super) fn check(conn: &mut Conn) {
                let quote = |name: &str| quote(system::SYSTEM, name);
                let columns = [
                    "); DROP TABLE guard; --",
                    "x' OR '1'='1",
                    "$1",
                    "?1 ? ??",
                    ":x @upsert_number %s %(a)s {0}",
                    "two\nlines\r\n\tand \\ \\n",
                    "/* */ # -- -",
                    "user",
                    "excluded",
                    "\"\"`` ]",
                    "ééééééééééééééééééééééééééééééé.",
                    "upsert_row",
                ];
                let create = |name: &str| format!("{} INTEGER NOT NULL", quote(name));
                let columns: Vec<_> = columns.map(create).into();
                conn.batch_execute(&format!(
                    "CREATE TABLE guard (id INTEGER NOT NULL PRIMARY KEY); \
                     INSERT INTO guard (id) VALUES (1); \
                     CREATE TABLE {} ({} VARCHAR(20) NOT NULL PRIMARY KEY, {})",
                    quote($table),
                    quote($key),
                    columns.join(", "),
                ))
                .unwrap();
                let found = wait(Item::verify(conn)).unwrap();
                assert!(found.is_ok(), "{found}");

                let rows = [item("b", 2), item("a", 1), item("b", 3)];
                let mut strategies = vec![Strategy::Values];
                if system::SYSTEM.is_postgres() {
                    strategies.push(Strategy::Unnest);
                    strategies.extend(COPIES.then_some(Strategy::Copy));
                }
                let begin = |conn: &mut Conn| {
                    diesel::delete(names::table).execute(conn).unwrap();
                    wait(item("a", 5).upsert(conn)).unwrap();
                };
                for chunk_size in [1, 10] {
                    for strategy in &strategies {
                        begin(conn);
                        let call = upsert(&rows).chunk_size(chunk_size).strategy(*strategy);
                        assert_eq!(wait(call.execute(conn)).unwrap(), 3);
                        let mut a = row("a", 1, 6);
                        a.1.3 = 5;
                        assert_eq!(stored(conn), [a, row("b", 3, 5)], "{strategy}");
                    }
                    let call = || upsert(&rows).chunk_size(chunk_size);
                    let actions = [Action::Inserted, Action::Updated, Action::Updated];
                    begin(conn);
                    assert_eq!(wait(call().outcome(conn)).unwrap().actions(), actions);
                    begin(conn);
                    let columns = (names::id, names::statement, names::lines);
                    let told: Vec<Change<(String, i32, i32)>> =
                        wait(call().returning_old(columns).get_results(conn)).unwrap();
                    let new: Vec<_> = told
                        .iter()
                        .map(|it| (&*it.new.0, it.new.1, it.new.2))
                        .collect();
                    assert_eq!(new, [("b", 2, 2), ("a", 1, 6), ("b", 3, 5)]);
                    begin(conn);
                    let get = call().do_nothing().returning((names::id, names::comment));
                    let got: Vec<(String, i32)> = wait(get.get_results(conn)).unwrap();
                    let got: Vec<_> = got.iter().map(|(id, i)| (&**id, *i)).collect();
                    assert_eq!(got, [("b", 2), ("a", 5), ("b", 2)]);
                }
                // What is no such table, or has no such index, is said with its name.
                let sql = format!("DROP TABLE {}", quote($table));
                conn.batch_execute(&sql).unwrap();
                let error = wait(upsert(&rows).execute(conn)).unwrap_err();
                assert!(error.to_string().contains($table), "{error}");
                assert!(!wait(Item::verify(conn)).unwrap().is_ok());
                // Nothing but the table is gone.
                let guard =
                    diesel::dsl::sql::<diesel::sql_types::BigInt>("(SELECT COUNT(*) FROM guard)");
                assert_eq!(diesel::select(guard).get_result::<i64>(conn).unwrap(), 1);
            }
        }
    };
}

on_every_database! {
    shared {
        named!(statements, "x'\"`); DROP TABLE guard; --", "id\"` = 1; DELETE FROM guard; --");
        named!(placeholders, "$1 ? :x %s\n@t \\", "ééééééééééééééééééééééééééééééé$");
        named!(words, "user", "select");

        mod refused {
            diesel::table! {
                #[sql_name = ""]
                empty (id) { id -> Integer, name -> Integer, }
            }
            diesel::table! {
                #[sql_name = "nul\0"]
                nul (id) { id -> Integer, name -> Integer, }
            }

            diesel::table! {
                #[sql_name = "nul"]
                plain (id) { id -> Integer, name -> Integer, }
            }

            #[derive(Debug, upsert_core::Upsertable)]
            #[diesel(table_name = plain)]
            #[upsert(update_all)]
            pub(super) struct Plain {
                pub(super) id: i32,
                pub(super) name: i32,
            }

            #[derive(Debug, upsert_core::Upsertable)]
            #[diesel(table_name = empty)]
            #[upsert(update_all)]
            pub(super) struct Empty {
                pub(super) id: i32,
                pub(super) name: i32,
            }

            #[derive(Debug, upsert_core::Upsertable)]
            #[diesel(table_name = nul)]
            #[upsert(update_all)]
            pub(super) struct Nul {
                pub(super) id: i32,
                pub(super) name: i32,
            }
        }
    }

    #[test]
    fn names_that_look_like_statements(database) {
        statements::check(&mut database.conn);
    }

    #[test]
    fn names_that_look_like_placeholders(database) {
        placeholders::check(&mut database.conn);
    }

    #[test]
    fn names_that_are_words(database) {
        words::check(&mut database.conn);
    }

    /// A token stands in the text of its statement.
    #[test]
    fn tokens_that_look_like_statements(database) {
        database.run("CREATE TABLE nul (id INTEGER NOT NULL PRIMARY KEY, name INTEGER NOT NULL)");
        database.run(<<Conn as Connection>::Backend as upsert_core::Dialect>::CREATE_TOKENS);
        let conn = &mut database.conn;
        let mut total = 0;
        for token in [
            "x'); DELETE FROM nul; --",
            "x\\'); DELETE FROM nul; --",
            "\\",
            "$1 ? :x %s",
            "two\nlines",
            "nul\0'); DELETE FROM nul; --",
        ] {
            let row = refused::Plain { id: total, name: 1 };
            let call = upsert([row]).idempotency_token(token);
            match wait(call.execute(conn)) {
                Ok(written) => assert_eq!(written, 1),
                // Only MySQL takes it.
                Err(error) => {
                    assert!(token.contains('\0'), "{error:?}");
                    continue;
                }
            }
            total += 1;
            let row = refused::Plain { id: 100, name: 1 };
            let again = upsert([row]).idempotency_token(token);
            assert_eq!(wait(again.execute(conn)).unwrap(), 0, "{token}");
        }
        let count = diesel::dsl::sql::<diesel::sql_types::BigInt>("(SELECT COUNT(*) FROM nul)");
        assert_eq!(diesel::select(count).get_result::<i64>(conn).unwrap(), i64::from(total));
    }

    #[test]
    fn names_that_no_table_has(database) {
        database.run("CREATE TABLE nul (id INTEGER NOT NULL PRIMARY KEY, name INTEGER NOT NULL)");
        let conn = &mut database.conn;
        assert!(wait(refused::Empty { id: 1, name: 1 }.upsert(conn)).is_err());
        // A name ends nowhere else than where it ends.
        assert!(wait(refused::Nul { id: 1, name: 1 }.upsert(conn)).is_err());
        let count = diesel::dsl::sql::<diesel::sql_types::BigInt>("(SELECT COUNT(*) FROM nul)");
        assert_eq!(diesel::select(count).get_result::<i64>(conn).unwrap(), 0);
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    use super::*;
    use crate::support::postgres::TestDatabase;

    diesel::table! {
        goods (id) {
            id -> Integer,
            name -> Integer,
        }
    }

    #[derive(Debug, upsert_core::Upsertable)]
    #[diesel(table_name = goods)]
    #[upsert(update_all, constraint = "key\"; DROP TABLE goods; -- $1 ? é")]
    struct Good {
        #[conflict_key]
        id: i32,
        name: i32,
    }

    #[derive(Debug, upsert_core::Upsertable)]
    #[diesel(table_name = goods)]
    #[upsert(update_all)]
    struct Plain {
        #[conflict_key]
        id: i32,
        name: i32,
    }

    #[test]
    fn constraints() {
        let mut database = TestDatabase::new();
        let name = "key\"; DROP TABLE goods; -- $1 ? é";
        let create = |name: &str| {
            let name = quote(System::Postgres, name);
            format!(
                "CREATE TABLE goods (id INTEGER NOT NULL, name INTEGER NOT NULL, \
                 CONSTRAINT {name} UNIQUE (id))"
            )
        };
        database.run(&create(name));
        let conn = &mut database.conn;
        let rows = |name| [1, 2].map(|id| Good { id, name });
        for (value, strategy) in [(1, Strategy::Values), (2, Strategy::Unnest)] {
            let call = upsert(rows(value));
            assert_eq!(wait(call.strategy(strategy).execute(conn)).unwrap(), 2);
        }
        assert_eq!(wait(upsert(rows(3)).outcome(conn)).unwrap().updated(), 2);
        let found = wait(Good::verify(conn)).unwrap();
        assert_eq!(found.index.as_deref(), Some(name), "{found}");
        let chosen =
            upsert([Plain { id: 1, name: 9 }]).on_conflict(upsert_core::on_constraint(name));
        assert_eq!(wait(chosen.execute(conn)).unwrap(), 1);

        database.run("DROP TABLE goods");
        database.run(&create("other"));
        let conn = &mut database.conn;
        let error = wait(upsert(rows(1)).execute(conn)).unwrap_err();
        assert!(
            matches!(error, upsert_core::Error::NoUniqueIndex { .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains(name), "{error}");
        let chosen =
            upsert([Plain { id: 1, name: 9 }]).on_conflict(upsert_core::on_constraint(name));
        assert!(wait(chosen.execute(conn)).is_err());
        assert_eq!(goods::table.count().get_result(conn), Ok(0_i64));
    }

    diesel::table! {
        // PostgreSQL cuts it after 63 bytes, in the middle of a character.
        #[sql_name = "tooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooéééé"]
        long (id) {
            #[sql_name = " id "]
            id -> Integer,
            #[sql_name = "cooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooéééé"]
            name -> Integer,
        }
    }

    #[derive(Debug, upsert_core::Upsertable)]
    #[diesel(table_name = long)]
    #[upsert(update_all)]
    struct Long {
        id: i32,
        name: i32,
    }

    #[test]
    fn names_that_are_cut() {
        let mut database = TestDatabase::new();
        database.run(
            "SET client_min_messages = warning; CREATE TABLE \
             \"tooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooéééé\" \
             (\" id \" INTEGER PRIMARY KEY, \
             \"cooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooéééé\" INTEGER NOT NULL)",
        );
        let conn = &mut database.conn;
        for name in [1, 2] {
            assert_eq!(wait(Long { id: 1, name }.upsert(conn)).unwrap(), 1);
        }
        assert_eq!(long::table.select(long::name).load(conn), Ok(vec![2]));
    }
}

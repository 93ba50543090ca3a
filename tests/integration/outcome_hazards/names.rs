//! Names that the statements of a call use themselves, or can hardly quote.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::{Action, Change};

use crate::api::{upsert, wait};
use crate::support::{System, on_every_database};

use Action::{Inserted, Skipped, Unchanged, Updated};

type Row = (String, i32);

fn quote(system: System, name: &str) -> String {
    match system {
        #[cfg(feature = "postgres")]
        System::Postgres => format!("\"{}\"", name.replace('"', "\"\"")),
        _ => format!("`{}`", name.replace('`', "``")),
    }
}

/// A table of these names, with all that a call can be asked.
macro_rules! named {
    ($name:ident, $in:tt, $table:literal ($k:literal, $v:literal)) => {
        mod $name {
            use super::*;

            named!(@table $in $table ($k, $v));
            use self::names::dsl::names as table;

            #[derive(Debug, Clone, upsert_core::Upsertable)]
            #[diesel(table_name = names)]
            #[upsert(update_if = v.ne(99))]
            struct Item {
                #[conflict_key]
                k: &'static str,
                #[on_conflict(update)]
                v: i32,
            }

            pub(super) fn check(conn: &mut Conn) {
                let quote = |name| quote(system::SYSTEM, name);
                let name = format!("{}{}", named!(@schema $in), quote($table));
                conn.batch_execute(&format!(
                    "CREATE TABLE {name} ({} INTEGER NOT NULL, {} VARCHAR(20) NOT NULL UNIQUE)",
                    quote($v),
                    quote($k),
                ))
                .unwrap();
                let row = |(key, value): (&str, i32)| (key.to_owned(), value);
                let rows = [("b", 2), ("a", 1), ("b", 3), ("z", 1), ("b", 3)]
                    .map(|(k, v)| Item { k, v });
                let begin = |conn: &mut Conn| {
                    diesel::delete(table).execute(conn).unwrap();
                    let rows = [Item { k: "a", v: 5 }, Item { k: "z", v: 99 }];
                    wait(upsert(&rows).execute(conn)).unwrap();
                };
                for chunk_size in [1, 100] {
                    let call = || upsert(&rows).chunk_size(chunk_size).skip_unchanged(true);
                    let after = [("a", 1), ("b", 3), ("z", 99)].map(row);
                    let stored = |conn: &mut Conn| -> Vec<Row> {
                        table.select((names::k, names::v)).order(names::k).load(conn).unwrap()
                    };
                    let actions = [Inserted, Updated, Updated, Skipped, Unchanged];
                    let new = [("b", 2), ("a", 1), ("b", 3), ("z", 99), ("b", 3)].map(row);

                    begin(conn);
                    assert_eq!(wait(call().outcome(conn)).unwrap().actions(), actions);
                    assert_eq!(stored(conn), after);

                    begin(conn);
                    let told: Vec<(Action, Row)> =
                        wait(call().returning((names::k, names::v)).outcome(conn)).unwrap();
                    assert_eq!(told, std::array::from_fn::<_, 5, _>(|i| (actions[i], new[i].clone())));
                    assert_eq!(stored(conn), after);

                    begin(conn);
                    let told: Vec<Change<Row>> =
                        wait(call().returning_old((names::k, names::v)).get_results(conn)).unwrap();
                    let old = [None, Some(("a", 5)), Some(("b", 2)), Some(("z", 99)), Some(("b", 3))];
                    let expected = std::array::from_fn::<_, 5, _>(|i| Change {
                        action: actions[i],
                        old: old[i].map(row),
                        new: new[i].clone(),
                    });
                    assert_eq!(told, expected);
                    assert_eq!(stored(conn), after);

                    begin(conn);
                    let call = call().do_nothing().returning((names::k, names::v));
                    let told: Vec<Row> = wait(call.get_results(conn)).unwrap();
                    assert_eq!(told, [("b", 2), ("a", 5), ("b", 2), ("z", 99), ("b", 2)].map(row));
                    assert_eq!(stored(conn), [("a", 5), ("b", 2), ("z", 99)].map(row));
                }
            }
        }
    };
    (@table (here) $table:literal ($k:literal, $v:literal)) => {
        diesel::table! {
            #[sql_name = $table]
            names (k) {
                #[sql_name = $v]
                v -> Integer,
                #[sql_name = $k]
                k -> Text,
            }
        }
    };
    (@table (schema) $table:literal ($k:literal, $v:literal)) => {
        diesel::table! {
            #[sql_name = $table]
            upsert_hazards.names (k) {
                #[sql_name = $v]
                v -> Integer,
                #[sql_name = $k]
                k -> Text,
            }
        }
    };
    (@schema (here)) => { "" };
    (@schema (schema)) => { "upsert_hazards." };
}

on_every_database! {
    shared {
        named!(upsert_rows, (here), "upsert_rows" ("upsert_row", "c0"));
        named!(upsert_values, (here), "upsert_values" ("column1", "column2"));
        named!(upsert_keys, (here), "upsert_keys" ("upsert_key0", "upsert_row"));
        named!(odd, (here), "Order \"Items\" `Größe`, select" ("a.b; -- $1 ?", "na`me \"x\""));
        named!(words, (here), "table" ("select", "values"));
        named!(odd_elsewhere, (schema), "It's a `\"table\"`" ("`\"id\"`", "upsert rows"));
        named!(rows_elsewhere, (schema), "upsert_rows" ("k", "v"));

        /// The schema `upsert_hazards`, which nobody else has at the time.
        struct Schema(Conn);

        impl Schema {
            fn create(database: &mut system::TestDatabase) -> Self {
                #[allow(unused_mut)] // SQLite does without
                let mut conn = database.connect();
                match system::SYSTEM {
                    System::Sqlite => database.run("ATTACH ':memory:' AS upsert_hazards"),
                    #[cfg(feature = "postgres")]
                    System::Postgres => conn
                        .batch_execute(
                            "SELECT pg_advisory_lock(7812); SET client_min_messages = warning; \
                             DROP SCHEMA IF EXISTS upsert_hazards CASCADE; \
                             CREATE SCHEMA upsert_hazards",
                        )
                        .unwrap(),
                    #[cfg(feature = "mysql")]
                    System::Mysql => conn
                        .batch_execute(
                            "DO GET_LOCK('upsert_hazards', 60); \
                             DROP DATABASE IF EXISTS upsert_hazards; \
                             CREATE DATABASE upsert_hazards CHARACTER SET utf8mb4",
                        )
                        .unwrap(),
                }
                Self(conn)
            }
        }

        impl Drop for Schema {
            fn drop(&mut self) {
                match system::SYSTEM {
                    System::Sqlite => {}
                    #[cfg(feature = "postgres")]
                    System::Postgres => {
                        let _ = self.0.batch_execute("DROP SCHEMA upsert_hazards CASCADE");
                    }
                    #[cfg(feature = "mysql")]
                    System::Mysql => {
                        let _ = self.0.batch_execute("DROP DATABASE upsert_hazards");
                    }
                }
            }
        }
    }

    #[test]
    fn the_names_of_the_numbered_rows(database) {
        upsert_rows::check(&mut database.conn);
    }

    #[test]
    fn the_names_of_the_values(database) {
        upsert_values::check(&mut database.conn);
    }

    #[test]
    fn the_names_of_the_keys(database) {
        upsert_keys::check(&mut database.conn);
    }

    #[test]
    fn names_that_are_no_words(database) {
        odd::check(&mut database.conn);
        words::check(&mut database.conn);
    }

    #[test]
    fn a_table_in_a_schema(database) {
        let schema = Schema::create(&mut database);
        // One of that name that is not meant.
        database.run("CREATE TABLE upsert_rows (k VARCHAR(20) UNIQUE, v INTEGER)");
        odd_elsewhere::check(&mut database.conn);
        rows_elsewhere::check(&mut database.conn);
        drop(schema);
    }
}

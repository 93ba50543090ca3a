//! What the test suites of the databases say of rules and conflict targets,
//! retold as calls.
//!
//! The numbers are those of a list of scenarios taken from them: T1 to T21 are
//! PostgreSQL's `insert_conflict`, T32 to T49 SQLite's `upsert1` to `upsert5`
//! and `returning1`, T50 to T60 MySQL's `insert_update`. Where another database
//! can do the same, it is tested there too.
//!
//! These do not apply:
//!
//! | scenario | reason |
//! |---|---|
//! | T3 `DO UPDATE` without a target | cannot be written: a model has a conflict target |
//! | T4 `EXCLUDED` in `RETURNING` | there is no `returning` |
//! | T5 misspelt columns | do not compile |
//! | T6 an alias of the target table | cannot be written |
//! | T13 system columns of `EXCLUDED` | do not compile: `table!` has none |
//! | T32 `DO NOTHING` without a target | cannot be written; `t32` tests what happens instead |
//! | T33 `COLLATE` in the target | cannot be written; `t33` tests the rest |
//! | T38 several conflict clauses | cannot be written |
//! | T39 `REPLACE`, repeated clauses | cannot be written |
//! | T41 `OR FAIL` | cannot be written |
//! | T45 to T47 `RETURNING` | there is no `returning` |
//! | T53 `REPLACE` | cannot be written |
//! | T57 `LAST_INSERT_ID(id)` | returns an id: there is no `returning` |
//! | T59 `IGNORE` | is never written; that NULL does not become 0 is tested as `t59` |

use diesel::define_sql_function;
use diesel::prelude::*;
use diesel::sql_types::{Integer, Nullable, Text};
use upsert_core::{Error, excluded};

use crate::api::{Upsertable, upsert, wait};
use crate::support::{Random, System, on_every_database};

diesel::table! {
    fruits (key) {
        key -> Integer,
        fruit -> Nullable<Text>,
        v -> Integer,
    }
}

type FruitRow = (i32, Option<String>, i32);

fn create_fruits(constraints: &str) -> String {
    format!(
        "CREATE TABLE fruits (`key` INTEGER NOT NULL, fruit VARCHAR(20), \
         v INTEGER NOT NULL{constraints})"
    )
}

/// The column's name is a word of MySQL's.
fn in_words_of(system: System, sql: &str) -> String {
    match system {
        #[cfg(feature = "postgres")]
        System::Postgres => sql.replace('`', "\""),
        _ => sql.to_owned(),
    }
}

fn is_mysql(system: System) -> bool {
    match system {
        #[cfg(feature = "mysql")]
        System::Mysql => true,
        _ => false,
    }
}

fn fruit(key: i32, fruit: &str, v: i32) -> FruitRow {
    (key, Some(fruit.to_owned()), v)
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = fruits)]
struct ByKey {
    #[conflict_key]
    key: i32,
    #[on_conflict(update)]
    fruit: Option<&'static str>,
    #[on_conflict(update)]
    v: i32,
}

const fn by_key(key: i32, fruit: &'static str, v: i32) -> ByKey {
    ByKey {
        key,
        fruit: Some(fruit),
        v,
    }
}

/// The key's columns are not in the order of the index.
#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = fruits)]
struct ByBoth {
    #[conflict_key(nullable)]
    fruit: Option<&'static str>,
    #[on_conflict(update)]
    v: i32,
    #[conflict_key]
    key: i32,
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = fruits)]
#[upsert(do_nothing)]
struct NewByKey {
    #[conflict_key]
    key: i32,
    fruit: Option<&'static str>,
    v: i32,
}

diesel::table! {
    three (a) {
        a -> Integer,
        b -> Integer,
        c -> Integer,
        v -> Integer,
    }
}

type ThreeRow = (i32, i32, i32, i32);

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = three)]
struct Three {
    #[conflict_key]
    a: i32,
    b: i32,
    c: i32,
    #[on_conflict(update)]
    v: i32,
}

const fn three((a, b, c, v): ThreeRow) -> Three {
    Three { a, b, c, v }
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = three)]
#[upsert(update_all)]
struct WholeThree {
    #[conflict_key]
    a: i32,
    b: i32,
    c: i32,
    v: i32,
}

const fn whole_three((a, b, c, v): ThreeRow) -> WholeThree {
    WholeThree { a, b, c, v }
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = three)]
#[upsert(do_nothing)]
struct NewThree {
    #[conflict_key]
    a: i32,
    b: i32,
    c: i32,
    v: i32,
}

const CREATE_THREE: &str = "CREATE TABLE three (a INTEGER NOT NULL PRIMARY KEY, \
     b INTEGER NOT NULL UNIQUE, c INTEGER NOT NULL DEFAULT 0, v INTEGER NOT NULL DEFAULT 0)";

diesel::table! {
    counters (name) {
        name -> Text,
        b -> Integer,
    }
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = counters)]
#[upsert(set(b = b + 1))]
struct Counter {
    #[conflict_key]
    name: &'static str,
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = counters)]
struct Greatest {
    #[conflict_key]
    name: &'static str,
    #[on_conflict(max)]
    b: i32,
}

/// Its name is that of the proposed row.
mod named_excluded {
    diesel::table! {
        excluded (id) {
            id -> Integer,
            v -> Integer,
            w -> Integer,
        }
    }

    #[derive(Debug, upsert_core::Upsertable)]
    #[diesel(table_name = excluded)]
    pub(super) struct Row {
        #[conflict_key]
        pub(super) id: i32,
        #[on_conflict(update)]
        pub(super) v: i32,
        #[on_conflict(add)]
        pub(super) w: i32,
    }
}

diesel::table! {
    texts (id) {
        id -> Integer,
        y -> Text,
    }
}

diesel::table! {
    journal (old) {
        old -> Integer,
    }
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = texts)]
#[upsert(update_all)]
struct LongText {
    id: i32,
    y: String,
}

diesel::table! {
    #[sql_name = "arrivals"]
    arrivals (key) {
        key -> Integer,
        fruit -> Nullable<Text>,
        v -> Integer,
    }
}

/// Every expression could mean a column of the other table.
#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = fruits)]
#[upsert(update_if = v.lt(excluded(v)))]
struct Arrival {
    #[conflict_key]
    key: i32,
    #[on_conflict(coalesce)]
    fruit: Option<String>,
    #[on_conflict(add)]
    v: i32,
}

diesel::table! {
    required (id) {
        id -> Integer,
        v -> Integer,
        w -> Nullable<Integer>,
    }
}

/// Has no value for `v`, which is NOT NULL and has no default.
#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = required)]
#[upsert(set(v = v + 1))]
struct WithoutRequired {
    #[conflict_key]
    id: i32,
}

diesel::table! {
    // As if the column could hold NULL.
    #[sql_name = "required"]
    loose_required (id) {
        id -> Integer,
        v -> Nullable<Integer>,
    }
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = loose_required)]
#[upsert(do_nothing)]
struct NullRequired {
    #[conflict_key]
    id: i32,
    v: Option<i32>,
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = required)]
#[upsert(update_all)]
struct Required {
    #[conflict_key]
    id: i32,
    v: i32,
    w: Option<i32>,
}

diesel::table! {
    numbered (id) {
        id -> Integer,
        code -> Text,
        v -> Integer,
    }
}

/// The database numbers the rows.
#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = numbered)]
struct Numbered {
    #[conflict_key]
    code: &'static str,
    #[on_conflict(update)]
    v: i32,
}

on_every_database! {
    shared {
        fn fruits(conn: &mut Conn) -> Vec<FruitRow> {
            fruits::table
                .order((fruits::key, fruits::fruit, fruits::v))
                .load(conn)
                .unwrap()
        }

        fn threes(conn: &mut Conn) -> Vec<ThreeRow> {
            three::table.order(three::a).load(conn).unwrap()
        }

        fn counters(conn: &mut Conn) -> Vec<(String, i32)> {
            counters::table.order(counters::name).load(conn).unwrap()
        }

        fn create(database: &mut system::TestDatabase, sql: &str) {
            database.run(&in_words_of(system::SYSTEM, sql));
        }
    }

    // T1: 42P10, an error of the same kind on every database.
    #[test]
    fn t01_a_part_of_the_index_is_no_target(database) {
        create(&mut database, &create_fruits(", UNIQUE (`key`, fruit)"));
        let conn = &mut database.conn;
        let result = wait(by_key(1, "Apple", 1).upsert(conn));
        assert!(matches!(result, Err(Error::NoUniqueIndex { .. })), "{result:?}");
        assert_eq!(fruits(conn), []);
    }

    // T2: the same index is found whatever the order of the columns.
    #[test]
    fn t02_columns_of_the_target_in_another_order(database) {
        create(&mut database, &create_fruits(", UNIQUE (`key`, fruit)"));
        let conn = &mut database.conn;
        let row = |key, v| ByBoth { key, fruit: Some("Apple"), v };
        assert_eq!(wait(upsert(&[row(1, 1), row(2, 2), row(1, 3)]).execute(conn)).unwrap(), 3);
        assert_eq!(fruits(conn), [fruit(1, "Apple", 3), fruit(2, "Apple", 2)]);
        let rows = [row(1, 4)];
        let call = upsert(&rows).on_conflict((fruits::key, fruits::fruit));
        assert_eq!(wait(call.execute(conn)).unwrap(), 1);
        assert_eq!(fruits(conn), [fruit(1, "Apple", 4), fruit(2, "Apple", 2)]);
        // Repeated columns are one to PostgreSQL.
        let rows = [row(1, 5)];
        let call = upsert(&rows).on_conflict((fruits::fruit, fruits::key, fruits::key));
        match wait(call.execute(conn)) {
            Ok(written) => {
                assert_eq!(written, 1);
                assert_eq!(fruits(conn), [fruit(1, "Apple", 5), fruit(2, "Apple", 2)]);
            }
            Err(error) => {
                assert!(matches!(error, Error::NoUniqueIndex { .. }), "{error:?}");
                assert_eq!(fruits(conn), [fruit(1, "Apple", 4), fruit(2, "Apple", 2)]);
            }
        }
    }

    // T9, T51: an error (P 23505, M 1062), and the table as it was.
    #[test]
    fn t09_t51_an_update_that_collides_with_another_unique_index(database) {
        database.run(CREATE_THREE);
        let conn = &mut database.conn;
        let rows = [(1, 1, 0, 0), (2, 2, 0, 0)].map(whole_three);
        assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 2);
        let before = threes(conn);
        for (a, b) in [(1, 2), (2, 1), (3, 1)] {
            let result = wait(whole_three((a, b, 9, 9)).upsert(conn));
            assert!(matches!(result, Err(Error::OtherUniqueIndex { .. })), "{result:?}");
            assert_eq!(threes(conn), before);
        }
        // The same by `set`, which the proposed row says nothing of.
        let rows = [three((1, 1, 0, 0))];
        let result = wait(upsert(&rows).set(three::b, 2).execute(conn));
        assert!(matches!(result, Err(Error::OtherUniqueIndex { .. })), "{result:?}");
        assert_eq!(threes(conn), before);
    }

    // T10: ok.
    #[test]
    fn t10_an_update_of_another_unique_column_to_its_own_value(database) {
        database.run(CREATE_THREE);
        let conn = &mut database.conn;
        for v in 1..4 {
            let rows = [(1, 1, 0, v), (2, 2, 0, v)].map(whole_three);
            assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 2);
            assert_eq!(threes(conn), [(1, 1, 0, v), (2, 2, 0, v)]);
        }
        // To a value that is free.
        assert_eq!(wait(whole_three((1, 7, 0, 0)).upsert(conn)).unwrap(), 1);
        assert_eq!(threes(conn)[0], (1, 7, 0, 0));
    }

    // T12: the first time 1 row, then 0.
    #[test]
    fn t12_a_whole_row_that_is_written_only_if_it_changes(database) {
        create(&mut database, &create_fruits(", PRIMARY KEY (`key`)"));
        let conn = &mut database.conn;
        wait(by_key(23, "Jackfruit", 1).upsert(conn)).unwrap();
        for (row, written) in [
            (by_key(23, "Avocado", 1), 1),
            (by_key(23, "Avocado", 1), 0),
            (ByKey { fruit: None, ..by_key(23, "", 1) }, 1),
            (ByKey { fruit: None, ..by_key(23, "", 1) }, 0),
            (by_key(23, "", 1), 1),
        ] {
            let call = upsert([&row]).skip_unchanged(true);
            assert_eq!(wait(call.execute(conn)).unwrap(), written, "{row:?}");
        }
    }

    // T17: P ambiguous, S the table; so an error or the right row, never the
    // wrong one in silence.
    #[test]
    fn t17_a_table_named_excluded(database) {
        use named_excluded::{Row, excluded};

        create(
            &mut database,
            "CREATE TABLE `excluded` (id INTEGER NOT NULL PRIMARY KEY, v INTEGER NOT NULL, \
             w INTEGER NOT NULL)",
        );
        let conn = &mut database.conn;
        let rows = |conn: &mut Conn| excluded::table.load::<(i32, i32, i32)>(conn).unwrap();
        diesel::insert_into(excluded::table)
            .values((excluded::id.eq(1), excluded::v.eq(2), excluded::w.eq(2)))
            .execute(conn)
            .unwrap();
        match wait((Row { id: 1, v: 6, w: 1 }).upsert(conn)) {
            Ok(written) => {
                assert_eq!(written, 1);
                assert_eq!(rows(conn), [(1, 6, 3)]);
            }
            Err(_) => assert_eq!(rows(conn), [(1, 2, 2)]),
        }
    }

    // T18: the values are not shifted.
    #[test]
    fn t18_columns_that_were_dropped(database) {
        database.run(
            "CREATE TABLE three (drop1 INTEGER, a INTEGER NOT NULL, drop2 VARCHAR(20), \
             b INTEGER NOT NULL, drop3 INTEGER, c INTEGER NOT NULL, v INTEGER NOT NULL)",
        );
        database.run("CREATE UNIQUE INDEX three_a ON three (a)");
        for column in ["drop1", "drop2", "drop3"] {
            database.run(&format!("ALTER TABLE three DROP COLUMN {column}"));
        }
        let conn = &mut database.conn;
        for skip in [false, true] {
            let rows = [(1, 2, 3, 4), (5, 6, 7, 8)].map(whole_three);
            let call = upsert(&rows).skip_unchanged(skip);
            assert_eq!(wait(call.execute(conn)).unwrap(), if skip { 0 } else { 2 });
            assert_eq!(threes(conn), [(1, 2, 3, 4), (5, 6, 7, 8)]);
        }
        let rows = [(1, 9, 3, 4), (5, 6, 7, 8)].map(whole_three);
        assert_eq!(wait(upsert(&rows).skip_unchanged(true).execute(conn)).unwrap(), 1);
        assert_eq!(threes(conn), [(1, 9, 3, 4), (5, 6, 7, 8)]);
    }

    // T20: DO NOTHING inserts one row; DO UPDATE, which PostgreSQL refuses,
    // ends as if one by one.
    #[test]
    fn t20_a_key_twice_in_one_call(database) {
        create(&mut database, &create_fruits(", PRIMARY KEY (`key`)"));
        for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
            let level = format!("TRANSACTION ISOLATION LEVEL {level}");
            match system::SYSTEM {
                System::Sqlite => {}
                #[cfg(feature = "postgres")]
                System::Postgres => {
                    database.run(&format!("SET SESSION CHARACTERISTICS AS {level}"));
                }
                #[cfg(feature = "mysql")]
                System::Mysql => database.run(&format!("SET SESSION {level}")),
            }
            let conn = &mut database.conn;
            for chunk_size in [1, 2, 100] {
                diesel::delete(fruits::table).execute(conn).unwrap();
                let rows = [1, 2].map(|v| NewByKey { key: 1, fruit: Some("Apple"), v });
                assert_eq!(wait(upsert(&rows).chunk_size(chunk_size).execute(conn)).unwrap(), 1);
                assert_eq!(fruits(conn), [fruit(1, "Apple", 1)], "{level}");
                let rows = [1, 2].map(|v| by_key(2, "Pear", v));
                assert_eq!(wait(upsert(&rows).chunk_size(chunk_size).execute(conn)).unwrap(), 2);
                assert_eq!(fruits(conn)[1], fruit(2, "Pear", 2), "{level}");
            }
        }
    }

    // T20 in a query, whose rows have no order: PostgreSQL refuses, the others
    // take them as they come. A transaction goes on.
    #[test]
    fn t20_a_key_twice_in_a_query(database) {
        create(&mut database, &create_fruits(", PRIMARY KEY (`key`)"));
        create(&mut database, &create_fruits("").replace("fruits", "arrivals"));
        let conn = &mut database.conn;
        diesel::insert_into(arrivals::table)
            .values(vec![
                (arrivals::key.eq(1), arrivals::v.eq(1)),
                (arrivals::key.eq(1), arrivals::v.eq(2)),
                (arrivals::key.eq(2), arrivals::v.eq(4)),
            ])
            .execute(conn)
            .unwrap();
        let query = || arrivals::table.select((arrivals::key, arrivals::fruit, arrivals::v));
        conn.transaction(|conn| {
            let values = |conn: &mut Conn| {
                fruits::table
                    .select((fruits::key, fruits::v))
                    .order(fruits::key)
                    .load::<(i32, i32)>(conn)
                    .unwrap()
            };
            match wait(Arrival::upsert_from(query()).update_if(fruits::key.gt(0)).execute(conn)) {
                Ok(written) => {
                    assert!(system::SYSTEM == System::Sqlite || is_mysql(system::SYSTEM));
                    assert_eq!(written, 3);
                    assert_eq!(values(conn), [(1, 3), (2, 4)]);
                }
                Err(error) => {
                    assert!(matches!(error, Error::RepeatedInQuery { .. }), "{error:?}");
                    assert_eq!(values(conn), []);
                }
            }
            diesel::delete(fruits::table).execute(conn)?;
            // Without an update nobody minds.
            let written = wait(Arrival::upsert_from(query()).do_nothing().execute(conn)).unwrap();
            assert_eq!(written, 2);
            Ok::<_, diesel::result::Error>(())
        })
        .unwrap();
    }

    // T32: a target is never left out, so a row of another unique index is not
    // dropped in silence, but an error.
    #[test]
    fn t32_do_nothing_has_a_target(database) {
        database.run(CREATE_THREE);
        let conn = &mut database.conn;
        wait(three((1, 2, 0, 0)).upsert(conn)).unwrap();
        let new = |a, b| NewThree { a, b, c: 0, v: 0 };
        assert_eq!(wait(new(1, 99).upsert(conn)).unwrap(), 0);
        let result = wait(new(99, 2).upsert(conn));
        assert!(matches!(result, Err(Error::OtherUniqueIndex { .. })), "{result:?}");
        // With the other target it is the other way round.
        let rows = [new(99, 2)];
        assert_eq!(wait(upsert(&rows).on_conflict(three::b).execute(conn)).unwrap(), 0);
        let rows = [new(1, 99)];
        let result = wait(upsert(&rows).on_conflict(three::b).execute(conn));
        assert!(matches!(result, Err(Error::OtherUniqueIndex { .. })), "{result:?}");
        assert_eq!(threes(conn), [(1, 2, 0, 0)]);
    }

    // T36: one 3, three 2, four 1 (sequential semantics).
    #[test]
    fn t36_a_counter_of_rows_that_come_again(database) {
        database.run(
            "CREATE TABLE counters (name VARCHAR(20) NOT NULL PRIMARY KEY, \
             b INTEGER NOT NULL DEFAULT 1)",
        );
        let conn = &mut database.conn;
        for chunk_size in [1, 2, 3, 100] {
            diesel::delete(counters::table).execute(conn).unwrap();
            let rows = ["one", "two", "three"].map(|name| Counter { name });
            assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 3);
            let rows = ["one", "one", "three", "four"].map(|name| Counter { name });
            assert_eq!(wait(upsert(&rows).chunk_size(chunk_size).execute(conn)).unwrap(), 4);
            let expected = [("four", 1), ("one", 3), ("three", 2), ("two", 1)]
                .map(|(name, b)| (name.to_owned(), b));
            assert_eq!(counters(conn), expected, "chunks of {chunk_size}");
        }
    }

    // T37: the target decides, whatever the order of the indexes.
    #[test]
    fn t37_several_unique_indexes_hold_the_same_row(database) {
        for order in ["a, b, c", "a, c, b", "b, a, c", "b, c, a", "c, a, b", "c, b, a"] {
            database.run(
                "CREATE TABLE three (a INTEGER NOT NULL, b INTEGER NOT NULL, c INTEGER NOT NULL, \
                 v INTEGER NOT NULL)",
            );
            for column in order.split(", ") {
                database.run(&format!("CREATE UNIQUE INDEX three_{column} ON three ({column})"));
            }
            let conn = &mut database.conn;
            let rows = [(1, 2, 3, 0), (4, 5, 6, 0)].map(three);
            assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 2);
            let row = |v| [three((1, 2, 3, v))];
            assert_eq!(wait(upsert(row(1)).execute(conn)).unwrap(), 1);
            assert_eq!(threes(conn)[0], (1, 2, 3, 1), "{order}");
            assert_eq!(wait(upsert(row(2)).on_conflict(three::b).execute(conn)).unwrap(), 1);
            assert_eq!(threes(conn)[0], (1, 2, 3, 2), "{order}");
            assert_eq!(wait(upsert(row(3)).on_conflict(three::c).execute(conn)).unwrap(), 1);
            assert_eq!(threes(conn), [(1, 2, 3, 3), (4, 5, 6, 0)], "{order}");
            database.run("DROP TABLE three");
        }
    }

    // T44: the correct old value.
    #[test]
    fn t44_a_trigger_sees_the_old_value_of_a_long_text(database) {
        let (text, length) = match system::SYSTEM {
            System::Sqlite => ("TEXT", "length(OLD.y) + length(NEW.y)"),
            #[cfg(feature = "postgres")]
            System::Postgres => ("TEXT", "length(OLD.y) + length(NEW.y)"),
            #[cfg(feature = "mysql")]
            System::Mysql => ("LONGTEXT", "length(OLD.y) + length(NEW.y)"),
        };
        database.run(&format!(
            "CREATE TABLE texts (id INTEGER NOT NULL PRIMARY KEY, y {text} NOT NULL)"
        ));
        database.run("CREATE TABLE journal (old INTEGER NOT NULL)");
        match system::SYSTEM {
            System::Sqlite => database.run(&format!(
                "CREATE TRIGGER log BEFORE UPDATE ON texts \
                 BEGIN INSERT INTO journal VALUES ({length}); END",
            )),
            #[cfg(feature = "postgres")]
            System::Postgres => database.run(&format!(
                "CREATE FUNCTION log_old() RETURNS trigger LANGUAGE plpgsql AS \
                 $$BEGIN INSERT INTO journal VALUES ({length}); RETURN NEW; END$$; \
                 CREATE TRIGGER log BEFORE UPDATE ON texts \
                 FOR EACH ROW EXECUTE FUNCTION log_old()",
            )),
            #[cfg(feature = "mysql")]
            System::Mysql => database.run(&format!(
                "CREATE TRIGGER log BEFORE UPDATE ON texts FOR EACH ROW \
                 INSERT INTO journal VALUES ({length})",
            )),
        }
        let conn = &mut database.conn;
        let text = |length: usize| LongText { id: 1, y: "x".repeat(length) };
        assert_eq!(wait(text(9_000).upsert(conn)).unwrap(), 1);
        let rows = [text(9_001), text(20_000)];
        assert_eq!(wait(upsert(&rows).skip_unchanged(true).execute(conn)).unwrap(), 2);
        let seen: Vec<i32> = journal::table
            .select(journal::old)
            .order(journal::old)
            .load(conn).unwrap();
        assert_eq!(seen, [18_001, 29_001]);
        let y: String = texts::table.select(texts::y).first(conn).unwrap();
        assert_eq!(y.len(), 20_000);

        // Texts that differ in their last letter, and cannot be compressed.
        let mut random = Random::new(44);
        let letters = (0..30_000).map(|_| char::from(b'!' + random.below(90) as u8));
        let long: String = letters.collect();
        let row = |end: &str| LongText { id: 1, y: format!("{long}{end}") };
        for (end, written) in [("a", 1), ("a", 0), ("A", 1), ("A", 0), ("", 1), ("", 0)] {
            let call = upsert([row(end)]).skip_unchanged(true);
            assert_eq!(wait(call.execute(conn)).unwrap(), written, "{end:?}");
        }
    }

    // T48: the same results.
    #[test]
    fn t48_a_temporary_table(database) {
        database.run(
            "CREATE TEMPORARY TABLE counters (name VARCHAR(20) NOT NULL PRIMARY KEY, \
             b INTEGER NOT NULL DEFAULT 1)",
        );
        let conn = &mut database.conn;
        let rows = ["one", "one", "three"].map(|name| Counter { name });
        assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 3);
        let rows = [("one", 1), ("two", 5)].map(|(name, b)| Greatest { name, b });
        assert_eq!(wait(upsert(&rows).skip_unchanged(true).execute(conn)).unwrap(), 1);
        let expected = [("one", 2), ("three", 1), ("two", 5)];
        assert_eq!(counters(conn), expected.map(|(name, b)| (name.to_owned(), b)));
    }

    // T50: A's row; a row of B alone is an error and changes nothing; both: A's
    // row.
    #[test]
    fn t50_a_row_that_two_unique_indexes_hold(database) {
        database.run(CREATE_THREE);
        let conn = &mut database.conn;
        let rows = [(1, 10, 0, 0), (2, 20, 0, 0)].map(three);
        assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 2);
        assert_eq!(wait(three((1, 99, 0, 1)).upsert(conn)).unwrap(), 1);
        assert_eq!(threes(conn), [(1, 10, 0, 1), (2, 20, 0, 0)]);
        let result = wait(three((99, 20, 0, 2)).upsert(conn));
        assert!(matches!(result, Err(Error::OtherUniqueIndex { .. })), "{result:?}");
        assert_eq!(threes(conn), [(1, 10, 0, 1), (2, 20, 0, 0)]);
        assert_eq!(wait(three((1, 20, 0, 3)).upsert(conn)).unwrap(), 1);
        assert_eq!(threes(conn), [(1, 10, 0, 3), (2, 20, 0, 0)]);
        // With B as the target: its row, or an error where the database finds
        // A's first.
        let rows = [three((1, 20, 0, 4))];
        match wait(upsert(&rows).on_conflict(three::b).execute(conn)) {
            Ok(written) => {
                assert_eq!(written, 1);
                assert_eq!(threes(conn), [(1, 10, 0, 3), (2, 20, 0, 4)]);
            }
            Err(error) => {
                assert!(matches!(error, Error::OtherUniqueIndex { .. }), "{error:?}");
                assert!(is_mysql(system::SYSTEM));
                assert_eq!(threes(conn), [(1, 10, 0, 3), (2, 20, 0, 0)]);
            }
        }
    }

    // T52: affected = inserted + 2 * updated; the count is rows, whatever the
    // server says.
    #[test]
    fn t52_the_count_of_inserted_and_updated_rows(database) {
        database.run(CREATE_THREE);
        let conn = &mut database.conn;
        let rows = [(1, 1, 0, 0), (2, 2, 0, 0)].map(three);
        assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 2);
        let rows = [(1, 9), (2, 0), (3, 9), (4, 9), (5, 9)].map(|(a, v)| three((a, a, 0, v)));
        assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 5);
        // Inserted, changed, kept by the guard, the same.
        let rows = [(6, 6, 0, 1), (1, 1, 0, 1), (2, 2, 0, 7), (3, 3, 0, 9)].map(three);
        let call = upsert(&rows).update_if(three::a.ne(2));
        assert_eq!(wait(call.execute(conn)).unwrap(), 3);
        let rows = [(7, 7, 0, 1), (1, 1, 0, 2), (2, 2, 0, 0), (3, 3, 0, 9)].map(three);
        let call = upsert(&rows).skip_unchanged(true);
        assert_eq!(wait(call.execute(conn)).unwrap(), 2);
    }

    // T54: 1052 ambiguous, unless the columns are qualified.
    #[test]
    fn t54_a_query_of_a_table_with_the_same_columns(database) {
        create(&mut database, &create_fruits(", PRIMARY KEY (`key`)"));
        create(&mut database, &create_fruits("").replace("fruits", "arrivals"));
        let conn = &mut database.conn;
        let rows = [by_key(1, "Apple", 1), by_key(2, "Pear", 5)];
        assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 2);
        diesel::insert_into(arrivals::table)
            .values(vec![
                (arrivals::key.eq(1), arrivals::fruit.eq(None), arrivals::v.eq(10)),
                (arrivals::key.eq(2), arrivals::fruit.eq(Some("Quince")), arrivals::v.eq(4)),
                (arrivals::key.eq(3), arrivals::fruit.eq(Some("Fig")), arrivals::v.eq(3)),
                (arrivals::key.eq(4), arrivals::fruit.eq(Some("Plum")), arrivals::v.eq(-1)),
            ])
            .execute(conn)
            .unwrap();
        let columns = (arrivals::key, arrivals::fruit, arrivals::v);
        let query = arrivals::table.select(columns).filter(arrivals::v.gt(0));
        assert_eq!(wait(Arrival::upsert_from(query).execute(conn)).unwrap(), 2);
        let expected = [fruit(1, "Apple", 11), fruit(2, "Pear", 5), fruit(3, "Fig", 3)];
        assert_eq!(fruits(conn), expected);

        // Every shape of query.
        let query = arrivals::table.select(columns).order(arrivals::v.desc()).limit(1);
        assert_eq!(wait(Arrival::upsert_from(query).execute(conn)).unwrap(), 0);
        let query = arrivals::table.select(columns);
        let call = Arrival::upsert_from(query).set(fruits::v, fruits::v + excluded(fruits::v));
        assert_eq!(wait(call.execute(conn)).unwrap(), 1);
        let query = arrivals::table.select(columns).distinct();
        assert_eq!(wait(Arrival::upsert_from(query).execute(conn)).unwrap(), 0);
        let query = arrivals::table.select(columns).filter(arrivals::v.gt(3));
        let query = query.union(arrivals::table.select(columns).filter(arrivals::v.lt(3)));
        assert_eq!(wait(Arrival::upsert_from(query).execute(conn)).unwrap(), 0);
        let expected = [
            fruit(1, "Apple", 11),
            fruit(2, "Pear", 5),
            fruit(3, "Fig", 3),
            fruit(4, "Plum", -1),
        ];
        assert_eq!(fruits(conn), expected);

        // One column for two, and values of no column.
        let query = arrivals::table
            .select((arrivals::key, arrivals::fruit, arrivals::key))
            .filter(arrivals::key.eq(4));
        let call = Arrival::upsert_from(query).do_nothing();
        assert_eq!(wait(call.execute(conn)).unwrap(), 0);
        let query = arrivals::table
            .select((5.into_sql::<Integer>(), arrivals::fruit, 5.into_sql::<Integer>()))
            .filter(arrivals::key.eq(4));
        assert_eq!(wait(Arrival::upsert_from(query).execute(conn)).unwrap(), 1);
        diesel::delete(fruits::table.find(5)).execute(conn).unwrap();

        // The rows of the table itself.
        let query = fruits::table.select((fruits::key, fruits::fruit, fruits::v + 1));
        assert_eq!(wait(Arrival::upsert_from(query).execute(conn)).unwrap(), 4);
        let query = fruits::table.select((fruits::key + 3, fruits::fruit, fruits::v));
        assert_eq!(wait(Arrival::upsert_from(query).execute(conn)).unwrap(), 4);
        let values: Vec<_> = fruits(conn).into_iter().map(|(key, _, v)| (key, v)).collect();
        assert_eq!(
            values,
            [(1, 23), (2, 11), (3, 7), (4, 22), (5, 11), (6, 7), (7, -1)],
        );
    }

    // T55: the larger is kept.
    #[test]
    fn t55_the_greatest(database) {
        database.run(
            "CREATE TABLE counters (name VARCHAR(20) NOT NULL PRIMARY KEY, b INTEGER NOT NULL)",
        );
        let conn = &mut database.conn;
        let row = |b| Greatest { name: "x", b };
        assert_eq!(wait(upsert(&[row(3), row(7), row(5)]).execute(conn)).unwrap(), 3);
        assert_eq!(counters(conn), [("x".to_owned(), 7)]);
        assert_eq!(wait(row(6).upsert(conn)).unwrap(), 1);
        assert_eq!(wait(upsert([row(6)]).skip_unchanged(true).execute(conn)).unwrap(), 0);
        assert_eq!(counters(conn), [("x".to_owned(), 7)]);
    }

    // T56: 1364, unless SET assigns the column: then MySQL inserts a zero.
    // Elsewhere an error, also where the row exists.
    #[test]
    fn t56_a_column_without_a_value_or_a_default(database) {
        database.run(
            "CREATE TABLE required (id INTEGER NOT NULL PRIMARY KEY, v INTEGER NOT NULL, \
             w INTEGER)",
        );
        let conn = &mut database.conn;
        let rows = |conn: &mut Conn| required::table.load::<(i32, i32, Option<i32>)>(conn).unwrap();
        match wait((WithoutRequired { id: 9 }).upsert(conn)) {
            Ok(written) => {
                assert!(is_mysql(system::SYSTEM));
                assert_eq!(written, 1);
                assert_eq!(rows(conn), [(9, 0, None)]);
            }
            Err(error) => {
                assert!(matches!(error, Error::Statement { .. }), "{error:?}");
                assert_eq!(rows(conn), []);
            }
        }
        // Without `set` it is an error everywhere.
        let row = [WithoutRequired { id: 1 }];
        let result = wait(upsert(&row).do_nothing().execute(conn));
        assert!(matches!(result, Err(Error::Statement { .. })), "{result:?}");
        diesel::delete(required::table).execute(conn).unwrap();
        wait(Required { id: 1, v: 1, w: None }.upsert(conn)).unwrap();
        match wait((WithoutRequired { id: 1 }).upsert(conn)) {
            Ok(written) => {
                assert!(is_mysql(system::SYSTEM));
                assert_eq!(written, 1);
                assert_eq!(rows(conn), [(1, 2, None)]);
            }
            Err(error) => {
                assert!(matches!(error, Error::Statement { .. }), "{error:?}");
                assert_eq!(rows(conn), [(1, 1, None)]);
            }
        }
    }

    // T58: later rows get ids of their own.
    #[test]
    fn t58_rows_that_the_database_numbers(database) {
        let id = match system::SYSTEM {
            System::Sqlite => "id INTEGER PRIMARY KEY AUTOINCREMENT",
            #[cfg(feature = "postgres")]
            System::Postgres => "id SERIAL PRIMARY KEY",
            #[cfg(feature = "mysql")]
            System::Mysql => "id INTEGER NOT NULL AUTO_INCREMENT PRIMARY KEY",
        };
        database.run(&format!(
            "CREATE TABLE numbered ({id}, code VARCHAR(20) NOT NULL UNIQUE, v INTEGER NOT NULL)"
        ));
        let conn = &mut database.conn;
        let row = |code, v| Numbered { code, v };
        let table = |conn: &mut Conn| {
            numbered::table
                .order(numbered::code)
                .load::<(i32, String, i32)>(conn)
                .unwrap()
        };
        assert_eq!(wait(upsert(&[row("a", 1), row("b", 1)]).execute(conn)).unwrap(), 2);
        let before = table(conn);
        let rows = [row("a", 2), row("c", 2), row("b", 2), row("d", 2), row("a", 3), row("e", 2)];
        assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 6);
        let after = table(conn);
        let values: Vec<_> = after.iter().map(|(_, code, v)| (code.as_str(), *v)).collect();
        assert_eq!(values, [("a", 3), ("b", 2), ("c", 2), ("d", 2), ("e", 2)]);
        assert_eq!([after[0].0, after[1].0], [before[0].0, before[1].0]);
        let ids: std::collections::BTreeSet<_> = after.iter().map(|(id, ..)| id).collect();
        assert_eq!(ids.len(), 5);
        // Also where nothing is written.
        let call = upsert(&rows[1..4]).skip_unchanged(true);
        assert_eq!(wait(call.execute(conn)).unwrap(), 0);
        assert_eq!(table(conn), after);
    }

    // T59: `IGNORE` would store 0; a NULL is an error, the table as it was.
    #[test]
    fn t59_null_does_not_become_zero(database) {
        database.run(
            "CREATE TABLE required (id INTEGER NOT NULL PRIMARY KEY, v INTEGER NOT NULL, \
             w INTEGER)",
        );
        let conn = &mut database.conn;
        let rows = [(1, Some(1)), (2, None)].map(|(id, v)| NullRequired { id, v });
        let result = wait(upsert(&rows).execute(conn));
        assert!(matches!(result, Err(Error::Statement { .. })), "{result:?}");
        let count = required::table.count().get_result::<i64>(conn);
        assert_eq!(count, Ok(0));
    }
}

// --- PostgreSQL and SQLite: expressions and predicates ----------------------

define_sql_function! {
    fn lower(text: Nullable<Text>) -> Nullable<Text>;
}
define_sql_function! {
    fn upper(text: Nullable<Text>) -> Nullable<Text>;
}
define_sql_function! {
    fn coalesce(
        number: Nullable<Integer>,
        other: Integer,
    ) -> Integer;
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = fruits)]
#[upsert(target = lower(fruit))]
struct ByLower {
    #[on_conflict(keep)]
    key: i32,
    #[conflict_key(nullable)]
    fruit: Option<&'static str>,
    #[on_conflict(update)]
    v: i32,
}

/// The text is replaced too.
#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = fruits)]
#[upsert(target = lower(fruit), update_all)]
struct WholeByLower {
    #[on_conflict(keep)]
    key: i32,
    fruit: Option<&'static str>,
    v: i32,
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = fruits)]
#[upsert(target = upper(fruit))]
struct ByUpper {
    key: i32,
    fruit: Option<&'static str>,
    #[on_conflict(update)]
    v: i32,
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = fruits)]
struct ByFruit {
    key: i32,
    #[conflict_key(nullable)]
    fruit: Option<&'static str>,
    #[on_conflict(update)]
    v: i32,
}

/// Some models that differ in the index's predicate.
macro_rules! partial {
    ($($name:ident: $predicate:expr;)*) => {$(
        #[derive(Debug, Clone, Upsertable)]
        #[diesel(table_name = fruits)]
        #[upsert(target_where = $predicate)]
        struct $name {
            #[conflict_key]
            key: i32,
            #[on_conflict(update)]
            fruit: Option<&'static str>,
            v: i32,
        }
    )*};
}

partial! {
    Implied: fruits::v.gt(5);
    Stricter: fruits::v.gt(10);
    Weaker: fruits::v.gt(0);
    StricterByAnd: fruits::v.gt(5).and(fruits::fruit.is_not_null());
    OtherColumn: fruits::key.gt(5);
}

diesel::table! {
    sums (id) {
        id -> Integer,
        a -> Nullable<Integer>,
        b -> Nullable<Integer>,
        v -> Integer,
    }
}

type SumRow = (i32, Option<i32>, Option<i32>, i32);

macro_rules! sum_models {
    ($($(#[$meta:meta])* $name:ident;)*) => {$(
        #[derive(Debug, Clone, Upsertable)]
        #[diesel(table_name = sums)]
        $(#[$meta])*
        struct $name {
            id: i32,
            a: Option<i32>,
            b: Option<i32>,
            #[on_conflict(update)]
            v: i32,
        }

        impl From<SumRow> for $name {
            fn from((id, a, b, v): SumRow) -> Self {
                Self { id, a, b, v }
            }
        }
    )*};
}

sum_models! {
    #[upsert(target = a + b)]
    BySum;

    #[upsert(target = b + a)]
    BySumTurned;

    #[upsert(target = coalesce(a, 0), target_where = coalesce(a, 1).gt(0))]
    ByCoalesce;

    #[upsert(target = coalesce(a, 1), target_where = coalesce(a, 1).gt(0))]
    ByOtherCoalesce;

    #[upsert(target = coalesce(a, 0), target_where = coalesce(a, 2).gt(0))]
    ByOtherPredicate;
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = three)]
#[upsert(do_nothing, target_where = b.gt(10))]
struct NewByB {
    a: i32,
    #[conflict_key]
    b: i32,
    c: i32,
    v: i32,
}

/// The same on the databases that have expressions and predicates in a conflict
/// target.
macro_rules! expression_targets {
    ($module:ident, $system:ident) => {
        mod $module {
            use super::*;
            use crate::support::$system::{Conn, SYSTEM, TestDatabase};

            type Backend = <Conn as diesel::connection::Connection>::Backend;

            fn fruits(conn: &mut Conn) -> Vec<FruitRow> {
                fruits::table
                    .order((fruits::key, fruits::fruit, fruits::v))
                    .load(conn)
                    .unwrap()
            }

            fn assert_no_index(result: &upsert_core::Result<usize>) {
                assert!(
                    matches!(result, Err(Error::NoUniqueIndex { .. })),
                    "{result:?}"
                );
            }

            fn create(database: &mut TestDatabase, sql: &str) {
                database.run(&in_words_of(SYSTEM, sql));
            }

            // T7: lower ok; upper 42P10; the plain column 42P10.
            #[test]
            fn t07_an_index_on_an_expression() {
                let mut database = TestDatabase::new();
                create(&mut database, &create_fruits(""));
                database.run("CREATE UNIQUE INDEX fruits_lower ON fruits (lower(fruit))");
                let conn = &mut database.conn;
                let rows = [("Raspberry", 1), ("fig", 2), ("RASPBERRY", 3), ("rASPBERRY", 4)];
                let rows = rows.map(|(fruit, v)| ByLower {
                    key: v,
                    fruit: Some(fruit),
                    v,
                });
                for chunk_size in [1, 2, 100] {
                    diesel::delete(fruits::table).execute(conn).unwrap();
                    let call = upsert(&rows).chunk_size(chunk_size);
                    assert_eq!(wait(call.execute(conn)).unwrap(), 4);
                    assert_eq!(fruits(conn), [fruit(1, "Raspberry", 4), fruit(2, "fig", 2)]);
                }
                // T25: the key's text is replaced.
                let row = WholeByLower {
                    key: 9,
                    fruit: Some("rAsPbErRy"),
                    v: 5,
                };
                assert_eq!(wait(row.upsert(conn)).unwrap(), 1);
                assert_eq!(fruits(conn), [fruit(1, "rAsPbErRy", 5), fruit(2, "fig", 2)]);
                assert_eq!(wait(upsert([&row]).skip_unchanged(true).execute(conn)).unwrap(), 0);
                // The rows of a query.
                let columns = (fruits::key + 10, upper(fruits::fruit), fruits::v);
                let query = fruits::table.select(columns);
                let call = WholeByLower::upsert_from(query).skip_unchanged(true);
                assert_eq!(wait(call.execute(conn)).unwrap(), 2);
                assert_eq!(fruits(conn), [fruit(1, "RASPBERRY", 5), fruit(2, "FIG", 2)]);
                // NULLs are not equal.
                for _ in 0..2 {
                    let row = ByLower {
                        key: 7,
                        fruit: None,
                        v: 0,
                    };
                    assert_eq!(wait(row.upsert(conn)).unwrap(), 1);
                }
                assert_eq!(fruits(conn).len(), 4);

                let row = ByUpper {
                    key: 9,
                    fruit: Some("fig"),
                    v: 6,
                };
                assert_no_index(&wait(row.upsert(conn)));
                let row = ByFruit {
                    key: 9,
                    fruit: Some("fig"),
                    v: 6,
                };
                assert_no_index(&wait(row.upsert(conn)));
                assert_eq!(fruits(conn).len(), 4);
            }

            // T11: the predicate itself, a weaker one and none; what a stricter
            // one does differs.
            #[test]
            fn t11_a_partial_index() {
                let mut database = TestDatabase::new();
                create(&mut database, &create_fruits(""));
                create(
                    &mut database,
                    "CREATE UNIQUE INDEX fruits_key ON fruits (`key`) WHERE v > 5",
                );
                let conn = &mut database.conn;
                let implied = |key, fruit, v| Implied {
                    key,
                    fruit: Some(fruit),
                    v,
                };
                // Rows outside of the index never conflict, also twice in a call.
                let rows = [
                    implied(1, "a", 6),
                    implied(1, "b", 5),
                    implied(1, "c", 6),
                    implied(1, "d", 5),
                ];
                assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 4);
                let expected = [fruit(1, "b", 5), fruit(1, "c", 6), fruit(1, "d", 5)];
                assert_eq!(fruits(conn), expected);
                assert_eq!(wait(implied(1, "e", 100).upsert(conn)).unwrap(), 1);
                let expected = [fruit(1, "b", 5), fruit(1, "d", 5), fruit(1, "e", 6)];
                assert_eq!(fruits(conn), expected);

                let stricter = Stricter {
                    key: 1,
                    fruit: Some("f"),
                    v: 11,
                };
                let and = StricterByAnd {
                    key: 1,
                    fruit: Some("g"),
                    v: 11,
                };
                if SYSTEM == System::Sqlite {
                    assert_no_index(&wait(stricter.upsert(conn)));
                    assert_no_index(&wait(and.upsert(conn)));
                    assert_eq!(fruits(conn), expected);
                } else {
                    assert_eq!(wait(stricter.upsert(conn)).unwrap(), 1);
                    assert_eq!(wait(and.upsert(conn)).unwrap(), 1);
                    assert_eq!(fruits(conn)[2], fruit(1, "g", 6));
                }
                let before = fruits(conn);
                let weaker = Weaker {
                    key: 1,
                    fruit: Some("h"),
                    v: 6,
                };
                assert_no_index(&wait(weaker.upsert(conn)));
                let other = OtherColumn {
                    key: 1,
                    fruit: Some("h"),
                    v: 6,
                };
                assert_no_index(&wait(other.upsert(conn)));
                assert_no_index(&wait(by_key(1, "h", 6).upsert(conn)));
                assert_eq!(fruits(conn), before);

                // The same predicate in a call.
                let rows = [by_key(1, "i", 7)];
                let call = upsert(&rows)
                    .on_conflict(fruits::key)
                    .filter_target(fruits::v.gt(upsert_core::literal(5)));
                assert_eq!(wait(call.execute(conn)).unwrap(), 1);
                assert_eq!(fruits(conn)[2], fruit(1, "i", 7));
            }

            // T14: found; with another constant not.
            #[test]
            fn t14_an_expression_and_a_predicate_with_constants() {
                let mut database = TestDatabase::new();
                database.run(
                    "CREATE TABLE sums (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, \
                     v INTEGER NOT NULL)",
                );
                database.run(
                    "CREATE UNIQUE INDEX sums_a ON sums (coalesce(a, 0)) WHERE coalesce(a, 1) > 0",
                );
                let conn = &mut database.conn;
                let rows = [(1, None, None, 1), (2, Some(0), None, 2), (3, Some(7), None, 3)];
                let rows = rows.map(ByCoalesce::from);
                assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 3);
                let rows = [(4, None, None, 4), (5, Some(7), None, 5), (6, Some(-1), None, 6)];
                let rows = rows.map(ByCoalesce::from);
                for _ in 0..7 {
                    // Prepared once, then planned for any parameters.
                    assert_eq!(wait(upsert(&rows[..2]).execute(conn)).unwrap(), 2);
                }
                assert_eq!(wait(rows[2].clone().upsert(conn)).unwrap(), 1);
                let table: Vec<SumRow> = sums::table.order(sums::id).load(conn).unwrap();
                let expected = [
                    (1, None, None, 4),
                    (2, Some(0), None, 2),
                    (3, Some(7), None, 5),
                    (6, Some(-1), None, 6),
                ];
                assert_eq!(table, expected);
                let row = (9, None, None, 9);
                assert_no_index(&wait(ByOtherCoalesce::from(row).upsert(conn)));
                assert_no_index(&wait(ByOtherPredicate::from(row).upsert(conn)));
                let count = sums::table.count().get_result::<i64>(conn);
                assert_eq!(count, Ok(4));
            }

            // T34: a + b ok; another expression an error.
            #[test]
            fn t34_an_index_on_a_sum() {
                let mut database = TestDatabase::new();
                database.run(
                    "CREATE TABLE sums (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, \
                     v INTEGER NOT NULL)",
                );
                database.run("CREATE UNIQUE INDEX sums_sum ON sums ((a + b))");
                let conn = &mut database.conn;
                let rows = [
                    (1, Some(1), Some(2), 1),
                    (2, Some(2), Some(2), 2),
                    (3, Some(0), Some(3), 3),
                    (4, Some(3), Some(0), 4),
                    (5, None, Some(3), 5),
                ];
                let rows = rows.map(BySum::from);
                assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 5);
                let table: Vec<(i32, i32)> = sums::table
                    .select((sums::id, sums::v))
                    .order(sums::id)
                    .load(conn)
                    .unwrap();
                assert_eq!(table, [(1, 4), (2, 2), (5, 5)]);
                assert_no_index(&wait(BySumTurned::from((9, Some(9), None, 9)).upsert(conn)));
            }

            // T35: (1,2),(3,2) both stay, the second 20 is dropped.
            #[test]
            fn t35_rows_outside_of_a_partial_index() {
                let mut database = TestDatabase::new();
                database.run(
                    "CREATE TABLE three (a INTEGER PRIMARY KEY, b INTEGER NOT NULL, \
                     c INTEGER NOT NULL, v INTEGER NOT NULL)",
                );
                database.run("CREATE UNIQUE INDEX three_b ON three (b) WHERE b > 10");
                let conn = &mut database.conn;
                let new = |(a, b)| NewByB { a, b, c: 0, v: 0 };
                let rows = [(1, 2), (2, 20), (3, 2), (4, 20), (5, 2)].map(new);
                for chunk_size in [1, 2, 100] {
                    diesel::delete(three::table).execute(conn).unwrap();
                    let call = upsert(&rows).chunk_size(chunk_size);
                    assert_eq!(wait(call.execute(conn)).unwrap(), 4, "chunks of {chunk_size}");
                    let table: Vec<(i32, i32)> = three::table
                        .select((three::a, three::b))
                        .order(three::a)
                        .load(conn)
                        .unwrap();
                    assert_eq!(table, [(1, 2), (2, 20), (3, 2), (5, 2)]);
                }
            }

            // T43: a parameter there is an error (S), or one from the sixth time
            // on (P); there is none.
            #[test]
            fn t43_no_parameters_in_the_target() {
                let mut database = TestDatabase::new();
                create(&mut database, &create_fruits(""));
                create(
                    &mut database,
                    "CREATE UNIQUE INDEX fruits_key ON fruits (`key`) WHERE v > 5",
                );
                let rows = [Implied {
                    key: 1,
                    fruit: Some("a"),
                    v: 6,
                }];
                let statement = upsert(&rows).statement::<Backend>().unwrap();
                let sql = diesel::debug_query::<Backend, _>(&statement).to_string();
                assert!(sql.contains("> 5)"), "{sql}");
                let (sql, _) = sql.split_once(" -- binds").unwrap();
                assert_eq!(sql.matches(['?', '$']).count(), 3, "{sql}");
                if SYSTEM != System::Sqlite {
                    database.run("SET plan_cache_mode = force_generic_plan");
                }
                let conn = &mut database.conn;
                for _ in 0..8 {
                    assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 1);
                }
                assert_eq!(fruits(conn), [fruit(1, "a", 6)]);
            }
        }
    };
}

expression_targets!(targets_of_sqlite, sqlite);
#[cfg(feature = "postgres")]
expression_targets!(targets_of_postgres, postgres);

mod sqlite_only {
    use super::*;
    use crate::support::sqlite::{Conn, TestDatabase};

    fn threes(conn: &mut Conn) -> Vec<ThreeRow> {
        three::table.order(three::a).load(conn).unwrap()
    }

    // T33: an error where the target is not unique.
    #[test]
    fn t33_a_target_that_no_index_has() {
        for index in [
            "CREATE INDEX counters_name ON counters (name)",
            "CREATE UNIQUE INDEX counters_name ON counters (name, b)",
            "CREATE UNIQUE INDEX counters_name ON counters (name) WHERE b > 0",
            "CREATE UNIQUE INDEX counters_name ON counters (name || '')",
        ] {
            let mut database = TestDatabase::new();
            database
                .run("CREATE TABLE counters (name TEXT NOT NULL, b INTEGER NOT NULL DEFAULT 1)");
            database.run(index);
            let conn = &mut database.conn;
            let result = wait(Counter { name: "x" }.upsert(conn));
            assert!(
                matches!(result, Err(Error::NoUniqueIndex { .. })),
                "{index}: {result:?}"
            );
            let count = counters::table.count().get_result::<i64>(conn);
            assert_eq!(count, Ok(0));
        }
    }

    // T33: the target names no collation, so the index's own decides.
    #[test]
    fn t33_an_index_of_another_collation() {
        let mut database = TestDatabase::new();
        database.run("CREATE TABLE counters (name TEXT NOT NULL, b INTEGER NOT NULL DEFAULT 1)");
        database.run("CREATE UNIQUE INDEX counters_name ON counters (name COLLATE NOCASE)");
        let conn = &mut database.conn;
        let rows = ["x", "y", "X", "z", "Y", "x"].map(|name| Counter { name });
        for chunk_size in [1, 2, 100] {
            diesel::delete(counters::table).execute(conn).unwrap();
            assert_eq!(
                wait(upsert(&rows).chunk_size(chunk_size).execute(conn)).unwrap(),
                6
            );
            let table: Vec<(String, i32)> =
                counters::table.order(counters::name).load(conn).unwrap();
            let expected = [("x", 3), ("y", 2), ("z", 1)];
            assert_eq!(table, expected.map(|(name, b)| (name.to_owned(), b)));
        }
    }

    // T40: "cannot UPSERT a view".
    #[test]
    fn t40_a_view() {
        let mut database = TestDatabase::new();
        database.run("CREATE TABLE counted (name TEXT NOT NULL PRIMARY KEY, b INTEGER DEFAULT 1)");
        database.run("CREATE VIEW counters AS SELECT name, b FROM counted");
        database.run(
            "CREATE TRIGGER instead INSTEAD OF INSERT ON counters \
             BEGIN INSERT INTO counted (name) VALUES (NEW.name); END",
        );
        let conn = &mut database.conn;
        let result = wait(Counter { name: "x" }.upsert(conn));
        assert!(matches!(result, Err(Error::Statement { .. })), "{result:?}");
        let count = counters::table.count().get_result::<i64>(conn);
        assert_eq!(count, Ok(0));
    }

    // T42: the upsert's clause wins.
    #[test]
    fn t42_a_column_that_replaces_rows() {
        let mut database = TestDatabase::new();
        database.run(
            "CREATE TABLE three (a INTEGER PRIMARY KEY ON CONFLICT REPLACE, \
             b INTEGER NOT NULL UNIQUE ON CONFLICT REPLACE, c INTEGER NOT NULL, \
             v INTEGER NOT NULL)",
        );
        let conn = &mut database.conn;
        let rows = [(1, 1, 5, 0), (2, 2, 5, 0)].map(three);
        assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 2);
        assert_eq!(wait(three((1, 1, 9, 1)).upsert(conn)).unwrap(), 1);
        let rows = [three((2, 2, 9, 2))];
        let call = upsert(&rows).on_conflict(three::b);
        assert_eq!(wait(call.execute(conn)).unwrap(), 1);
        // `c` is kept, so the rows were updated and not replaced.
        assert_eq!(threes(conn), [(1, 1, 5, 1), (2, 2, 5, 2)]);
    }
}

#[cfg(feature = "postgres")]
mod postgres_only {
    use std::ops::Bound;

    use diesel::pg::Pg;
    use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};

    use super::*;
    use crate::support::postgres::{Conn, TestDatabase};

    /// The plan of a statement.
    struct Explain<Q>(Q);

    impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for Explain<Q> {
        fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
            out.unsafe_to_cache_prepared();
            out.push_sql("EXPLAIN (COSTS OFF) ");
            self.0.walk_ast(out.reborrow())
        }
    }

    impl<Q> QueryId for Explain<Q> {
        type QueryId = ();
        const HAS_STATIC_QUERY_ID: bool = false;
    }

    impl<Q> Query for Explain<Q> {
        type SqlType = Text;
    }

    impl<Q> RunQueryDsl<Conn> for Explain<Q> {}

    #[derive(Debug, Clone, Upsertable)]
    #[diesel(table_name = fruits)]
    #[upsert(target = (key, lower(fruit)))]
    struct ByKeyAndLower {
        key: i32,
        fruit: Option<&'static str>,
        #[on_conflict(update)]
        v: i32,
    }

    // T8: the narrower one is found.
    #[test]
    fn t08_two_indexes_on_expressions() {
        let mut database = TestDatabase::new();
        database.run(&in_words_of(System::Postgres, &create_fruits("")));
        database.run(
            "CREATE UNIQUE INDEX narrow ON fruits (key, lower(fruit)); \
             CREATE UNIQUE INDEX tricky ON fruits (key, lower(fruit), upper(fruit))",
        );
        let conn = &mut database.conn;
        let rows = [("Fig", 1), ("FIG", 2), ("Fog", 3)].map(|(fruit, v)| ByKeyAndLower {
            key: 1,
            fruit: Some(fruit),
            v,
        });
        assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 3);
        let table: Vec<FruitRow> = fruits::table.order(fruits::fruit).load(conn).unwrap();
        assert_eq!(table, [fruit(1, "Fig", 2), fruit(1, "Fog", 3)]);
        let statement = upsert(&rows).statement::<Pg>().unwrap();
        let plan: Vec<String> = Explain(statement).load(conn).unwrap();
        let plan = plan.join("\n");
        assert!(plan.contains("Conflict Arbiter Indexes: narrow"), "{plan}");
    }

    // T15: inserts, then updates; a row that the view would not show is an
    // error.
    #[test]
    fn t15_a_view_with_check_option() {
        let mut database = TestDatabase::new();
        database.run(
            "CREATE TABLE base (a integer PRIMARY KEY, b integer NOT NULL UNIQUE, \
             c integer NOT NULL, v integer NOT NULL); \
             CREATE VIEW three AS SELECT * FROM base WHERE v < 100 WITH CHECK OPTION",
        );
        let conn = &mut database.conn;
        let rows = [(1, 1, 0, 1), (2, 2, 0, 1), (1, 1, 0, 2)].map(three);
        assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 3);
        assert_eq!(wait(three((1, 1, 0, 3)).upsert(conn)).unwrap(), 1);
        let result = wait(three((1, 1, 0, 100)).upsert(conn));
        assert!(matches!(result, Err(Error::Statement { .. })), "{result:?}");
        let result = wait(three((3, 3, 0, 100)).upsert(conn));
        assert!(matches!(result, Err(Error::Statement { .. })), "{result:?}");
        let table: Vec<ThreeRow> = three::table.order(three::a).load(conn).unwrap();
        assert_eq!(table, [(1, 1, 0, 3), (2, 2, 0, 1)]);
        let rows = [(1, 1, 0, 3), (2, 2, 0, 9)].map(three);
        assert_eq!(
            wait(upsert(&rows).skip_unchanged(true).execute(conn)).unwrap(),
            1
        );
    }

    // T16: only the table's own rows are looked at.
    #[test]
    fn t16_inheritance() {
        let mut database = TestDatabase::new();
        database.run(
            "CREATE TABLE three (a integer PRIMARY KEY, b integer NOT NULL, c integer NOT NULL, \
             v integer NOT NULL); \
             CREATE TABLE child (PRIMARY KEY (a)) INHERITS (three); \
             INSERT INTO child VALUES (1, 1, 1, 1), (2, 2, 2, 2)",
        );
        let conn = &mut database.conn;
        let rows = [(1, 0, 0, 9), (3, 0, 0, 9)].map(three);
        assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 2);
        assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 2);
        let table: Vec<ThreeRow> = three::table.order((three::a, three::v)).load(conn).unwrap();
        let expected = [(1, 1, 1, 1), (1, 0, 0, 9), (2, 2, 2, 2), (3, 0, 0, 9)];
        assert_eq!(table, expected);
    }

    diesel::table! {
        bookings (id) {
            id -> Integer,
            span -> Int4range,
            v -> Integer,
        }
    }

    type Span = (Bound<i32>, Bound<i32>);

    #[derive(Debug, Clone, Upsertable)]
    #[diesel(table_name = bookings)]
    struct Booking {
        #[conflict_key]
        id: i32,
        span: Span,
        #[on_conflict(update)]
        v: i32,
    }

    #[derive(Debug, Clone, Upsertable)]
    #[diesel(table_name = bookings)]
    #[upsert(do_nothing, constraint = "bookings_do_not_overlap")]
    struct NewBooking {
        id: i32,
        span: Span,
        v: i32,
    }

    #[derive(Debug, Clone, Upsertable)]
    #[diesel(table_name = bookings)]
    #[upsert(constraint = "bookings_do_not_overlap")]
    struct OverlappingBooking {
        id: i32,
        span: Span,
        #[on_conflict(update)]
        v: i32,
    }

    const fn span(from: i32, to: i32) -> Span {
        (Bound::Included(from), Bound::Excluded(to))
    }

    // T19: an error; with the matching constraint nothing.
    #[test]
    fn t19_an_exclusion_constraint() {
        let mut database = TestDatabase::new();
        database.run(
            "CREATE TABLE bookings (id integer PRIMARY KEY, span int4range NOT NULL, \
             v integer NOT NULL, \
             CONSTRAINT bookings_do_not_overlap EXCLUDE USING gist (span WITH &&))",
        );
        let conn = &mut database.conn;
        let booking = |id, span, v| Booking { id, span, v };
        assert_eq!(wait(booking(1, span(0, 10), 1).upsert(conn)).unwrap(), 1);
        assert_eq!(wait(booking(1, span(5, 15), 2).upsert(conn)).unwrap(), 1);
        let result = wait(booking(2, span(5, 15), 3).upsert(conn));
        assert!(result.is_err(), "{result:?}");

        let new = [(2, span(5, 15)), (3, span(10, 20)), (4, span(15, 16))]
            .map(|(id, span)| NewBooking { id, span, v: 9 });
        assert_eq!(wait(upsert(&new).execute(conn)).unwrap(), 1);
        let rows = [booking(5, span(5, 15), 3)];
        let call = upsert(&rows)
            .on_conflict(upsert_core::on_constraint("bookings_do_not_overlap"))
            .do_nothing();
        assert_eq!(wait(call.execute(conn)).unwrap(), 0);
        // It cannot be updated by.
        let row = OverlappingBooking {
            id: 6,
            span: span(5, 15),
            v: 6,
        };
        let result = wait(row.upsert(conn));
        assert!(matches!(result, Err(Error::Statement { .. })), "{result:?}");
        let table: Vec<(i32, i32)> = bookings::table
            .select((bookings::id, bookings::v))
            .order(bookings::id)
            .load(conn)
            .unwrap();
        assert_eq!(table, [(1, 2), (3, 9)]);
    }

    // T21: an error on the parent, ok on the partition.
    #[test]
    fn t21_an_index_of_a_partition() {
        mod partition {
            diesel::table! {
                low (a) {
                    a -> Integer,
                    b -> Integer,
                    c -> Integer,
                    v -> Integer,
                }
            }

            #[derive(Debug, upsert_core::Upsertable)]
            #[diesel(table_name = low)]
            pub(super) struct Low {
                #[conflict_key]
                pub(super) a: i32,
                pub(super) b: i32,
                pub(super) c: i32,
                #[on_conflict(add)]
                pub(super) v: i32,
            }
        }

        let mut database = TestDatabase::new();
        database.run(
            "CREATE TABLE three (a integer NOT NULL, b integer NOT NULL, c integer NOT NULL, \
             v integer NOT NULL) PARTITION BY RANGE (b); \
             CREATE TABLE low PARTITION OF three FOR VALUES FROM (0) TO (10); \
             CREATE TABLE high PARTITION OF three FOR VALUES FROM (10) TO (20); \
             CREATE UNIQUE INDEX low_a ON low (a)",
        );
        let conn = &mut database.conn;
        let result = wait(three((1, 1, 1, 1)).upsert(conn));
        assert!(
            matches!(result, Err(Error::NoUniqueIndex { .. })),
            "{result:?}"
        );
        let low = |v| partition::Low {
            a: 1,
            b: 1,
            c: 1,
            v,
        };
        let rows = [low(1), low(2), low(4)];
        assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 3);
        let table: Vec<ThreeRow> = three::table.load(conn).unwrap();
        assert_eq!(table, [(1, 1, 1, 7)]);
    }

    // T21, and the other way round: the partitioned table's own index.
    #[test]
    fn t21_an_index_of_the_partitioned_table() {
        let mut database = TestDatabase::new();
        database.run(
            "CREATE TABLE three (a integer NOT NULL, b integer NOT NULL, c integer NOT NULL, \
             v integer NOT NULL, PRIMARY KEY (a)) PARTITION BY RANGE (a); \
             CREATE TABLE low (v integer NOT NULL, c integer NOT NULL, b integer NOT NULL, \
             a integer NOT NULL); \
             ALTER TABLE three ATTACH PARTITION low FOR VALUES FROM (0) TO (10); \
             CREATE TABLE high PARTITION OF three FOR VALUES FROM (10) TO (20)",
        );
        let conn = &mut database.conn;
        // The columns of one partition are in another order.
        let rows = [(1, 2, 3, 4), (11, 12, 13, 14)].map(whole_three);
        assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 2);
        let call = upsert(&rows).skip_unchanged(true);
        assert_eq!(wait(call.execute(conn)).unwrap(), 0);
        let rows = [(1, 2, 3, 5), (11, 12, 13, 14)].map(whole_three);
        let call = upsert(&rows).skip_unchanged(true);
        assert_eq!(wait(call.execute(conn)).unwrap(), 1);
        let table: Vec<ThreeRow> = three::table.order(three::a).load(conn).unwrap();
        assert_eq!(table, [(1, 2, 3, 5), (11, 12, 13, 14)]);
    }
}

#[cfg(feature = "mysql")]
mod mysql_only {
    use chrono::{NaiveDate, NaiveDateTime};

    use super::*;
    use crate::support::mysql::{Conn, TestDatabase};

    diesel::table! {
        stamped (id) {
            id -> Integer,
            v -> Integer,
            changed -> Timestamp,
        }
    }

    #[derive(Debug, Clone, Upsertable)]
    #[diesel(table_name = stamped)]
    #[upsert(update_all)]
    struct Stamped {
        #[conflict_key]
        id: i32,
        v: i32,
    }

    // T60: stays where the row is unchanged.
    #[test]
    fn t60_a_timestamp_of_changes() {
        let mut database = TestDatabase::new();
        database.run(
            "CREATE TABLE stamped (id INTEGER NOT NULL PRIMARY KEY, v INTEGER NOT NULL, \
             changed TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP)",
        );
        let conn = &mut database.conn;
        let long_ago = NaiveDate::from_ymd_opt(2020, 1, 1)
            .unwrap()
            .and_hms_opt(0, 0, 0)
            .unwrap();
        let set_back = |conn: &mut Conn| {
            diesel::update(stamped::table)
                .set(stamped::changed.eq(long_ago))
                .execute(conn)
                .unwrap();
        };
        let changed = |conn: &mut Conn| {
            let changed: NaiveDateTime =
                stamped::table.select(stamped::changed).first(conn).unwrap();
            changed != long_ago
        };
        let row = |v| [Stamped { id: 1, v }];
        assert_eq!(wait(upsert(row(1)).execute(conn)).unwrap(), 1);
        set_back(conn);
        assert_eq!(wait(upsert(row(1)).execute(conn)).unwrap(), 1);
        assert!(!changed(conn));
        assert_eq!(
            wait(upsert(row(1)).skip_unchanged(true).execute(conn)).unwrap(),
            0
        );
        assert!(!changed(conn));
        let call = upsert(row(2)).update_if(stamped::v.gt(1));
        assert_eq!(wait(call.execute(conn)).unwrap(), 0);
        assert!(!changed(conn));
        assert_eq!(wait(upsert(row(2)).do_nothing().execute(conn)).unwrap(), 0);
        assert!(!changed(conn));
        assert_eq!(
            wait(upsert(row(2)).skip_unchanged(true).execute(conn)).unwrap(),
            1
        );
        assert!(changed(conn));
        set_back(conn);
        // What is assigned wins over the clock.
        let call = upsert(row(3)).set(stamped::changed, long_ago);
        assert_eq!(wait(call.execute(conn)).unwrap(), 1);
        assert!(!changed(conn));
    }

    // T40, T48: a view is not looked up; its table's index decides.
    #[test]
    fn t40_a_view() {
        let mut database = TestDatabase::new();
        database.run(
            "CREATE TABLE base (a INTEGER NOT NULL PRIMARY KEY, b INTEGER NOT NULL, \
             c INTEGER NOT NULL, v INTEGER NOT NULL)",
        );
        database.run("CREATE VIEW three AS SELECT * FROM base");
        let conn = &mut database.conn;
        let rows = [(1, 1, 0, 1), (2, 2, 0, 1), (1, 1, 0, 2)].map(three);
        assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 3);
        let rows = [(1, 1, 0, 2), (2, 2, 0, 3)].map(three);
        assert_eq!(
            wait(upsert(&rows).skip_unchanged(true).execute(conn)).unwrap(),
            1
        );
        let table: Vec<ThreeRow> = three::table.order(three::a).load(conn).unwrap();
        assert_eq!(table, [(1, 1, 0, 2), (2, 2, 0, 3)]);
    }
}

//! What `None` means: NULL on a nullable column, "not supplied" on another.

// Diesel's `Insertable` makes such types of the models here.
#![allow(clippy::ref_option_ref)]

use diesel::prelude::*;

use crate::api::{Upsertable, upsert, wait};
use crate::support::{Recorder, on_every_database};

diesel::table! {
    profiles (id) {
        id -> Integer,
        // NULL, or 'nobody' where a row does not supply it.
        nick -> Nullable<Text>,
        // 7 where a row does not supply it.
        level -> Integer,
        // 'new' where a row does not supply it.
        state -> Text,
    }
}

const CREATE: &str = "CREATE TABLE profiles (id INTEGER NOT NULL PRIMARY KEY, \
     nick VARCHAR(20) DEFAULT 'nobody', level INTEGER NOT NULL DEFAULT 7, \
     state VARCHAR(20) NOT NULL DEFAULT 'new')";

type Row = (i32, Option<String>, i32, String);

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = profiles)]
#[upsert(update_all)]
struct Profile {
    #[conflict_key]
    id: i32,
    nick: Option<&'static str>,
    level: Option<i32>,
    state: Option<&'static str>,
}

/// The same, with `None` as "not supplied" everywhere.
#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = profiles, treat_none_as_default_value = true)]
#[upsert(update_all)]
struct Sparse {
    #[conflict_key]
    id: i32,
    nick: Option<&'static str>,
    level: Option<i32>,
    // The struct's setting does not matter to what is no `Option`.
    state: &'static str,
}

/// The same, on one field.
#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = profiles)]
#[upsert(update_all)]
struct SparseNick {
    #[conflict_key]
    id: i32,
    #[diesel(treat_none_as_default_value = true)]
    nick: Option<&'static str>,
    level: Option<i32>,
    #[on_conflict(keep)]
    state: Option<&'static str>,
}

/// `None` is NULL.
#[derive(Debug, Clone, Insertable, Upsertable)]
#[diesel(table_name = profiles, treat_none_as_default_value = false)]
#[upsert(update_all)]
struct Dense {
    #[conflict_key]
    id: i32,
    nick: Option<&'static str>,
    level: i32,
}

/// `None` is NULL on this field only.
#[derive(Debug, Clone, Insertable, Upsertable)]
#[diesel(table_name = profiles, treat_none_as_default_value = true)]
#[upsert(update_all)]
struct DenseNick {
    #[conflict_key]
    id: i32,
    #[diesel(treat_none_as_default_value = false)]
    nick: Option<&'static str>,
    level: Option<i32>,
}

/// Has nothing to update where the row does not supply `level`.
#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = profiles)]
struct Promotion {
    #[conflict_key]
    id: i32,
    nick: &'static str,
    #[on_conflict(update)]
    level: Option<i32>,
}

/// Has neither other columns nor others to update.
#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = profiles)]
#[upsert(update_all)]
struct OnlyLevel {
    #[conflict_key]
    id: i32,
    level: Option<i32>,
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = profiles)]
#[upsert(do_nothing)]
struct New {
    #[conflict_key]
    id: i32,
    nick: Option<&'static str>,
    level: Option<i32>,
}

fn row(id: i32, nick: impl Into<Option<&'static str>>, level: i32, state: &str) -> Row {
    (id, nick.into().map(str::to_owned), level, state.to_owned())
}

const OLD: [Profile; 4] = [
    Profile {
        id: 1,
        nick: Some("one"),
        level: Some(1),
        state: Some("old"),
    },
    Profile {
        id: 2,
        nick: Some("two"),
        level: Some(2),
        state: Some("old"),
    },
    Profile {
        id: 3,
        nick: Some("three"),
        level: Some(3),
        state: Some("old"),
    },
    Profile {
        id: 4,
        nick: Some("four"),
        level: Some(4),
        state: Some("old"),
    },
];

on_every_database! {
    shared {
        fn rows(conn: &mut Conn) -> Vec<Row> {
            profiles::table.order(profiles::id).load(conn).unwrap()
        }

        /// The table with four rows.
        fn create(database: &mut system::TestDatabase) {
            database.run(CREATE);
            assert_eq!(wait(upsert(&OLD).execute(&mut database.conn)).unwrap(), 4);
        }
    }

    #[test]
    fn null_or_not_supplied_by_the_column(database) {
        create(&mut database);
        let conn = &mut database.conn;
        let profiles = [
            Profile { id: 9, nick: None, level: None, state: None },
            Profile { id: 1, nick: None, level: None, state: None },
            Profile { id: 8, nick: Some("eight"), level: None, state: Some("set") },
            Profile { id: 2, nick: Some("deux"), level: None, state: Some("set") },
            Profile { id: 3, nick: None, level: Some(30), state: None },
            Profile { id: 7, nick: None, level: Some(70), state: None },
            Profile { id: 4, nick: Some("quatre"), level: Some(40), state: Some("set") },
        ];
        let expected = [
            row(1, None, 1, "old"),
            row(2, "deux", 2, "set"),
            row(3, None, 30, "old"),
            row(4, "quatre", 40, "set"),
            row(7, None, 70, "new"),
            row(8, "eight", 7, "set"),
            row(9, None, 7, "new"),
        ];
        for chunk_size in [1, 2, 3, 100] {
            diesel::delete(profiles::table).execute(conn).unwrap();
            wait(upsert(&OLD).execute(conn)).unwrap();
            assert_eq!(wait(upsert(&profiles).chunk_size(chunk_size).execute(conn)).unwrap(), 7);
            assert_eq!(rows(conn), expected, "{chunk_size}");
        }
        // One by one they are the same.
        diesel::delete(profiles::table).execute(conn).unwrap();
        wait(upsert(&OLD).execute(conn)).unwrap();
        for profile in &profiles {
            assert_eq!(wait(profile.upsert(conn)).unwrap(), 1);
        }
        assert_eq!(rows(conn), expected);
    }

    #[test]
    fn one_key_with_different_columns(database) {
        create(&mut database);
        let conn = &mut database.conn;
        let profiles = [
            Profile { id: 1, nick: Some("a"), level: Some(10), state: None },
            Profile { id: 9, nick: Some("b"), level: None, state: Some("first") },
            Profile { id: 1, nick: None, level: None, state: Some("second") },
            Profile { id: 9, nick: None, level: Some(90), state: None },
            Profile { id: 9, nick: Some("c"), level: None, state: None },
        ];
        assert_eq!(wait(upsert(&profiles).execute(conn)).unwrap(), 5);
        assert_eq!(
            rows(conn),
            [
                row(1, None, 10, "second"),
                row(2, "two", 2, "old"),
                row(3, "three", 3, "old"),
                row(4, "four", 4, "old"),
                row(9, "c", 90, "first"),
            ],
        );
    }

    #[test]
    fn every_none_is_not_supplied_on_request(database) {
        create(&mut database);
        let conn = &mut database.conn;
        let sparse = [
            Sparse { id: 1, nick: None, level: None, state: "set" },
            Sparse { id: 2, nick: Some("deux"), level: None, state: "set" },
            Sparse { id: 8, nick: None, level: None, state: "set" },
            Sparse { id: 9, nick: None, level: Some(9), state: "set" },
        ];
        assert_eq!(wait(upsert(&sparse).execute(conn)).unwrap(), 4);
        let mut expected = vec![
            row(1, "one", 1, "set"),
            row(2, "deux", 2, "set"),
            row(3, "three", 3, "old"),
            row(4, "four", 4, "old"),
            row(8, "nobody", 7, "set"),
            row(9, "nobody", 9, "set"),
        ];
        assert_eq!(rows(conn), expected);

        let sparse = [
            SparseNick { id: 2, nick: None, level: None, state: Some("not kept") },
            SparseNick { id: 6, nick: None, level: Some(6), state: None },
            SparseNick { id: 7, nick: Some("seven"), level: None, state: Some("set") },
        ];
        assert_eq!(wait(upsert(&sparse).execute(conn)).unwrap(), 2);
        expected.insert(4, row(6, "nobody", 6, "new"));
        expected.insert(5, row(7, "seven", 7, "set"));
        assert_eq!(rows(conn), expected);
    }

    #[test]
    fn none_is_null_on_request(database) {
        create(&mut database);
        let conn = &mut database.conn;
        let dense = [
            Dense { id: 1, nick: None, level: 10 },
            Dense { id: 9, nick: None, level: 90 },
            Dense { id: 2, nick: Some("deux"), level: 20 },
        ];
        let recorder = Recorder::of(conn);
        assert_eq!(wait(upsert(&dense).execute(conn)).unwrap(), 3);
        let statements: Vec<_> = recorder.take_upserts();
        for statement in &statements {
            assert!(statement.contains("nick"), "{statement}");
        }
        assert_eq!(
            rows(conn),
            [
                row(1, None, 10, "old"),
                row(2, "deux", 20, "old"),
                row(3, "three", 3, "old"),
                row(4, "four", 4, "old"),
                row(9, None, 90, "new"),
            ],
        );

        let dense = [
            DenseNick { id: 3, nick: None, level: None },
            DenseNick { id: 8, nick: None, level: None },
            DenseNick { id: 4, nick: None, level: Some(40) },
        ];
        assert_eq!(wait(upsert(&dense).execute(conn)).unwrap(), 3);
        assert_eq!(
            rows(conn),
            [
                row(1, None, 10, "old"),
                row(2, "deux", 20, "old"),
                row(3, None, 3, "old"),
                row(4, None, 40, "old"),
                row(8, None, 7, "new"),
                row(9, None, 90, "new"),
            ],
        );
    }

    #[test]
    fn a_row_without_anything_to_update_is_kept(database) {
        create(&mut database);
        let conn = &mut database.conn;
        let levels = [
            Promotion { id: 1, nick: "un", level: None },
            Promotion { id: 8, nick: "huit", level: None },
            Promotion { id: 2, nick: "deux", level: Some(20) },
            Promotion { id: 9, nick: "neuf", level: Some(90) },
        ];
        let expected = [
            row(1, "one", 1, "old"),
            row(2, "two", 20, "old"),
            row(3, "three", 3, "old"),
            row(4, "four", 4, "old"),
            row(8, "huit", 7, "new"),
            row(9, "neuf", 90, "new"),
        ];
        assert_eq!(wait(upsert(&levels).execute(conn)).unwrap(), 3);
        assert_eq!(rows(conn), expected);
        // Now two of them have nothing to write.
        assert_eq!(wait(upsert(&levels).execute(conn)).unwrap(), 2);
        assert_eq!(rows(conn), expected);
        assert_eq!(wait(levels[0].upsert(conn)).unwrap(), 0);
        assert_eq!(rows(conn), expected);
    }

    #[test]
    fn rows_without_anything_to_update_are_counted_as_kept(database) {
        create(&mut database);
        let conn = &mut database.conn;
        // All rows of the call supply the same columns, none that is updated.
        let levels = [
            OnlyLevel { id: 1, level: None },
            OnlyLevel { id: 9, level: None },
            OnlyLevel { id: 1, level: None },
            OnlyLevel { id: 9, level: None },
            OnlyLevel { id: 9, level: None },
        ];
        let expected = [
            row(1, "one", 1, "old"),
            row(2, "two", 2, "old"),
            row(3, "three", 3, "old"),
            row(4, "four", 4, "old"),
            row(9, "nobody", 7, "new"),
        ];
        let one_by_one: usize = levels.iter().map(|it| wait(it.upsert(conn)).unwrap()).sum();
        assert_eq!(one_by_one, 1);
        assert_eq!(rows(conn), expected);

        diesel::delete(profiles::table.find(9)).execute(conn).unwrap();
        assert_eq!(wait(upsert(&levels).execute(conn)).unwrap(), one_by_one);
        assert_eq!(rows(conn), expected);
    }

    #[test]
    fn none_in_a_model_that_does_nothing(database) {
        create(&mut database);
        let conn = &mut database.conn;
        let new = [
            New { id: 1, nick: None, level: None },
            New { id: 7, nick: None, level: None },
            New { id: 8, nick: Some("eight"), level: None },
            New { id: 9, nick: None, level: Some(9) },
            New { id: 7, nick: Some("again"), level: Some(0) },
        ];
        let expected = [
            row(1, "one", 1, "old"),
            row(2, "two", 2, "old"),
            row(3, "three", 3, "old"),
            row(4, "four", 4, "old"),
            row(7, None, 7, "new"),
            row(8, "eight", 7, "new"),
            row(9, None, 9, "new"),
        ];
        assert_eq!(wait(upsert(&new).execute(conn)).unwrap(), 3);
        assert_eq!(rows(conn), expected);
        assert_eq!(wait(upsert(&new).execute(conn)).unwrap(), 0);
        assert_eq!(rows(conn), expected);
    }
}

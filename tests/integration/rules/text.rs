//! Text that the database holds equal.

use super::words::*;
use super::*;

/// A word, another one, and what the column makes of it.
type Change = (&'static str, &'static str, &'static str);

/// Words that differ, though many a collation holds them equal.
const WORDS: [Change; 7] = [
    ("abc", "ABC", "ABC"),
    ("abc", "abC", "abC"),
    ("É", "é", "é"),
    ("e", "é", "é"),
    ("ß", "ss", "ss"),
    ("e\u{301}", "é", "é"),
    ("", "a", "a"),
];

const SPACES: [Change; 4] = [
    ("abc", "abc ", "abc "),
    ("abc  ", "abc", "abc"),
    ("", " ", " "),
    ("abc", "ABC ", "ABC "),
];

macro_rules! label_checks {
    ($conn:ty) => {
        fn label_row(conn: &mut $conn) -> (String, i32) {
            labels::table
                .select((labels::word.assume_not_null(), labels::seen))
                .first(conn)
                .unwrap()
        }

        /// The word is written, and the row touched, exactly if it changes.
        fn check_labels(conn: &mut $conn, changes: &[Change]) {
            for (old, new, stored) in changes.iter().copied() {
                diesel::delete(labels::table).execute(conn).unwrap();
                assert_eq!(wait(label(1, old).upsert(conn)).unwrap(), 1);
                assert_eq!(
                    wait(label(1, old).upsert(conn)).unwrap(),
                    0,
                    "{old:?} again"
                );
                let before = label_row(conn).0;
                let changed = before != stored;
                let written = wait(label(1, new).upsert(conn)).unwrap();
                assert_eq!(written, usize::from(changed), "{old:?} to {new:?}");
                assert_eq!(
                    label_row(conn),
                    (stored.to_owned(), 0),
                    "{old:?} to {new:?}"
                );
                assert_eq!(
                    wait(label(1, new).upsert(conn)).unwrap(),
                    0,
                    "{new:?} again"
                );

                diesel::delete(labels::table).execute(conn).unwrap();
                let words = [old, old, new, new, old];
                let rows = words.map(|word| TouchedLabel {
                    id: 1,
                    word: Some(word),
                });
                assert_eq!(wait(TouchedLabel::bulk_upsert(conn, &rows)).unwrap(), 5);
                let touches = if changed { 2 } else { 0 };
                assert_eq!(label_row(conn), (before, touches), "{old:?} to {new:?}");
            }
        }

        /// A word that is written only along with another change, whatever the
        /// type of the column.
        fn check_touched_labels(conn: &mut $conn, old: &'static str, new: &'static str) {
            diesel::delete(labels::table).execute(conn).unwrap();
            assert_eq!(wait(label(1, old).upsert(conn)).unwrap(), 1);
            let before = label_row(conn).0;
            let mut touch = |step: i32, skip: bool| {
                let row = [label(1, new)];
                let call = upsert(&row)
                    .rule(labels::word, rule::Keep)
                    .set(labels::seen, labels::seen + step)
                    .skip_unchanged(skip);
                let written = if step == 2 {
                    wait(call.rule(labels::word, rule::Touch).execute(conn))
                } else {
                    wait(call.touch(labels::word, new).execute(conn))
                };
                (written.unwrap(), label_row(conn))
            };
            assert_eq!(touch(0, false), (1, (before.clone(), 0)));
            assert_eq!(touch(0, true), (0, (before, 0)));
            let (written, (after, seen)) = touch(1, false);
            assert_eq!((written, after.trim_end(), seen), (1, new, 1));
            let (written, (after, seen)) = touch(2, true);
            assert_eq!((written, after.trim_end(), seen), (1, new, 3));
        }

        /// The same where the word comes from an expression.
        fn check_set_labels(conn: &mut $conn, changes: &[Change]) {
            for (old, new, stored) in changes.iter().copied() {
                diesel::delete(labels::table).execute(conn).unwrap();
                assert_eq!(wait(label(1, old).upsert(conn)).unwrap(), 1);
                let mut set = |word: &str| {
                    let row = [label(1, "other")];
                    let call = upsert(&row).set(labels::word, word);
                    wait(call.touch(labels::seen, labels::seen + 1).execute(conn))
                };
                assert_eq!(set(old).unwrap(), 0, "{old:?} again");
                assert_eq!(set(new).unwrap(), 1, "{old:?} to {new:?}");
                assert_eq!(set(new).unwrap(), 0, "{new:?} again");
                assert_eq!(
                    label_row(conn),
                    (stored.to_owned(), 1),
                    "{old:?} to {new:?}"
                );
            }
        }

        /// Words that the database holds equal: of those the old one stays, for
        /// the larger and for the smaller.
        fn check_equal_labels(conn: &mut $conn, changes: &[Change]) {
            for (old, new, _) in changes.iter().copied() {
                for (max, skip) in [(true, true), (true, false), (false, true), (false, false)] {
                    diesel::delete(labels::table).execute(conn).unwrap();
                    wait(label(1, old).upsert(conn)).unwrap();
                    let rows = [AnyLabel {
                        id: 1,
                        word: Some(new),
                    }];
                    let call = upsert(&rows).skip_unchanged(skip);
                    let call = if max {
                        call.rule(labels::word, rule::Max)
                    } else {
                        call.rule(labels::word, rule::Min)
                    };
                    let context = format!("{old:?} and {new:?}, larger: {max}");
                    assert_eq!(
                        wait(call.execute(conn)).unwrap(),
                        usize::from(!skip),
                        "{context}"
                    );
                    assert_eq!(label_row(conn).0, old, "{context}");
                }
            }
        }
    };
}

mod on_sqlite_only {
    use super::*;
    use crate::support::sqlite::{Conn, TestDatabase};

    label_checks!(Conn);

    #[test]
    fn changes() {
        for column in ["TEXT", "TEXT COLLATE NOCASE", "TEXT COLLATE RTRIM", "BLOB"] {
            let mut database = TestDatabase::new();
            database.run(&create_labels(column));
            check_labels(&mut database.conn, &WORDS);
            check_labels(&mut database.conn, &SPACES);
            check_touched_labels(&mut database.conn, "É", "é");
            check_set_labels(&mut database.conn, &WORDS);
            check_set_labels(&mut database.conn, &SPACES);
        }
    }

    #[test]
    fn equal_words() {
        let mut database = TestDatabase::new();
        database.run(&create_labels("TEXT COLLATE NOCASE"));
        check_equal_labels(&mut database.conn, &WORDS[..2]);
        database.run("DROP TABLE labels");
        database.run(&create_labels("TEXT COLLATE RTRIM"));
        check_equal_labels(&mut database.conn, &SPACES[..3]);
    }

    /// A column without a type keeps 1 and '1' apart.
    #[test]
    fn a_column_that_had_a_number() {
        let mut database = TestDatabase::new();
        database.run(&create_labels(""));
        let conn = &mut database.conn;
        diesel::sql_query("INSERT INTO labels (id, word) VALUES (1, 1), (2, '1')")
            .execute(conn)
            .unwrap();
        let rows = [label(1, "1"), label(2, "1")];
        assert_eq!(wait(Label::bulk_upsert(conn, &rows)).unwrap(), 1);
        assert_eq!(wait(Label::bulk_upsert(conn, &rows)).unwrap(), 0);
    }
}

#[cfg(feature = "mysql")]
mod on_mysql_only {
    use super::*;
    use crate::support::mysql::{Conn, TestDatabase};

    label_checks!(Conn);

    #[test]
    fn changes() {
        for column in [
            "varchar(20) COLLATE utf8mb4_general_ci",
            "varchar(20) COLLATE utf8mb4_unicode_ci",
            "varchar(20) COLLATE utf8mb4_bin",
            "varchar(20) COLLATE utf8mb4_nopad_bin",
            "text COLLATE utf8mb4_general_ci",
            "varchar(20) CHARACTER SET ucs2",
        ] {
            let mut database = TestDatabase::new();
            database.run(&create_labels(column));
            check_labels(&mut database.conn, &WORDS);
            check_labels(&mut database.conn, &SPACES);
            check_touched_labels(&mut database.conn, "É", "é");
            check_set_labels(&mut database.conn, &WORDS);
            check_set_labels(&mut database.conn, &SPACES);
        }
    }

    /// The column cuts spaces off.
    #[test]
    fn changes_of_padded_text() {
        let mut database = TestDatabase::new();
        database.run(&create_labels("char(20) COLLATE utf8mb4_general_ci"));
        check_labels(&mut database.conn, &WORDS);
        let changes = SPACES.map(|(old, new, stored)| (old, new, stored.trim_end()));
        check_labels(&mut database.conn, &changes);
        check_touched_labels(&mut database.conn, "a", "b");
    }

    #[test]
    fn changes_in_an_old_character_set() {
        let mut database = TestDatabase::new();
        database.run(&create_labels("varchar(20) CHARACTER SET latin1"));
        check_labels(&mut database.conn, &WORDS[..5]);
        check_labels(&mut database.conn, &SPACES);
        check_set_labels(&mut database.conn, &WORDS[..5]);
    }

    #[test]
    fn equal_words() {
        let mut database = TestDatabase::new();
        database.run(&create_labels("varchar(20) COLLATE utf8mb4_general_ci"));
        check_equal_labels(&mut database.conn, &WORDS[..4]);
        check_equal_labels(&mut database.conn, &SPACES);
        database.run("DROP TABLE labels");
        database.run(&create_labels("varchar(20) COLLATE utf8mb4_bin"));
        check_equal_labels(&mut database.conn, &SPACES[..3]);
    }

    #[test]
    fn enumerations() {
        let mut database = TestDatabase::new();
        database.run(&create_labels("ENUM ('b', 'a', 'c')"));
        check_labels(&mut database.conn, &[("a", "b", "b"), ("c", "a", "a")]);
        check_touched_labels(&mut database.conn, "a", "b");
    }

    #[test]
    fn json_is_text() {
        let mut database = TestDatabase::new();
        database.run(&create_labels("JSON"));
        let changes = [
            (r#"{"a":1}"#, r#"{"a":1.0}"#, r#"{"a":1.0}"#),
            (r#"{"a":1}"#, r#"{"a": 1}"#, r#"{"a": 1}"#),
            (r#"["x"]"#, r#"["X"]"#, r#"["X"]"#),
        ];
        check_labels(&mut database.conn, &changes);
    }
}

#[cfg(feature = "postgres")]
mod on_postgres_only {
    use super::*;
    use crate::support::postgres::{Conn, ExtensionLock, TestDatabase};

    label_checks!(Conn);

    fn create_collations(database: &mut TestDatabase) {
        database.run(
            "CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', \
             deterministic = false); \
             CREATE COLLATION ai (provider = icu, locale = 'und-u-ks-level1', \
             deterministic = false)",
        );
    }

    #[test]
    fn changes() {
        for column in [
            "text",
            "varchar(20)",
            "text COLLATE ci",
            "text COLLATE ai",
            "text COLLATE \"C\"",
        ] {
            let mut database = TestDatabase::new();
            create_collations(&mut database);
            database.run(&create_labels(column));
            check_labels(&mut database.conn, &WORDS);
            check_labels(&mut database.conn, &SPACES);
            check_touched_labels(&mut database.conn, "É", "é");
            check_set_labels(&mut database.conn, &WORDS);
            check_set_labels(&mut database.conn, &SPACES);
        }
    }

    #[test]
    fn changes_of_citext() {
        let mut lock = ExtensionLock::take();
        let mut database = TestDatabase::new();
        lock.create("citext", &mut database);
        database.run(&create_labels("citext"));
        check_touched_labels(&mut database.conn, "a", "A");
        check_labels(&mut database.conn, &WORDS);
        check_labels(&mut database.conn, &SPACES);
        check_equal_labels(&mut database.conn, &WORDS[..3]);
    }

    /// The column pads with spaces.
    #[test]
    fn changes_of_padded_text() {
        let mut database = TestDatabase::new();
        database.run(&create_labels("char(4)"));
        let conn = &mut database.conn;
        for (new, written) in [("abc", 1), ("abc ", 0), ("ABC", 1), ("ABC", 0), ("AB", 1)] {
            assert_eq!(
                wait(label(1, new).upsert(conn)).unwrap(),
                written,
                "{new:?}"
            );
        }
        check_touched_labels(conn, "a", "b");
    }

    #[test]
    fn equal_words() {
        let mut database = TestDatabase::new();
        create_collations(&mut database);
        database.run(&create_labels("text COLLATE ai"));
        check_equal_labels(&mut database.conn, &WORDS[..4]);
    }
}

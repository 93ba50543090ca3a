//! Tables of SQLite.

use crate::api::register_collation;

super::cases_on!(sqlite);

keyed!(text: &'static str as [Text]);
keyed!(nullable: Option<&'static str> as [Nullable<Text>], conflict_key(nullable));
keyed!(big: i64 as [BigInt]);
keyed!(double: f64 as [Double]);
keyed!(bytes: &'static [u8] as [Binary]);

const TEXT: &str = "CAST(k AS TEXT)";

fn created(columns: &str) -> String {
    format!(
        "DROP TABLE IF EXISTS items; CREATE TABLE items ({columns}); \
         INSERT INTO items (k, v) VALUES ('a', 1), ('b', 5)"
    )
}

fn items(key: &str) -> String {
    created(&format!(
        "id INTEGER PRIMARY KEY, k {key}, v INTEGER NOT NULL"
    ))
}

fn case<K: Clone>(
    name: &'static str,
    setup: impl Into<String>,
    how: How,
    input: &[(K, i32)],
) -> Case<K> {
    Case::new(name, setup, how, input).key(TEXT)
}

fn as_usual(name: &'static str, setup: &str) -> [Case<&'static str>; 5] {
    let input = [("c", 1), ("b", 5), ("a", 2), ("c", 1), ("a", 0)];
    let case = |how| Case::new(name, setup, how, &input).key(TEXT);
    [
        case(How::Update).tells("Inserted - c=1; Updated b=5 b=5; Updated a=1 a=2; Updated c=1 c=1; Updated a=2 a=0", "a=0 b=5 c=1"),
        case(How::Nothing).tells("Inserted - c=1; Skipped b=5 b=5; Skipped a=1 a=1; Skipped c=1 c=1; Skipped a=1 a=1", "a=1 b=5 c=1"),
        case(How::Changed).tells("Inserted - c=1; Unchanged b=5 b=5; Updated a=1 a=2; Unchanged c=1 c=1; Updated a=2 a=0", "a=0 b=5 c=1"),
        case(How::Smaller).tells("Inserted - c=1; Skipped b=5 b=5; Updated a=1 a=2; Skipped c=1 c=1; Skipped a=2 a=2", "a=2 b=5 c=1"),
        case(How::SmallerChanged).tells("Inserted - c=1; Skipped b=5 b=5; Updated a=1 a=2; Skipped c=1 c=1; Skipped a=2 a=2", "a=2 b=5 c=1"),
    ]
}

const ID: &str = "id INTEGER NOT NULL DEFAULT (abs(random() % 1000000000))";

#[test]
fn tables_like_any_other() {
    let mut cases = Cases::new();
    for (name, setup) in [
        ("a plain table", items("TEXT UNIQUE")),
        (
            "WITHOUT ROWID",
            created(&format!(
                "{ID}, k TEXT PRIMARY KEY, v INTEGER NOT NULL) WITHOUT ROWID --"
            ))
            .replace("--)", ""),
        ),
        (
            "STRICT",
            created("id INTEGER PRIMARY KEY, k TEXT UNIQUE, v INTEGER NOT NULL) STRICT --")
                .replace("--)", ""),
        ),
        (
            "AUTOINCREMENT",
            created("id INTEGER PRIMARY KEY AUTOINCREMENT, k TEXT UNIQUE, v INTEGER NOT NULL"),
        ),
        (
            "a generated column",
            created(
                "g TEXT AS (k || 'x') STORED, id INTEGER PRIMARY KEY, h AS (v + 1), k TEXT UNIQUE, v INTEGER NOT NULL",
            ),
        ),
        ("NOCASE", items("TEXT COLLATE NOCASE UNIQUE")),
        ("a key of no type", items("UNIQUE")),
        (
            "recursive triggers",
            format!("PRAGMA recursive_triggers = ON; {}", items("TEXT UNIQUE")),
        ),
        (
            "a rowid of another name",
            created(
                "id INTEGER PRIMARY KEY, rowid TEXT, _rowid_ TEXT, k TEXT UNIQUE, v INTEGER NOT NULL",
            ),
        ),
    ] {
        for case in as_usual(name, &setup) {
            text::check(&mut cases, &case);
        }
    }
}

#[test]
fn keys_that_the_database_holds_equal() {
    let mut cases = Cases::new();
    let input = [("A", 2), ("C", 3), ("c", 4), ("b", 5), ("C", 3), ("B", 1)];
    for (name, setup) in [
        ("NOCASE", items("TEXT COLLATE NOCASE UNIQUE")),
        (
            "an index of NOCASE",
            format!(
                "{}; CREATE UNIQUE INDEX i ON items (k COLLATE NOCASE)",
                items("TEXT")
            ),
        ),
    ] {
        for (how, tells, table) in [
            (
                How::Update,
                "Updated a=1 a=2; Inserted - C=3; Updated C=3 C=4; Updated b=5 b=5; \
                 Updated C=4 C=3; Updated b=5 b=1",
                "a=2 b=1 C=3",
            ),
            (
                How::Nothing,
                "Skipped a=1 a=1; Inserted - C=3; Skipped C=3 C=3; Skipped b=5 b=5; \
                 Skipped C=3 C=3; Skipped b=5 b=5",
                "a=1 b=5 C=3",
            ),
            (
                How::SmallerChanged,
                "Updated a=1 a=2; Inserted - C=3; Updated C=3 C=4; Skipped b=5 b=5; \
                 Skipped C=4 C=4; Skipped b=5 b=5",
                "a=2 b=5 C=4",
            ),
        ] {
            let case = case(name, &*setup, how, &input).tells(tells, table);
            text::check(&mut cases, &case);
        }
    }
    let mut check = |case: Case<&'static str>| text::check(&mut cases, &case);
    let index = |column: &str, index: &str| {
        format!(
            "{}; CREATE UNIQUE INDEX i ON items (k COLLATE {index})",
            items(column)
        )
    };
    check(
        case(
            "BINARY of NOCASE",
            index("TEXT COLLATE NOCASE", "BINARY"),
            How::Update,
            &[("A", 2), ("a", 3)],
        )
        .tells("Inserted - A=2; Updated a=1 a=3", "A=2 a=3 b=5"),
    );
    check(
        case(
            "BINARY of NOCASE",
            index("TEXT COLLATE NOCASE", "BINARY"),
            How::Nothing,
            &[("A", 2), ("a", 3), ("A", 4)],
        )
        .tells(
            "Inserted - A=2; Skipped a=1 a=1; Skipped A=2 A=2",
            "A=2 a=1 b=5",
        ),
    );
    check(
        case(
            "RTRIM",
            index("TEXT", "RTRIM"),
            How::Update,
            &[("a ", 2), ("c  ", 3), ("c", 4)],
        )
        .tells(
            "Updated a=1 a=2; Inserted - c__=3; Updated c__=3 c__=4",
            "a=2 b=5 c__=4",
        ),
    );
    // SQLite picks one of two indexes for the target, the other one fails.
    for (column, other) in [
        ("TEXT COLLATE NOCASE UNIQUE", "BINARY"),
        ("TEXT UNIQUE", "NOCASE"),
    ] {
        let setup = index(column, other);
        check(
            case(
                "two indexes",
                &*setup,
                How::Update,
                &[("a", 2), ("c", 3), ("c", 4)],
            )
            .tells(
                "Updated a=1 a=2; Inserted - c=3; Updated c=3 c=4",
                "a=2 b=5 c=4",
            ),
        );
        check(
            case("two indexes", &*setup, How::Nothing, &[("a", 2), ("c", 3)])
                .tells("Skipped a=1 a=1; Inserted - c=3", "a=1 b=5 c=3"),
        );
    }
}

/// Text that the column stores as a number.
#[test]
fn keys_with_an_affinity() {
    let mut cases = Cases::new();
    let input = [
        ("1", 2),
        ("3", 3),
        ("3.0", 4),
        ("02", 5),
        ("x", 1),
        ("03", 9),
    ];
    for key in ["INTEGER", "NUMERIC", "STRING", "DECIMAL(10,2)", "DATETIME"] {
        let setup = format!(
            "DROP TABLE IF EXISTS items; \
             CREATE TABLE items (id INTEGER PRIMARY KEY, k {key} UNIQUE, v INTEGER NOT NULL); \
             INSERT INTO items (k, v) VALUES (1, 1), (2, 5)"
        );
        for (how, tells, table) in [
            (
                How::Update,
                "Updated 1=1 1=2; Inserted - 3=3; Updated 3=3 3=4; Updated 2=5 2=5; Inserted - x=1; Updated 3=4 3=9",
                "1=2 2=5 3=9 x=1",
            ),
            (
                How::Nothing,
                "Skipped 1=1 1=1; Inserted - 3=3; Skipped 3=3 3=3; Skipped 2=5 2=5; Inserted - x=1; Skipped 3=3 3=3",
                "1=1 2=5 3=3 x=1",
            ),
            (
                How::SmallerChanged,
                "Updated 1=1 1=2; Inserted - 3=3; Updated 3=3 3=4; Skipped 2=5 2=5; Inserted - x=1; Updated 3=4 3=9",
                "1=2 2=5 3=9 x=1",
            ),
        ] {
            text::check(
                &mut cases,
                &case("numbers as text", &*setup, how, &input).tells(tells, table),
            );
        }
    }
    let setup = "DROP TABLE IF EXISTS items; \
         CREATE TABLE items (id INTEGER PRIMARY KEY, k TEXT UNIQUE, v INTEGER NOT NULL); \
         INSERT INTO items (k, v) VALUES ('1', 1), ('2.5', 5)";
    big::check(
        &mut cases,
        &case(
            "integers as text",
            setup,
            How::Update,
            &[(1, 2), (3, 3), (3, 4)],
        )
        .tells(
            "Updated 1=1 1=2; Inserted - 3=3; Updated 3=3 3=4",
            "1=2 2.5=5 3=4",
        ),
    );
    double::check(
        &mut cases,
        &case(
            "floating point as text",
            setup,
            How::Update,
            &[(2.5, 2), (0.0, 3), (-0.0, 4), (0.1, 5)],
        )
        .tells(
            "Updated 2.5=5 2.5=2; Inserted - 0.0=3; Updated 0.0=3 0.0=4; Inserted - 0.1=5",
            "0.0=4 0.1=5 1=1 2.5=2",
        ),
    );
    // NaN is stored as NULL.
    double::check(
        &mut cases,
        &case(
            "NaN",
            setup,
            How::Update,
            &[(f64::NAN, 2), (2.5, 3), (f64::NAN, 4)],
        )
        .tells(
            "Inserted - NULL=2; Updated 2.5=5 2.5=3; Inserted - NULL=4",
            "1=1 2.5=3 NULL=2 NULL=4",
        )
        .rows_fail("!NoRow"),
    );
    bytes::check(
        &mut cases,
        &case(
            "bytes beside text",
            setup,
            How::Update,
            &[(b"1" as &[u8], 2), (b"1", 3), (b"\0", 4)],
        )
        .key("quote(k)")
        .tells(
            "Inserted - X'31'=2; Updated X'31'=2 X'31'=3; Inserted - X'00'=4",
            "'1'=1 '2.5'=5 X'31'=3 X'00'=4",
        ),
    );
}

fn trigger(when: &str, body: &str) -> String {
    format!(
        "{}; CREATE TRIGGER act {when} ON items BEGIN {body} END",
        items("TEXT UNIQUE")
    )
}

#[test]
fn triggers() {
    let mut cases = Cases::new();
    let mut check = |case: Case<&'static str>| text::check(&mut cases, &case);
    let after = format!(
        "{}; CREATE TRIGGER more AFTER UPDATE OF v ON items WHEN NEW.v < 100 \
         BEGIN UPDATE items SET v = v + 100 WHERE id = NEW.id; END",
        trigger(
            "AFTER INSERT",
            "UPDATE items SET v = v + 100 WHERE id = NEW.id;"
        )
    );
    check(
        case(
            "rows that change afterwards",
            &*after,
            How::Update,
            &[("a", 2), ("c", 3), ("c", 4)],
        )
        .tells(
            "Updated a=1 a=102; Inserted - c=103; Updated c=103 c=104",
            "a=102 b=5 c=104",
        ),
    );
    let ignore = trigger("BEFORE INSERT", "SELECT RAISE(IGNORE) WHERE NEW.k = 'x';");
    for how in [How::Update, How::Nothing, How::Changed, How::SmallerChanged] {
        check(
            case(
                "rows that are not inserted",
                &*ignore,
                how,
                &[("c", 2), ("x", 3), ("d", 4)],
            )
            .tells(
                "Inserted - c=2; Skipped - -; Inserted - d=4",
                "a=1 b=5 c=2 d=4",
            )
            .rows_fail("!NoRow"),
        );
    }
    let ignore = trigger("BEFORE UPDATE", "SELECT RAISE(IGNORE) WHERE NEW.k = 'a';");
    for how in [How::Update, How::Changed, How::Smaller, How::SmallerChanged] {
        check(
            case(
                "rows that are not updated",
                &*ignore,
                how,
                &[("a", 2), ("b", 6), ("c", 7)],
            )
            .tells(
                "Skipped a=1 a=1; Updated b=5 b=6; Inserted - c=7",
                "a=1 b=6 c=7",
            ),
        );
    }
    // What the trigger does makes up for what the statement does not do.
    let parent = trigger(
        "AFTER INSERT",
        "INSERT INTO items (k, v) SELECT 'p', 0 WHERE NEW.k = 'c' AND NOT EXISTS (SELECT 1 FROM items WHERE k = 'p');",
    );
    for how in [How::Update, How::Changed, How::SmallerChanged] {
        check(
            case(
                "a row that another's trigger inserts",
                &*parent,
                how,
                &[("c", 2), ("p", 3)],
            )
            .tells("Inserted - c=2; Updated p=0 p=3", "a=1 b=5 c=2 p=3"),
        );
    }
    check(
        case(
            "a row that another's trigger inserts",
            &*parent,
            How::Nothing,
            &[("c", 2), ("p", 3)],
        )
        .tells("Inserted - c=2; Skipped p=0 p=0", "a=1 b=5 c=2 p=0"),
    );
    let swap = trigger(
        "AFTER UPDATE",
        "UPDATE items SET v = CASE k WHEN 'b' THEN 100 WHEN 'd' THEN 0 ELSE v END WHERE NEW.k = 'a';",
    ) + "; INSERT INTO items (k, v) VALUES ('d', 50)";
    check(
        case(
            "guards that another's trigger turns",
            &*swap,
            How::Smaller,
            &[("a", 2), ("b", 6), ("d", 7)],
        )
        .tells(
            "Updated a=1 a=2; Skipped b=100 b=100; Updated d=0 d=7",
            "a=2 b=100 d=7",
        ),
    );
    let delete = trigger(
        "AFTER INSERT",
        "DELETE FROM items WHERE id = NEW.id AND k = 'x';",
    );
    check(
        case(
            "rows that are gone at once",
            &*delete,
            How::Update,
            &[("a", 2), ("x", 3)],
        )
        .tells("Updated a=1 a=2; Inserted - x=3", "a=2 b=5")
        .rows_fail("!NoRow"),
    );
    let rename = trigger(
        "AFTER INSERT",
        "UPDATE items SET k = lower(k) WHERE id = NEW.id;",
    );
    check(
        case(
            "keys that change afterwards",
            &*rename,
            How::Update,
            &[("a", 2), ("X", 3)],
        )
        .tells("Updated a=1 a=2; Inserted - x=3", "a=2 b=5 x=3")
        .rows_fail("!NoRow"),
    );
    let fails = trigger(
        "AFTER INSERT",
        "SELECT RAISE(ABORT, 'not d') WHERE NEW.k = 'd';",
    );
    check(
        case(
            "a trigger that fails",
            &*fails,
            How::Update,
            &[("a", 2), ("d", 3)],
        )
        .tells("!not d", ""),
    );
    let fails = trigger(
        "AFTER INSERT",
        "SELECT RAISE(FAIL, 'not d') WHERE NEW.k = 'd';",
    );
    check(
        case(
            "a trigger that fails",
            &*fails,
            How::Update,
            &[("a", 2), ("c", 3), ("d", 3)],
        )
        .tells("!not d", ""),
    );
    let log = format!(
        "DROP TABLE IF EXISTS log; CREATE TABLE log (id INTEGER PRIMARY KEY, k TEXT); \
         INSERT INTO log (id) VALUES (700); {}",
        trigger("AFTER INSERT", "INSERT INTO log (k) VALUES (NEW.k);")
    );
    nullable::check(
        &mut cases,
        &case(
            "rows without a key and a trigger",
            log,
            How::Update,
            &[(None, 2), (Some("a"), 3), (None, 4)],
        )
        .tells(
            "Inserted - NULL=2; Updated a=1 a=3; Inserted - NULL=4",
            "a=3 b=5 NULL=2 NULL=4",
        ),
    );
}

#[test]
fn rows_without_a_key() {
    let mut cases = Cases::new();
    let mut check = |case: Case<Option<&'static str>>| nullable::check(&mut cases, &case);
    let input = [(None, 2), (Some("a"), 3), (None, 4), (Some("c"), 1)];
    let told = (
        "Inserted - NULL=2; Updated a=1 a=3; Inserted - NULL=4; Inserted - c=1",
        "a=3 b=5 c=1 NULL=2 NULL=4",
    );
    check(case("NULL", items("TEXT UNIQUE"), How::Update, &input).tells(told.0, told.1));
    // The rows have no rowid, by which they could be found.
    let setup = created(&format!(
        "{ID} PRIMARY KEY, k TEXT UNIQUE, v INTEGER NOT NULL) WITHOUT ROWID --"
    ))
    .replace("--)", "");
    check(
        case("NULL WITHOUT ROWID", setup, How::Update, &input)
            .tells(told.0, told.1)
            .rows_fail("!NoRow"),
    );
    let setup = created(
        "id INTEGER PRIMARY KEY, rowid TEXT, _rowid_ TEXT, k TEXT UNIQUE, v INTEGER NOT NULL",
    );
    check(
        case("a rowid of another name", setup, How::Update, &input)
            .tells(told.0, told.1)
            .rows_fail("!NoRow"),
    );
    let setup = created(
        "id INTEGER PRIMARY KEY, rowid TEXT, _rowid_ INTEGER DEFAULT 1, k TEXT UNIQUE, v INTEGER NOT NULL",
    );
    check(
        case("a rowid of another name", setup, How::Update, &input)
            .tells(told.0, told.1)
            .rows_fail("!NoRow"),
    );
}

mod targets {
    //! Conflict targets other than columns.

    use diesel::define_sql_function;
    use upsert_core::{excluded, literal};

    use super::*;

    define_sql_function! { fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text; }

    diesel::table! {
        items (id) {
            id -> Integer,
            k -> Text,
            v -> Integer,
        }
    }

    #[derive(Debug, Clone, upsert_core::Upsertable)]
    #[diesel(table_name = items)]
    struct Item {
        #[conflict_key]
        k: &'static str,
        #[on_conflict(update)]
        v: i32,
    }

    #[derive(Debug, Clone, upsert_core::Upsertable)]
    #[diesel(table_name = items)]
    #[upsert(target = lower(k))]
    struct ByLower {
        k: &'static str,
        #[on_conflict(update)]
        v: i32,
    }

    /// Calls on a target.
    macro_rules! on_target {
        ($name:ident, $model:ident, $call:ident => $target:expr) => {
            fn $name(
                conn: &mut Conn,
                input: &[(&'static str, i32)],
                how: How,
                way: Way,
                chunk_size: usize,
            ) -> upsert_core::Result<Vec<Told>> {
                let rows: Vec<$model> = input.iter().map(|(k, v)| $model { k, v: *v }).collect();
                let call = || {
                    let $call = upsert(&rows).chunk_size(chunk_size);
                    $target
                };
                let is_smaller = items::v.lt(excluded(items::v));
                match how {
                    How::Update => tell!(call(), way, conn),
                    How::Nothing => tell!(call().do_nothing(), way, conn),
                    How::Changed => tell!(call().skip_unchanged(true), way, conn),
                    How::Smaller => tell!(call().update_if(is_smaller), way, conn),
                    How::SmallerChanged => {
                        tell!(call().update_if(is_smaller).skip_unchanged(true), way, conn)
                    }
                }
            }
        };
    }

    on_target!(by_lower, ByLower, call => call);
    on_target!(by_partial, Item, call => {
        call.on_conflict(items::k).filter_target(items::v.lt(literal(100)))
    });

    #[test]
    fn other_targets() {
        let mut cases = Cases::new();
        let partial = format!(
            "{}; CREATE UNIQUE INDEX i ON items (k) WHERE items.v < 100",
            items("TEXT")
        );
        let lower = format!(
            "{}; CREATE UNIQUE INDEX i ON items (lower(k))",
            items("TEXT")
        );
        for case in as_usual("a partial index", &partial) {
            cases.check(&case, by_partial);
        }
        for case in as_usual("lower(k)", &lower) {
            cases.check(&case, by_lower);
        }
        let input = [("A", 2), ("C", 3), ("c", 4), ("B", 5), ("C", 3)];
        for (how, tells, table) in [
            (
                How::Update,
                "Updated a=1 a=2; Inserted - C=3; Updated C=3 C=4; Updated b=5 b=5; Updated C=4 C=3",
                "a=2 b=5 C=3",
            ),
            (
                How::Changed,
                "Updated a=1 a=2; Inserted - C=3; Updated C=3 C=4; Unchanged b=5 b=5; Updated C=4 C=3",
                "a=2 b=5 C=3",
            ),
            (
                How::Nothing,
                "Skipped a=1 a=1; Inserted - C=3; Skipped C=3 C=3; Skipped b=5 b=5; Skipped C=3 C=3",
                "a=1 b=5 C=3",
            ),
        ] {
            cases.check(
                &case("lower(k)", &*lower, how, &input).tells(tells, table),
                by_lower,
            );
        }
        // Without a rowid, inserted rows are found by their keys.
        let setup = created(&format!(
            "{ID} PRIMARY KEY, k TEXT, v INTEGER NOT NULL) WITHOUT ROWID --"
        ))
        .replace("--)", "");
        let setup = format!("{setup}; CREATE UNIQUE INDEX i ON items (lower(k))");
        for case in as_usual("lower(k) WITHOUT ROWID", &setup) {
            cases.check(&case, by_lower);
        }
    }

    #[test]
    fn rows_outside_of_a_partial_index() {
        let mut cases = Cases::new();
        let setup = format!(
            "{}; CREATE UNIQUE INDEX i ON items (k) WHERE v < 100; \
             INSERT INTO items (k, v) VALUES ('a', 100), ('b', 100)",
            items("TEXT")
        );
        let input = [
            ("a", 2),
            ("a", 101),
            ("b", 102),
            ("a", 3),
            ("c", 103),
            ("c", 4),
        ];
        cases.check(
            &case("a partial index", &*setup, How::Update, &input).tells(
                "Updated a=1 a=2; Inserted - a=101; Inserted - b=102; Updated a=2 a=3; \
                 Inserted - c=103; Inserted - c=4",
                "a=100 a=101 a=3 b=100 b=102 b=5 c=103 c=4",
            ),
            by_partial,
        );
        cases.check(
            &case("a partial index", &*setup, How::Nothing, &input).tells(
                "Skipped a=1 a=1; Inserted - a=101; Inserted - b=102; Skipped a=1 a=1; \
                 Inserted - c=103; Inserted - c=4",
                "a=1 a=100 a=101 b=100 b=102 b=5 c=103 c=4",
            ),
            by_partial,
        );
    }
}

/// A table of an attached database, beside one of the same name.
#[test]
fn an_attached_database() {
    mod attached {
        diesel::table! {
            aux.items (id) {
                id -> Integer,
                k -> Text,
                v -> Integer,
            }
        }

        #[derive(Debug, Clone, upsert_core::Upsertable)]
        #[diesel(table_name = items)]
        pub(super) struct Item {
            #[conflict_key]
            pub(super) k: &'static str,
            #[on_conflict(update)]
            pub(super) v: i32,
        }
    }
    use attached::{Item, items};
    use upsert_core::{Action, Change};

    for temporary in [false, true] {
        let mut database = TestDatabase::new();
        let conn = &mut database.conn;
        // The collations differ.
        conn.batch_execute(&format!(
            "ATTACH ':memory:' AS aux; {}; \
             CREATE TABLE aux.items (id INTEGER PRIMARY KEY, k TEXT COLLATE NOCASE UNIQUE, v INT); \
             INSERT INTO aux.items (k, v) VALUES ('a', 11), ('B', 15)",
            items("TEXT UNIQUE"),
        ))
        .unwrap();
        if temporary {
            conn.batch_execute(
                "CREATE TEMP TABLE items (id INTEGER PRIMARY KEY, k TEXT UNIQUE, v INT)",
            )
            .unwrap();
        }
        let rows = [("A", 12), ("c", 13), ("b", 14), ("C", 15)].map(|(k, v)| Item { k, v });
        let told: Vec<Change<(String, i32)>> = wait(
            upsert(&rows)
                .returning_old((items::k, items::v))
                .get_results(conn),
        )
        .unwrap();
        let change = |action, old: Option<(&str, i32)>, (k, v): (&str, i32)| Change {
            action,
            old: old.map(|(k, v)| (k.to_owned(), v)),
            new: (k.to_owned(), v),
        };
        assert_eq!(
            told,
            [
                change(Action::Updated, Some(("a", 11)), ("a", 12)),
                change(Action::Inserted, None, ("c", 13)),
                change(Action::Updated, Some(("B", 15)), ("B", 14)),
                change(Action::Updated, Some(("c", 13)), ("c", 15)),
            ]
        );
        let outcome = wait(upsert(&rows).do_nothing().outcome(conn)).unwrap();
        assert_eq!(outcome.to_string(), "4 skipped");
        let stored: Vec<(String, i32)> = items::table
            .select((items::k, items::v))
            .order(items::k)
            .load(conn)
            .unwrap();
        assert_eq!(
            stored,
            [
                ("a".to_owned(), 12),
                ("B".to_owned(), 14),
                ("c".to_owned(), 15)
            ]
        );
        if temporary {
            conn.batch_execute("DROP TABLE temp.items").unwrap();
        }
        let lines: Vec<_> = table(conn, "k").into_iter().map(|(_, line)| line).collect();
        assert_eq!(lines.join(" "), "a=1 b=5");
    }
}

/// A collation that the connection has, not SQLite.
#[test]
fn a_collation_of_the_application() {
    let mut cases = Cases::new();
    let by_length =
        |left: &str, right: &str| left.trim_end_matches('!').cmp(right.trim_end_matches('!'));
    register_collation(&mut cases.database.conn, "quiet", by_length);
    for setup in [
        items("TEXT COLLATE quiet UNIQUE"),
        format!(
            "{}; CREATE UNIQUE INDEX i ON items (k COLLATE quiet)",
            items("TEXT")
        ),
    ] {
        for case in equal_keys(
            "quiet",
            &setup,
            ["a!", "b", "a", "b!!", "c!", "c"],
            ["a", "b", "c!"],
        ) {
            text::check(&mut cases, &case.key(TEXT));
        }
    }
}

/// The caller's transaction is deferred, and another one writes: a call waits for
/// it, as long as the transaction has not read anything that is old then.
#[test]
fn a_deferred_transaction_and_another_writer() {
    let ways = [Way::Execute].into_iter().chain(Way::TELLING);
    for (way, reads) in ways.flat_map(|way| [(way, false), (way, true)]) {
        let mut database = TestDatabase::new();
        database.run(&items("TEXT UNIQUE"));
        let mut other = database.connect();
        let conn = &mut database.conn;
        other
            .batch_execute("BEGIN IMMEDIATE; INSERT INTO items (k, v) VALUES ('c', 2)")
            .unwrap();
        let input = [("a", 2), ("c", 3)];
        let result = std::thread::scope(|scope| {
            let commit = scope.spawn(|| {
                std::thread::sleep(std::time::Duration::from_millis(100));
                other.batch_execute("COMMIT").unwrap();
            });
            conn.transaction(|conn| {
                if reads {
                    assert_eq!(table(conn, TEXT).len(), 2);
                    commit.join().unwrap();
                }
                QueryResult::Ok(text::call(conn, &input, How::Update, way, 1000))
            })
            .unwrap()
        });
        let after = table(&mut other, TEXT);
        let lines: Vec<_> = after.iter().map(|(_, line)| line.as_str()).collect();
        let context = format!("{way:?}, reads before: {reads}");
        match result {
            Ok(told) => {
                assert!(!reads, "{context}");
                if way != Way::Execute {
                    let expected = case::<&str>("", "", How::Update, &[])
                        .tells("Updated a=1 a=2; Updated c=2 c=3", "")
                        .told(way);
                    assert_eq!(name(&told, &after), expected.join("; "), "{context}");
                }
                assert_eq!(lines.join(" "), "a=2 b=5 c=3", "{context}");
            }
            Err(error) => {
                let error = in_full(&error);
                assert!(reads && error.contains("locked"), "{context}: {error}");
                assert_eq!(lines.join(" "), "a=1 b=5 c=2", "{context}");
            }
        }
        // A call in no transaction has no such trouble.
        let told = text::call(&mut database.conn, &[("c", 9)], How::Update, way, 1000);
        assert_eq!(told.unwrap().len(), 1);
    }
}

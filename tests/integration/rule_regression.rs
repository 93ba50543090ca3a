//! Faults of rules, guards and targets that reviews found, kept found.

use diesel::prelude::*;

use crate::api::{Upsertable, upsert, wait};
use crate::support::on_every_database;

diesel::table! {
    notes (k) {
        k -> Text,
        v -> Text,
        n -> Nullable<Integer>,
        m -> Integer,
        b -> Bool,
    }
}

const CREATE_NOTES: &str = "CREATE TABLE notes (k VARCHAR(20) NOT NULL PRIMARY KEY, \
     v VARCHAR(20) NOT NULL, n INTEGER, m INTEGER NOT NULL DEFAULT 4, b BOOLEAN NOT NULL DEFAULT FALSE)";

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = notes)]
struct Note {
    k: &'static str,
    #[on_conflict(update)]
    v: &'static str,
    #[on_conflict(update)]
    n: Option<i32>,
    // Not supplied where it is `None`.
    #[on_conflict(update)]
    m: Option<i32>,
}

fn note(k: &'static str, v: &'static str) -> Note {
    Note {
        k,
        v,
        n: None,
        m: None,
    }
}

on_every_database! {
    shared {
        use diesel::sql_types::{Bool, Text};
        use upsert_core::{Error, excluded, literal, rule};

        use crate::support::System;

        fn notes(conn: &mut Conn) -> Vec<(String, String, Option<i32>, i32)> {
            notes::table
                .select((notes::k, notes::v, notes::n, notes::m))
                .order(notes::k)
                .load(conn)
                .unwrap()
        }
    }

    /// The call overrides its model, and itself.
    #[test]
    fn do_nothing_wins(database) {
        database.run(CREATE_NOTES);
        let conn = &mut database.conn;
        wait(note("a", "old").upsert(conn)).unwrap();
        for written in [
            wait(upsert([note("a", "new")]).set(notes::v, "set").do_nothing().execute(conn)),
            wait(upsert([note("a", "new")]).do_nothing().set(notes::v, "set").execute(conn)),
        ] {
            assert_eq!(written.unwrap(), 0);
        }
        assert_eq!(notes(conn), [("a".into(), "old".into(), None, 4)]);
    }

    /// The proposed row has a DEFAULT there, which no row proposed.
    #[test]
    fn the_excluded_of_a_column_that_the_model_does_not_have(database) {
        database.run(CREATE_NOTES);
        let conn = &mut database.conn;
        let error = wait(
            upsert([note("a", "x")])
                .set(notes::b, excluded(notes::b))
                .execute(conn),
        )
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "upsert into `notes`: an expression reads `excluded(b)`, but the model does not have \
             the column, so no row proposes a value for it: add a field for it, or write the value \
             into the expression",
        );
        assert_eq!(notes(conn), []);
    }

    /// A row that does not supply the guard's column is not newer, whatever the
    /// DEFAULT is.
    #[test]
    fn a_guard_of_a_column_that_is_not_supplied(database) {
        #[derive(Upsertable)]
        #[diesel(table_name = notes)]
        #[upsert(newer_by = m)]
        struct Newer {
            k: &'static str,
            #[on_conflict(update)]
            v: &'static str,
            #[on_conflict(update)]
            m: Option<i32>,
        }
        database.run(CREATE_NOTES);
        let conn = &mut database.conn;
        let row = |v, m| Newer { k: "a", v, m };
        let rows = [row("first", Some(1)), row("none", None), row("third", Some(3)), row("none", None)];
        assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 2);
        assert_eq!(notes(conn), [("a".into(), "third".into(), None, 3)]);

        let call = upsert([note("a", "new")]).update_if(excluded(notes::m).le(10));
        assert_eq!(wait(call.execute(conn)).unwrap(), 0);
        let call = upsert([note("a", "new")]).set(notes::v, excluded(notes::k));
        assert_eq!(wait(call.execute(conn)).unwrap(), 1);
        assert_eq!(notes(conn), [("a".into(), "a".into(), None, 3)]);

        let error = wait(
            upsert([row("x", Some(9))])
                .rule(notes::m, rule::Keep)
                .execute(conn),
        )
        .unwrap_err();
        assert!(error.to_string().contains("`m` tells which row is newer"), "{error}");
    }

    /// Diesel writes `NOT (..)` without parentheses around it.
    #[test]
    fn an_operator_that_binds_less_than_a_comparison(database) {
        database.run(CREATE_NOTES);
        let conn = &mut database.conn;
        wait(note("a", "x").upsert(conn)).unwrap();
        let flip = |conn: &mut Conn| {
            wait(
                upsert([note("a", "x")])
                    .skip_unchanged(true)
                    .set(notes::b, diesel::dsl::not(notes::b))
                    .execute(conn),
            )
            .unwrap()
        };
        assert_eq!(flip(conn), 1);
        assert_eq!(notes::table.select(notes::b).get_result(conn), Ok(true));
        let same = wait(
            upsert([note("a", "x")])
                .skip_unchanged(true)
                .set(notes::b, diesel::dsl::sql::<Bool>("1 = 1 OR 1 = 2"))
                .execute(conn),
        )
        .unwrap();
        assert_eq!(same, 0);
    }

    /// A value of a call that stands in the text.
    #[test]
    fn literals_are_compared_and_not_kept(database) {
        database.run(CREATE_NOTES);
        let conn = &mut database.conn;
        wait(note("a", "it's \\ x").upsert(conn)).unwrap();
        let recorder = crate::support::Recorder::of(conn);
        for limit in 0..20 {
            let written = wait(
                upsert([note("a", "it's \\ x")])
                    .update_if(notes::v.eq(literal("it's \\ x")).and(notes::m.ge(literal(limit))))
                    .execute(conn),
            )
            .unwrap();
            assert_eq!(written, usize::from(limit <= 4));
        }
        assert_eq!(recorder.take_cached(), [""; 0]);
    }

    /// What a query selects, where the server has to count it.
    #[test]
    fn rows_of_a_query(database) {
        diesel::table! { drafts (id) { id -> Integer, k -> Text, v -> Text, n -> Nullable<Integer>, } }
        #[derive(Upsertable)]
        #[diesel(table_name = notes)]
        #[upsert(update_all)]
        struct Short {
            k: &'static str,
            v: &'static str,
            n: Option<i32>,
        }
        let _ = Short { k: "", v: "", n: None };
        database.run(CREATE_NOTES);
        database.run("CREATE TABLE drafts (id INTEGER NOT NULL PRIMARY KEY, k VARCHAR(20) NOT NULL, \
             v VARCHAR(20) NOT NULL, n INTEGER)");
        database.run("INSERT INTO drafts VALUES (1, 'a', 'x', 1), (2, 'b', 'y', 2), (3, 'c', 'z', NULL), \
             (4, 'd', 'w', 2)");
        let mut fresh = database.connect();
        let conn = &mut database.conn;
        // The condition is NULL in a row.
        let query = drafts::table.filter(drafts::n.eq(2)).select((drafts::k, drafts::v, drafts::n));
        assert_eq!(wait(Short::upsert_from(query).execute(conn)).unwrap(), 2);
        // A column twice, and two values without a name.
        let twice = drafts::table.filter(drafts::id.le(2)).select((drafts::k, drafts::k, drafts::n));
        assert_eq!(wait(Short::upsert_from(twice).execute(conn)).unwrap(), 2);
        let two_values = drafts::table.select((
            "e".into_sql::<Text>(),
            "f".into_sql::<Text>(),
            drafts::n,
        ));
        let one = two_values.filter(drafts::id.eq(1));
        assert_eq!(wait(Short::upsert_from(one).execute(conn)).unwrap(), 1);
        let written = notes(conn);
        let values: Vec<_> = written.iter().map(|(k, v, ..)| (k.as_str(), v.as_str())).collect();
        assert_eq!(values, [("a", "a"), ("b", "b"), ("d", "w"), ("e", "f")]);
        // The statement by itself, on a connection that has not seen one.
        let fresh = &mut fresh;
        let all = drafts::table.filter(drafts::id.eq(3)).select((drafts::k, drafts::v, drafts::n));
        Short::upsert_from(all).statement().unwrap().execute(fresh).unwrap();
        assert_eq!(notes(fresh).len(), 5);
        // PostgreSQL cannot apply a key twice, the others apply it in order.
        for (order_desc, last) in [(true, "w"), (false, "z")] {
            let mut query = drafts::table
                .select(("q".into_sql::<Text>(), drafts::v, drafts::n))
                .into_boxed();
            query = if order_desc { query.order(drafts::v.desc()) } else { query.order(drafts::v.asc()) };
            let result = wait(Short::upsert_from(query).execute(conn));
            match system::SYSTEM {
                #[cfg(feature = "postgres")]
                System::Postgres => {
                    let error = result.unwrap_err();
                    assert!(matches!(error, Error::RepeatedInQuery { .. }), "{error:?}");
                }
                _ => {
                    assert_eq!(result.unwrap(), 4);
                    let q: String = notes::table.find("q").select(notes::v).first(conn).unwrap();
                    assert_eq!(q, last);
                }
            }
        }
    }

    #[test]
    fn a_rule_for_the_target(database) {
        database.run(CREATE_NOTES);
        let call = upsert([note("a", "x")]).set(notes::k, "b");
        let error = wait(call.execute(&mut database.conn)).unwrap_err().to_string();
        assert!(error.contains("`k` is in the conflict target of the call"), "{error}");
    }
}

/// An index on an expression of some rows: neither the bytes nor the key tell
/// which rows conflict.
mod partial_expressions {
    use diesel::sql_types::Text;

    use super::*;

    diesel::define_sql_function! { fn lower(text: Text) -> Text; }

    #[derive(Debug, Upsertable)]
    #[diesel(table_name = notes)]
    #[upsert(target = lower(v), target_where = m.gt(0))]
    struct ByLowerOfSome {
        k: &'static str,
        #[conflict_key]
        v: &'static str,
        m: i32,
        #[on_conflict(update)]
        n: Option<i32>,
    }

    fn proposed() -> [ByLowerOfSome; 4] {
        let row = |k, v, m, n| ByLowerOfSome {
            k,
            v,
            m,
            n: Some(n),
        };
        [
            row("1", "b", 1, 1),
            row("2", "B", 1, 2),
            row("3", "b", 0, 3),
            row("4", "b", 0, 4),
        ]
    }

    fn expected() -> Vec<(String, Option<i32>)> {
        let row = |k: &str, n| (k.to_owned(), Some(n));
        vec![row("1", 2), row("3", 3), row("4", 4)]
    }

    #[test]
    fn on_sqlite() {
        let mut database = crate::support::sqlite::TestDatabase::new();
        database.run(CREATE_NOTES);
        database.run("CREATE UNIQUE INDEX notes_v ON notes (lower(v)) WHERE m > 0");
        let call = upsert(proposed()).chunk_size(1);
        assert_eq!(wait(call.execute(&mut database.conn)).unwrap(), 4);
        let rows = notes::table.select((notes::k, notes::n)).order(notes::k);
        assert_eq!(rows.load(&mut database.conn), Ok(expected()));
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn on_postgres() {
        let mut database = crate::support::postgres::TestDatabase::new();
        database.run(CREATE_NOTES);
        database.run("CREATE UNIQUE INDEX notes_v ON notes (lower(v)) WHERE m > 0");
        let call = upsert(proposed()).chunk_size(1);
        assert_eq!(wait(call.execute(&mut database.conn)).unwrap(), 4);
        let rows = notes::table.select((notes::k, notes::n)).order(notes::k);
        assert_eq!(rows.load(&mut database.conn), Ok(expected()));
    }
}

#[cfg(feature = "postgres")]
mod targets_on_postgres {
    use diesel::sql_types::Text;
    use upsert_core::{Duplicates, excluded, on_constraint};

    use super::*;
    use crate::support::postgres::{ExtensionLock, TestDatabase};

    diesel::define_sql_function! { fn lower(text: Text) -> Text; }

    /// The row that comes first after sorting fails its guard, so that the
    /// statement is not refused.
    #[test]
    fn keys_that_are_equal_are_not_sorted_under_a_guard() {
        let mut lock = ExtensionLock::take();
        let mut database = TestDatabase::new();
        lock.create("citext", &mut database);
        database.run(&CREATE_NOTES.replace("k VARCHAR(20)", "k CITEXT"));
        wait(note("a", "Y").upsert(&mut database.conn)).unwrap();
        let written = wait(
            upsert([note("a", "X"), note("A", "Y")])
                .skip_unchanged(true)
                .execute(&mut database.conn),
        )
        .unwrap();
        let v: String = notes::table
            .select(notes::v)
            .get_result(&mut database.conn)
            .unwrap();
        assert_eq!((written, v.as_str()), (2, "Y"));
    }

    #[derive(Debug, Upsertable)]
    #[diesel(table_name = notes)]
    #[upsert(constraint = "notes_v_key")]
    struct ByConstraint {
        k: &'static str,
        #[conflict_key]
        v: &'static str,
        #[conflict_key]
        m: i32,
        #[on_conflict(update)]
        n: Option<i32>,
    }

    #[test]
    fn more_marks_than_the_constraint_has_columns() {
        for chunk_size in [1, 2, 100] {
            let mut database = TestDatabase::new();
            database.run(CREATE_NOTES);
            database.run("ALTER TABLE notes ADD CONSTRAINT notes_v_key UNIQUE (v)");
            let row = |k, m, n| ByConstraint {
                k,
                v: "v",
                m,
                n: Some(n),
            };
            let rows = [row("a", 9, 1), row("b", 2, 2)];
            let written = wait(
                upsert(&rows)
                    .chunk_size(chunk_size)
                    .execute(&mut database.conn),
            );
            assert_eq!(written.unwrap(), 2);
            let n = notes::table.select(notes::n).get_result(&mut database.conn);
            assert_eq!(n, Ok(Some(2)));
        }
    }

    #[test]
    fn a_constraint_that_is_not_there() {
        let mut database = TestDatabase::new();
        database.run(CREATE_NOTES);
        database.run("CREATE UNIQUE INDEX notes_v_key ON notes (v)");
        let call = upsert([note("a", "x")]).on_conflict(on_constraint("notes_v_key"));
        assert_eq!(
            wait(call.execute(&mut database.conn))
                .unwrap_err()
                .to_string(),
            "`notes` has no constraint `notes_v_key`, the conflict target: a unique index that is \
             not a constraint is named by its columns, as `#[conflict_key]` fields",
        );
        let call = upsert([note("a", "x")])
            .on_conflict(on_constraint("notes_pkey"))
            .filter_target(notes::n.is_null());
        let error = wait(call.execute(&mut database.conn))
            .unwrap_err()
            .to_string();
        assert!(error.contains("a constraint has no predicate"), "{error}");
        let call = upsert([note("a", "x")])
            .on_conflict(notes::v)
            .filter_target(excluded(notes::n).is_null());
        let error = wait(call.execute(&mut database.conn))
            .unwrap_err()
            .to_string();
        assert!(error.contains("is a guard, `update_if(..)`"), "{error}");
    }

    #[derive(Debug, Upsertable)]
    #[diesel(table_name = notes)]
    #[upsert(target = (lower(v), m))]
    struct ByLower {
        k: &'static str,
        #[conflict_key]
        v: &'static str,
        #[on_conflict(update)]
        m: i32,
    }

    #[test]
    fn a_part_of_the_target_does_not_tell_rows_apart() {
        let mut database = TestDatabase::new();
        database.run(CREATE_NOTES);
        let row = |k, m| ByLower { k, v: "v", m };
        let error = wait(
            upsert([row("a", 1), row("b", 2)])
                .on_duplicate(Duplicates::KeepLast)
                .execute(&mut database.conn),
        )
        .unwrap_err();
        assert!(
            error.to_string().contains("`m` is in the conflict target"),
            "{error}"
        );
    }
}

#[cfg(feature = "mysql")]
mod assignments_on_mysql {
    use diesel::sql_types::Integer;
    use upsert_core::Error;

    use super::*;
    use crate::support::mysql::TestDatabase;

    #[derive(Debug, Upsertable)]
    #[diesel(table_name = notes)]
    struct ByNullable {
        k: &'static str,
        #[on_conflict(update)]
        v: &'static str,
        #[conflict_key(nullable)]
        n: Option<i32>,
    }

    /// A row with a NULL in the target cannot have been found by it.
    #[test]
    fn a_null_in_the_target_is_no_conflict() {
        let mut database = TestDatabase::new();
        database.run(CREATE_NOTES);
        database.run("CREATE UNIQUE INDEX notes_n_key ON notes (n)");
        let row = |v| ByNullable { k: "a", v, n: None };
        assert_eq!(wait(row("old").upsert(&mut database.conn)).unwrap(), 1);
        let error = wait(row("new").upsert(&mut database.conn)).unwrap_err();
        assert!(matches!(error, Error::OtherUniqueIndex { .. }), "{error:?}");
        let v: String = notes::table
            .select(notes::v)
            .get_result(&mut database.conn)
            .unwrap();
        assert_eq!(v, "old");
    }

    /// Raw SQL names a column in its own way.
    #[test]
    fn raw_sql_reads_the_old_row() {
        let mut database = TestDatabase::new();
        database.run(CREATE_NOTES);
        let row = |n| Note {
            k: "a",
            v: "x",
            n: Some(n),
            m: Some(n),
        };
        wait(row(1).upsert(&mut database.conn)).unwrap();
        for raw in ["n * 10", "N * 10", "notes . `n` * 10"] {
            database.run("UPDATE notes SET n = 1");
            wait(
                upsert([row(5)])
                    .set(notes::m, diesel::dsl::sql::<Integer>(raw))
                    .execute(&mut database.conn),
            )
            .unwrap();
            let m = notes::table.select(notes::m).get_result(&mut database.conn);
            assert_eq!(m, Ok(10), "{raw}");
        }
    }
}

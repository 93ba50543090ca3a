//! What may go wrong with a statement, a table or a server: each ends in the same table as one
//! row after the other, or in an error that leaves nothing.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::{CommitOutcome, Error, OnError};

use crate::api::{Upsertable, upsert, wait};
use crate::support::on_every_database;

diesel::table! {
    items (id) {
        id -> Integer,
        value -> Integer,
    }
}

const CREATE: &str = "CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, \
     value INTEGER NOT NULL)";

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = items)]
#[upsert(update_all)]
struct Item {
    #[conflict_key]
    id: i32,
    value: i32,
}

fn item(id: i32, value: i32) -> Item {
    Item { id, value }
}

fn items_of(count: i32) -> Vec<Item> {
    (0..count).map(|id| item(id, id)).collect()
}

/// The call has failed, and no row is to blame.
#[track_caller]
fn assert_nothing_written(error: &Error) {
    assert_eq!(error.commit_outcome(), CommitOutcome::Nothing, "{error:?}");
    assert!(!matches!(error, Error::FailedRows { .. }), "{error:?}");
}

on_every_database! {
    shared {
        fn rows(conn: &mut Conn) -> Vec<(i32, i32)> {
            items::table.order(items::id).load(conn).unwrap()
        }
    }

    #[test]
    fn do_nothing_fires_before_triggers_as_the_database_does(database) {
        database.run(CREATE);
        database.run("CREATE TABLE journal (id INTEGER NOT NULL)");
        if system::SYSTEM.is_postgres() {
            database.run(
                "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 INSERT INTO journal VALUES (NEW.id); RETURN NEW; END $$; \
                 CREATE TRIGGER note BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION note()",
            );
        } else {
            let body = "INSERT INTO journal VALUES (NEW.id)";
            database.run(&format!(
                "CREATE TRIGGER note BEFORE INSERT ON items FOR EACH ROW BEGIN {body}; END"
            ));
        }
        let conn = &mut database.conn;
        wait(upsert([item(1, 1)]).execute(conn)).unwrap();
        assert_eq!(wait(upsert([item(1, 2)]).do_nothing().execute(conn)).unwrap(), 0);
        assert_eq!(rows(conn), [(1, 1)]);
        diesel::table! { journal (id) { id -> Integer, } }
        let noted: Vec<i32> = journal::table.select(journal::id).load(conn).unwrap();
        assert_eq!(noted, [1, 1]);
    }

    /// A column of floating point numbers holds every whole number up to 2^53.
    #[test]
    fn whole_numbers_in_a_column_of_floating_point_numbers(database) {
        diesel::table! {
            measures (k) {
                k -> BigInt,
                value -> Integer,
            }
        }
        #[derive(Debug, Clone, Upsertable)]
        #[diesel(table_name = measures)]
        #[upsert(update_all)]
        struct Measure {
            #[conflict_key]
            k: i64,
            value: i32,
        }
        database.run(
            "CREATE TABLE measures (k DOUBLE PRECISION NOT NULL PRIMARY KEY, \
             value INTEGER NOT NULL)",
        );
        let conn = &mut database.conn;
        let first = 1_i64 << 53;
        for chunk_size in [1, 10] {
            let row = |k, value| Measure { k: first + k, value };
            let rows = [row(-1, 1), row(0, 2), row(1, 3)];
            wait(upsert(rows).chunk_size(chunk_size).execute(conn)).unwrap();
            let values = measures::table.select(measures::value).order(measures::value);
            assert_eq!(values.load::<i32>(conn).unwrap(), [1, 3]);
        }
    }
}

mod on_sqlite_only {
    use super::*;
    use crate::support::sqlite::{Conn, TestDatabase};

    diesel::table! {
        texts (k) {
            k -> Text,
            value -> Integer,
        }
    }

    #[derive(Debug, Clone, Upsertable)]
    #[diesel(table_name = texts)]
    #[upsert(update_all)]
    struct Worded {
        #[conflict_key]
        k: String,
        value: i32,
    }

    /// Upserts keys into a table of one column of a type that has a row of another program's,
    /// and returns all keys as SQL.
    fn keys_beside(declared: &str, there: &str, keys: &[&str]) -> Vec<String> {
        #[derive(QueryableByName)]
        struct Key {
            #[diesel(sql_type = diesel::sql_types::Text)]
            k: String,
        }
        let mut database = TestDatabase::new();
        database.run(&format!(
            "CREATE TABLE texts (k {declared} NOT NULL UNIQUE, value INTEGER NOT NULL); \
             INSERT INTO texts VALUES ({there}, 0)"
        ));
        let conn = &mut database.conn;
        for chunk_size in [1, 10] {
            let rows = keys.iter().map(|k| Worded {
                k: (*k).to_owned(),
                value: 1,
            });
            let rows: Vec<_> = rows.collect();
            wait(upsert(rows).chunk_size(chunk_size).execute(conn)).unwrap();
        }
        let found = diesel::sql_query("SELECT quote(k) AS k FROM texts ORDER BY rowid");
        found
            .load::<Key>(conn)
            .unwrap()
            .into_iter()
            .map(|row| row.k)
            .collect()
    }

    /// What is one value elsewhere is two texts.
    #[test]
    fn texts_that_mean_the_same() {
        for keys in [
            ["2024-01-01T00:00:00", "2024-01-01 00:00:00"],
            ["2024-01-01 00:00:00+00:00", "2024-01-01 01:00:00+01:00"],
            [r#"{"a":1,"b":2}"#, r#"{"b": 2, "a": 1}"#],
            [
                "6f9619ff-8b86-d011-b42d-00c04fc964ff",
                "{6F9619FF-8B86-D011-B42D-00C04FC964FF}",
            ],
        ] {
            let quoted = keys.map(|key| format!("'{key}'"));
            assert_eq!(keys_beside("TEXT", &quoted[0], &keys), quoted);
            assert_eq!(keys_beside("TIMESTAMP", &quoted[0], &keys[1..]), quoted);
        }
    }

    #[test]
    fn keys_of_other_programs_in_a_column_without_a_type() {
        assert_eq!(keys_beside("", "1", &["1"]), ["1", "'1'"]);
        assert_eq!(keys_beside("", "x'31'", &["1"]), ["X'31'", "'1'"]);
        assert_eq!(keys_beside("TEXT", "1", &["1"]), ["'1'"]);
    }

    fn rows(conn: &mut Conn) -> Vec<(i32, i32)> {
        items::table.order(items::id).load(conn).unwrap()
    }

    #[test]
    fn a_database_that_may_not_grow() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        wait(upsert([item(1, 1)]).execute(&mut database.conn)).unwrap();
        database.run("PRAGMA max_page_count = 10");
        for chunk_size in [1000, 20_000] {
            let call = upsert(items_of(20_000)).chunk_size(chunk_size);
            assert_nothing_written(&wait(call.execute(&mut database.conn)).unwrap_err());
            assert_eq!(rows(&mut database.conn), [(1, 1)]);
        }
        let mut failed = Vec::new();
        let call = upsert(items_of(20_000)).on_error(OnError::Skip(&mut failed));
        assert_nothing_written(&wait(call.execute(&mut database.conn)).unwrap_err());
        assert_eq!(failed.len(), 0);
        database.run("PRAGMA max_page_count = 100000");
        let written = wait(upsert(items_of(20_000)).execute(&mut database.conn));
        assert_eq!(written.unwrap(), 20_000);
    }

    #[test]
    fn a_database_that_is_read_only() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        database.run("PRAGMA query_only = ON");
        let mut failed = Vec::new();
        let call = upsert(items_of(300)).on_error(OnError::Skip(&mut failed));
        assert_nothing_written(&wait(call.execute(&mut database.conn)).unwrap_err());
        assert_eq!(failed.len(), 0);
    }

    /// What SQLite says of a CHECK is its expression.
    #[test]
    fn a_constraint_with_the_words_of_an_error() {
        let mut database = TestDatabase::new();
        database.run(
            "CREATE TABLE items (id INTEGER PRIMARY KEY, value INTEGER NOT NULL, \
             CHECK (value < 100 OR 'interrupted' = 'no such table')); \
             CREATE TRIGGER pay BEFORE INSERT ON items WHEN NEW.value = 50 \
             BEGIN SELECT RAISE(ABORT, 'payment not authorized'); END",
        );
        let mut failed = Vec::new();
        let input = [item(1, 1), item(2, 500), item(3, 50), item(4, 4)];
        let call = upsert(input).on_error(OnError::Skip(&mut failed));
        assert_eq!(wait(call.execute(&mut database.conn)).unwrap(), 2);
        assert_eq!(failed.iter().map(|it| it.row).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(rows(&mut database.conn), [(1, 1), (4, 4)]);
    }

    /// The table's own words hold for what is not the conflict target; `verify` tells.
    #[test]
    fn a_constraint_with_a_conflict_clause_of_its_own() {
        for (action, expected) in [
            ("REPLACE", vec![(1, 1), (3, 2)]),
            ("IGNORE", vec![(1, 1), (2, 2)]),
        ] {
            let mut database = TestDatabase::new();
            database.run(&format!(
                "CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, \
                 value INTEGER NOT NULL UNIQUE ON CONFLICT {action})"
            ));
            let conn = &mut database.conn;
            let found = wait(Item::verify(conn)).unwrap();
            let notes: Vec<String> = found.notes.iter().map(ToString::to_string).collect();
            let start = format!("a constraint of the table says ON CONFLICT {action}: ");
            assert!(notes.iter().any(|note| note.starts_with(&start)), "{found}");
            wait(upsert([item(1, 1), item(2, 2)]).execute(conn)).unwrap();
            wait(upsert([item(3, 2)]).execute(conn)).unwrap();
            assert_eq!(rows(conn), expected);
        }
    }
}

#[cfg(feature = "postgres")]
mod on_postgres_only {
    use std::thread;
    use std::time::Duration;

    use upsert_core::{Contention, Retry};

    use super::*;
    use crate::api::connect;
    use crate::proxy::{Cut, Proxy};
    use crate::support::postgres::{Conn, TestDatabase, connection_id, until_it_waits};

    fn rows(conn: &mut Conn) -> Vec<(i32, i32)> {
        items::table.order(items::id).load(conn).unwrap()
    }

    #[test]
    fn a_commit_that_fails_by_contention_is_tried_again() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        database.run(
            "CREATE SEQUENCE attempts; \
             CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF nextval('attempts') < 3 THEN RAISE EXCEPTION USING ERRCODE = '40001'; END IF; \
             RETURN NULL; END $$; \
             CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON items DEFERRABLE INITIALLY DEFERRED \
             FOR EACH ROW EXECUTE FUNCTION fail()",
        );
        let call = upsert(items_of(5)).chunk_size(2).retry(Retry::default());
        assert_eq!(wait(call.execute(&mut database.conn)).unwrap(), 5);
        assert_eq!(rows(&mut database.conn).len(), 5);
        database.run("SELECT setval('attempts', 1, false)");
        let call = upsert([item(7, 7), item(8, 8)]).chunk_size(1);
        let error = wait(call.execute(&mut database.conn)).unwrap_err();
        assert_eq!(
            error.contention(),
            Some(Contention::Serialization),
            "{error:?}"
        );
        assert_eq!(rows(&mut database.conn).len(), 5);
    }

    /// The question about the table waits for a lock, and fails; the caller's transaction goes
    /// on.
    #[test]
    fn a_catalog_that_is_locked() {
        diesel::table! {
            parted (id) {
                id -> Text,
                value -> Integer,
            }
        }

        #[derive(Debug, Clone, Upsertable)]
        #[diesel(table_name = parted)]
        #[upsert(update_all)]
        struct Parted {
            #[conflict_key]
            id: String,
            value: i32,
        }

        let mut database = TestDatabase::new();
        database.run(CREATE);
        database.run(
            "CREATE TABLE parted (id TEXT PRIMARY KEY, value INTEGER) PARTITION BY LIST (id); \
             CREATE TABLE part PARTITION OF parted DEFAULT",
        );
        let mut other = database.connect();
        other
            .batch_execute("BEGIN; LOCK TABLE part IN ACCESS EXCLUSIVE MODE")
            .unwrap();
        database.run("SET lock_timeout = '200ms'");
        let part = |id: i32| Parted {
            id: id.to_string(),
            value: id,
        };
        let result = database.conn.transaction(|conn| {
            let call = upsert((0..3).map(part)).chunk_size(1);
            let error = wait(call.execute(conn)).unwrap_err();
            assert_eq!(
                error.contention(),
                Some(Contention::LockTimeout),
                "{error:?}"
            );
            wait(upsert([item(8, 8)]).execute(conn))
        });
        assert_eq!(result.unwrap(), 1);
        assert_eq!(rows(&mut database.conn), [(8, 8)]);
    }

    /// A call that waits for a lock is ended by `end`, and leaves the caller's transaction.
    fn end_a_call_that_waits(settings: &str, end: impl FnOnce(&mut Conn, i64) + Send) {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        database.run("INSERT INTO items VALUES (1, 1)");
        let (mut other, mut conn) = (database.connect(), database.connect());
        other
            .batch_execute("BEGIN; UPDATE items SET value = 5")
            .unwrap();
        conn.batch_execute(settings).unwrap();
        let id = connection_id(&mut conn);
        let mut watcher = database.connect();
        thread::scope(|scope| {
            let call = scope.spawn(|| {
                conn.transaction(|conn| {
                    wait(upsert([item(7, 7)]).execute(conn))?;
                    let mut failed = Vec::new();
                    let call = upsert([item(1, 2), item(2, 2)]);
                    let call = call.on_error(OnError::Skip(&mut failed));
                    let error = wait(call.execute(conn)).unwrap_err();
                    assert!(matches!(error, Error::Statement { .. }), "{error:?}");
                    assert_nothing_written(&error);
                    assert_eq!(failed.len(), 0);
                    wait(upsert([item(8, 8)]).execute(conn))
                })
            });
            until_it_waits(&mut watcher, id);
            end(&mut watcher, id);
            assert_eq!(call.join().unwrap().unwrap(), 1);
        });
        other.batch_execute("ROLLBACK").unwrap();
        assert_eq!(rows(&mut database.conn), [(1, 1), (7, 7), (8, 8)]);
    }

    #[test]
    fn a_statement_that_takes_too_long() {
        end_a_call_that_waits("SET statement_timeout = 1000", |_, _| {});
    }

    #[test]
    fn a_statement_that_is_canceled() {
        end_a_call_that_waits("SELECT 1", |watcher, id| {
            let cancel = format!("SELECT pg_cancel_backend({id})");
            watcher.batch_execute(&cancel).unwrap();
        });
    }

    #[test]
    fn a_session_that_was_ended_while_it_was_idle() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        let mut conn = database.connect();
        conn.batch_execute("SET idle_in_transaction_session_timeout = 50")
            .unwrap();
        let result = conn.transaction(|conn| {
            wait(upsert([item(1, 1)]).execute(conn))?;
            thread::sleep(Duration::from_millis(300));
            let result = wait(upsert(items_of(5)).execute(conn));
            assert_nothing_written(result.as_ref().unwrap_err());
            result
        });
        assert!(result.is_err());
        assert_eq!(rows(&mut database.conn), []);
    }

    #[test]
    fn a_connection_that_is_killed_in_the_middle() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        database.run("INSERT INTO items VALUES (150, 1)");
        let (mut other, mut conn) = (database.connect(), database.connect());
        other
            .batch_execute("BEGIN; UPDATE items SET value = 5")
            .unwrap();
        let id = connection_id(&mut conn);
        let error = thread::scope(|scope| {
            let call = scope.spawn(|| {
                wait(upsert(items_of(300)).chunk_size(100).execute(&mut conn)).unwrap_err()
            });
            until_it_waits(&mut database.connect(), id);
            let kill = format!("SELECT pg_terminate_backend({id})");
            database.connect().batch_execute(&kill).unwrap();
            call.join().unwrap()
        });
        assert!(matches!(error, Error::ConnectionLost { .. }), "{error:?}");
        assert_nothing_written(&error);
        other.batch_execute("ROLLBACK").unwrap();
        assert_eq!(rows(&mut database.conn), [(150, 1)]);
    }

    #[test]
    fn a_server_that_is_read_only() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        database.run("SET default_transaction_read_only = on");
        for rows in [1, 10, 20_000] {
            let mut failed = Vec::new();
            let call = upsert(items_of(rows)).on_error(OnError::Skip(&mut failed));
            let error = wait(call.execute(&mut database.conn)).unwrap_err();
            assert_nothing_written(&error);
            assert!(
                error.to_string().contains("the transaction is read-only"),
                "{error}"
            );
            assert_eq!(failed.len(), 0);
        }
    }

    #[test]
    fn a_role_that_may_make_no_temporary_table() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        let role = format!("no_temp_{}", connection_id(&mut database.conn));
        // Everybody may, unless the database says otherwise, so a savepoint's own table of that
        // name stands in the way instead.
        database.run("CREATE TEMP TABLE __upsert_copy (x INTEGER)");
        let written = wait(upsert(items_of(20_000)).execute(&mut database.conn));
        assert_eq!(written.unwrap(), 20_000, "{role}");
        assert_eq!(rows(&mut database.conn).len(), 20_000);
    }

    #[test]
    fn no_setting_of_a_call_outlives_it() {
        #[derive(QueryableByName)]
        struct Setting {
            #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::Text>)]
            value: Option<String>,
        }
        let mut database = TestDatabase::new();
        database.run(CREATE);
        let conn = &mut database.conn;
        wait(upsert(items_of(5)).skip_unchanged(true).outcome(conn)).unwrap();
        wait(upsert(items_of(5)).skip_unchanged(true).outcome(conn)).unwrap();
        for name in ["upsert.row", "upsert.unchanged"] {
            let query = format!("SELECT nullif(current_setting('{name}', TRUE), '') AS value");
            let setting: Setting = diesel::sql_query(query).get_result(conn).unwrap();
            assert_eq!(setting.value, None, "{name}");
        }
    }

    /// What is behind a view is not looked at, so its rows are sent as they are.
    #[test]
    fn a_view_of_a_table_that_changes_its_keys() {
        let mut database = TestDatabase::new();
        database.run(
            "CREATE TABLE base (id INTEGER NOT NULL PRIMARY KEY, value INTEGER NOT NULL); \
             CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN NEW.id := NEW.id * 100 + NEW.value; RETURN NEW; END $$; \
             CREATE TRIGGER change BEFORE INSERT ON base FOR EACH ROW EXECUTE FUNCTION change(); \
             CREATE VIEW items AS SELECT * FROM base",
        );
        for chunk_size in [1, 10] {
            database.run("DELETE FROM base");
            let call = upsert([item(1, 1), item(1, 2)]).chunk_size(chunk_size);
            assert_eq!(wait(call.execute(&mut database.conn)).unwrap(), 2);
            assert_eq!(rows(&mut database.conn), [(101, 1), (102, 2)]);
        }
    }

    /// The server does not see that a client's link is dead, and keeps its locks.
    #[test]
    fn a_link_that_is_half_open() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        database.run("INSERT INTO items VALUES (1, 1)");
        let proxy = Proxy::to(database.url());
        let mut lost: Conn = connect(proxy.url());
        lost.batch_execute("SET idle_in_transaction_session_timeout = '1500ms'")
            .unwrap();
        proxy.cut(Cut::Stall("COMMIT"));
        // It waits for an answer to its COMMIT until the process ends.
        thread::spawn(move || {
            wait(
                upsert([item(1, 2), item(2, 2)])
                    .chunk_size(1)
                    .execute(&mut lost),
            )
        });
        proxy.until_cut();
        let conn = &mut database.conn;
        conn.batch_execute("SET lock_timeout = '100ms'").unwrap();
        let error = wait(upsert([item(1, 3)]).execute(conn)).unwrap_err();
        assert_eq!(
            error.contention(),
            Some(Contention::LockTimeout),
            "{error:?}"
        );
        // With the timeout the server ends the session, and rolls back.
        conn.batch_execute("SET lock_timeout = '10s'").unwrap();
        wait(upsert([item(1, 3)]).execute(conn)).unwrap();
        assert_eq!(rows(conn), [(1, 3)]);
    }

    #[test]
    fn instants_and_times_of_day() {
        diesel::table! {
            times (at, day) {
                at -> Timestamptz,
                day -> Time,
                value -> Integer,
            }
        }
        use chrono::{DateTime, FixedOffset};
        use diesel::data_types::PgTime;
        #[derive(Debug, Clone, Upsertable)]
        #[diesel(table_name = times)]
        #[upsert(update_all)]
        struct Timed {
            #[conflict_key]
            at: DateTime<FixedOffset>,
            #[conflict_key]
            day: PgTime,
            value: i32,
        }
        const DAY: i64 = 24 * 60 * 60 * 1_000_000;
        let mut database = TestDatabase::new();
        database.run(
            "CREATE TABLE times (at timestamptz, day time, value INTEGER NOT NULL, \
             PRIMARY KEY (at, day))",
        );
        let conn = &mut database.conn;
        let timed = |at: &str, day, value| Timed {
            at: DateTime::parse_from_rfc3339(at).unwrap(),
            day: PgTime(day),
            value,
        };
        for chunk_size in [1, 10] {
            // One instant with two offsets; and midnight, at the end of a day and at its begin.
            let rows = [
                timed("2024-01-01T01:00:00+01:00", 0, 1),
                timed("2024-01-01T00:00:00Z", DAY, 2),
                timed("2024-01-01T00:00:00Z", 0, 3),
            ];
            wait(upsert(rows).chunk_size(chunk_size).execute(conn)).unwrap();
            let found = times::table
                .order(times::day)
                .select((times::day, times::value));
            let found: Vec<(PgTime, i32)> = found.load(conn).unwrap();
            assert_eq!(found, [(PgTime(0), 3), (PgTime(DAY), 2)]);
        }
    }

    /// Keys that PostgreSQL alone knows to be equal.
    #[test]
    fn intervals_that_are_written_otherwise() {
        diesel::table! {
            by_interval (k) {
                k -> Interval,
                value -> Integer,
            }
        }
        #[derive(Debug, Clone, Upsertable)]
        #[diesel(table_name = by_interval)]
        #[upsert(update_all)]
        struct ByInterval {
            k: diesel::data_types::PgInterval,
            value: i32,
        }
        let mut database = TestDatabase::new();
        database.run("CREATE TABLE by_interval (k interval PRIMARY KEY, value INTEGER NOT NULL)");
        let conn = &mut database.conn;
        for chunk_size in [1, 10] {
            let interval = |days, months, value| ByInterval {
                k: diesel::data_types::PgInterval::new(0, days, months),
                value,
            };
            let rows = [interval(30, 0, 1), interval(0, 1, 2), interval(30, 0, 3)];
            wait(upsert(rows).chunk_size(chunk_size).execute(conn)).unwrap();
            let values: Vec<i32> = by_interval::table
                .select(by_interval::value)
                .load(conn)
                .unwrap();
            assert_eq!(values, [3]);
        }
    }

    #[test]
    fn a_guard_that_does_not_hold_locks_the_row() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        database.run("INSERT INTO items VALUES (1, 1)");
        let mut other = database.connect();
        other.batch_execute("SET lock_timeout = 100").unwrap();
        let conn = &mut database.conn;
        conn.transaction(|conn| {
            let call = upsert([item(1, 2)]).update_if(items::value.gt(100));
            assert_eq!(wait(call.execute(conn))?, 0);
            assert!(other.batch_execute("UPDATE items SET value = 3").is_err());
            Ok::<_, Error>(())
        })
        .unwrap();
        assert_eq!(rows(conn), [(1, 1)]);
    }

    #[test]
    fn a_trigger_that_writes_the_row_that_is_updated() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        database.run(
            "INSERT INTO items VALUES (1, 1); \
             CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN UPDATE items SET value = 9 WHERE id = NEW.id AND value <> 9; \
             RETURN NEW; END $$; \
             CREATE TRIGGER again BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION again()",
        );
        let error = wait(upsert([item(1, 2)]).execute(&mut database.conn)).unwrap_err();
        assert!(matches!(error, Error::Statement { .. }), "{error:?}");
        assert_eq!(rows(&mut database.conn), [(1, 1)]);
    }

    #[test]
    fn an_identity_that_takes_no_value() {
        let mut database = TestDatabase::new();
        database.run(
            "CREATE TABLE items (id INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
             value INTEGER NOT NULL)",
        );
        let found = wait(Item::verify(&mut database.conn)).unwrap();
        let problems = &found.problems[..];
        assert!(
            matches!(problems, [upsert_core::Finding::GeneratedColumn(id)] if id == "id"),
            "{found}"
        );
        assert!(wait(upsert([item(1, 1)]).execute(&mut database.conn)).is_err());
    }

    #[test]
    fn numbers_that_are_used_up() {
        diesel::table! {
            numbered (name) {
                name -> Text,
            }
        }
        #[derive(Debug, Clone, Upsertable)]
        #[diesel(table_name = numbered)]
        #[upsert(do_nothing)]
        struct Numbered {
            name: &'static str,
        }
        let mut database = TestDatabase::new();
        database.run(
            "CREATE TABLE numbered (id smallint GENERATED BY DEFAULT AS IDENTITY, \
             name TEXT PRIMARY KEY)",
        );
        let conn = &mut database.conn;
        wait(upsert([Numbered { name: "a" }]).execute(conn)).unwrap();
        conn.batch_execute("SELECT setval('numbered_id_seq', 32767)")
            .unwrap();
        let error = wait(upsert([Numbered { name: "a" }]).execute(conn)).unwrap_err();
        assert!(matches!(error, Error::Statement { .. }), "{error:?}");
    }

    #[test]
    fn a_key_that_is_larger_than_its_page_is_the_only_row_that_fails() {
        diesel::table! {
            words (word) {
                word -> Text,
            }
        }
        #[derive(Debug, Clone, Upsertable)]
        #[diesel(table_name = words)]
        #[upsert(do_nothing)]
        struct Word {
            word: String,
        }
        let mut database = TestDatabase::new();
        database.run("CREATE TABLE words (word TEXT PRIMARY KEY)");
        // What cannot be compressed.
        let mut random = crate::support::Random::new(1);
        let large: String = (0..12_000)
            .map(|_| char::from(b'!' + u8::try_from(random.below(90)).unwrap()))
            .collect();
        let words = (0..10).map(|i| Word {
            word: if i == 6 { large.clone() } else { i.to_string() },
        });
        let mut failed = Vec::new();
        let call = upsert(words).on_error(OnError::Skip(&mut failed));
        assert_eq!(wait(call.execute(&mut database.conn)).unwrap(), 9);
        assert_eq!(failed.iter().map(|it| it.row).collect::<Vec<_>>(), [6]);
    }

    #[test]
    fn a_column_that_changes_its_type_under_a_prepared_statement() {
        let mut database = TestDatabase::new();
        database.run("CREATE TABLE items (id INTEGER PRIMARY KEY, value smallint NOT NULL)");
        let mut conn = database.connect();
        let call = || upsert([item(1, 1)]).returning(items::id);
        wait(call().get_results::<i32, _>(&mut conn)).unwrap();
        database.run("ALTER TABLE items ALTER value TYPE INTEGER, ALTER id TYPE BIGINT");
        let result = wait(call().get_results::<i32, _>(&mut conn));
        assert!(result.is_err(), "{result:?}");
        // Another connection has prepared nothing.
        assert_eq!(
            wait(upsert([item(2, 2)]).execute(&mut database.connect())).unwrap(),
            1
        );
    }

    #[test]
    fn a_foreign_key_that_is_proposed_and_kept() {
        let mut database = TestDatabase::new();
        database.run(
            "CREATE TABLE parents (id INTEGER PRIMARY KEY); INSERT INTO parents VALUES (1); \
             CREATE TABLE items (id INTEGER PRIMARY KEY, \
             value INTEGER NOT NULL REFERENCES parents); INSERT INTO items VALUES (1, 1)",
        );
        let call = upsert([item(1, 99)]).do_nothing();
        assert_eq!(wait(call.execute(&mut database.conn)).unwrap(), 0);
        assert_eq!(rows(&mut database.conn), [(1, 1)]);
    }
}

#[cfg(feature = "mysql")]
mod on_mysql_only {
    use upsert_core::Contention;

    use super::*;
    use crate::api::connect;
    use crate::support::mysql::{Conn, TestDatabase, connection_id};

    fn rows(conn: &mut Conn) -> Vec<(i32, i32)> {
        items::table.order(items::id).load(conn).unwrap()
    }

    #[test]
    fn rows_with_the_key_zero_that_the_server_numbers() {
        let mut database = TestDatabase::new();
        database.run(
            "CREATE TABLE items (id INTEGER AUTO_INCREMENT PRIMARY KEY, value INTEGER NOT NULL)",
        );
        let conn = &mut database.conn;
        for chunk_size in [1, 10] {
            conn.batch_execute("TRUNCATE TABLE items").unwrap();
            let call = upsert([item(0, 1), item(0, 2), item(5, 5)]).chunk_size(chunk_size);
            assert_eq!(wait(call.execute(conn)).unwrap(), 3);
            let values: Vec<i32> = rows(conn).iter().map(|row| row.1).collect();
            assert_eq!(values, [1, 2, 5]);
        }
        // Where it is a key like any other, the last one decides.
        conn.batch_execute(
            "TRUNCATE TABLE items; SET sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO')",
        )
        .unwrap();
        assert_eq!(
            wait(upsert([item(0, 1), item(0, 2)]).execute(conn)).unwrap(),
            2
        );
        assert_eq!(rows(conn), [(0, 2)]);
    }

    #[test]
    fn a_trigger_that_the_user_may_not_see() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        database.run(
            "CREATE TRIGGER change_key BEFORE INSERT ON items FOR EACH ROW \
             SET NEW.id = NEW.id * 100 + NEW.value",
        );
        let user = format!("upsert_{}", connection_id(&mut database.conn));
        let name = database.url().rsplit_once('/').unwrap().1.to_owned();
        database.run(&format!(
            "CREATE USER {user}@'%'; GRANT SELECT, INSERT, UPDATE ON {name}.* TO {user}@'%'"
        ));
        let (_, address) = database.url().split_once('@').unwrap();
        let mut conn: Conn = connect(&format!("mysql://{user}@{address}"));
        for chunk_size in [1, 10, 1000] {
            database.run("DELETE FROM items");
            let many = (2..300).map(|id| item(id, 0));
            let rows_of_one_key: Vec<Item> =
                [item(1, 1), item(1, 2)].into_iter().chain(many).collect();
            let written = wait(
                upsert(&rows_of_one_key)
                    .chunk_size(chunk_size)
                    .execute(&mut conn),
            );
            assert_eq!(written.unwrap(), 300);
            let rows = rows(&mut database.conn);
            assert_eq!((rows.len(), &rows[..2]), (300, &[(101, 1), (102, 2)][..]));
        }
        drop(conn);
        database.run(&format!("DROP USER {user}@'%'"));
    }

    /// `CREATE TABLE` has committed the transaction, so that the call's statements commit
    /// themselves.
    #[test]
    fn a_transaction_that_another_statement_has_committed() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        database.run("ALTER TABLE items ADD CHECK (value < 100)");
        for rows in [vec![item(1, 1), item(2, 2)], vec![item(1, 1), item(2, 500)]] {
            for chunk_size in [1, 10] {
                let result = database.conn.transaction::<_, Error, _>(|conn| {
                    conn.batch_execute("CREATE TABLE IF NOT EXISTS others (id INTEGER)")?;
                    let call = upsert(rows.clone()).chunk_size(chunk_size);
                    let error = wait(call.execute(conn)).unwrap_err();
                    assert!(matches!(error, Error::TransactionEnded { .. }), "{error:?}");
                    assert_eq!(error.commit_outcome(), CommitOutcome::Unknown);
                    Err::<(), _>(error)
                });
                assert_eq!(result.unwrap_err().commit_outcome(), CommitOutcome::Unknown);
                database.run("DROP TABLE others; DELETE FROM items");
            }
        }
    }

    /// The server leaves a statement open that Diesel knows no transaction of.
    #[test]
    fn statements_that_do_not_commit_themselves() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        for setting in ["SET autocommit = 0", "SET completion_type = 'CHAIN'"] {
            let mut conn = database.connect();
            // What the connection recalls was before the setting.
            wait(upsert([item(0, 0)]).execute(&mut conn)).unwrap();
            conn.batch_execute(setting).unwrap();
            for rows in [
                items_of(1),
                items_of(2),
                items_of(200),
                items_of(3000),
                items_of(5),
            ] {
                let written = rows.len();
                assert_eq!(wait(upsert(rows).execute(&mut conn)).unwrap(), written);
            }
            for id in [5000, 5001] {
                wait(upsert([item(id, 1)]).execute(&mut conn)).unwrap();
            }
            drop(conn);
            let found = rows(&mut database.conn);
            assert_eq!(
                (found.len(), found[3000], found[3001]),
                (3002, (5000, 1), (5001, 1))
            );
            database.run("DELETE FROM items");
        }
    }

    /// What a statement has written before it failed would be written once more.
    #[test]
    fn tables_without_transactions_take_no_part() {
        let mut database = TestDatabase::new();
        database.run(&format!("{CREATE} ENGINE = MyISAM"));
        for on_error in [OnError::Name, OnError::Skip(&mut Vec::new())] {
            let call = upsert(items_of(3)).on_error(on_error);
            let error = wait(call.execute(&mut database.conn)).unwrap_err();
            assert!(matches!(error, Error::Refused { .. }), "{error:?}");
            assert!(error.to_string().contains("ENGINE = InnoDB"), "{error}");
        }
        assert_eq!(rows(&mut database.conn), []);
        assert_eq!(
            wait(upsert(items_of(3)).execute(&mut database.conn)).unwrap(),
            3
        );

        database.run("ALTER TABLE items ENGINE = InnoDB");
        database.run(
            "CREATE TABLE upsert_tokens (token VARBINARY(255) NOT NULL PRIMARY KEY) ENGINE = MyISAM",
        );
        let call = upsert([item(7, 7)]).idempotency_token("a");
        let error = wait(call.execute(&mut database.conn)).unwrap_err();
        assert!(matches!(error, Error::Token { .. }), "{error:?}");
        assert_eq!(rows(&mut database.conn).len(), 3);
    }

    /// A token that is there is found without the others.
    #[test]
    fn tokens_of_other_calls_are_not_waited_for() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        database.run(<diesel::mysql::Mysql as upsert_core::Dialect>::CREATE_TOKENS);
        let send = |conn: &mut Conn, token| {
            let call = upsert([item(1, 1)]).idempotency_token(token);
            wait(call.execute(conn))
        };
        assert_eq!(send(&mut database.conn, "one").unwrap(), 1);
        let mut other = database.connect();
        other
            .batch_execute("BEGIN; INSERT INTO upsert_tokens VALUES ('two')")
            .unwrap();
        database.run("SET innodb_lock_wait_timeout = 1");
        assert_eq!(send(&mut database.conn, "one").unwrap(), 0);
        let error = send(&mut database.conn, "two").unwrap_err();
        assert_eq!(
            error.contention(),
            Some(Contention::LockTimeout),
            "{error:?}"
        );
        other.batch_execute("ROLLBACK").unwrap();
        assert_eq!(send(&mut database.conn, "two").unwrap(), 1);
    }

    /// The server quotes a value in its message.
    #[test]
    fn a_value_with_the_words_of_an_error() {
        diesel::table! {
            numbers (id) {
                id -> Integer,
                number -> Text,
            }
        }

        #[derive(Debug, Clone, Upsertable)]
        #[diesel(table_name = numbers)]
        #[upsert(update_all)]
        struct Number {
            #[conflict_key]
            id: i32,
            number: &'static str,
        }

        let mut database = TestDatabase::new();
        database.run("CREATE TABLE numbers (id INTEGER PRIMARY KEY, number INTEGER)");
        for text in ["EXP(711 * 1)", "EXP(710 + 1)", "max_allowed_packet", "zzz"] {
            let mut failed = Vec::new();
            let rows = ["1", text, "2"].into_iter().zip(1..);
            let rows = rows.map(|(number, id)| Number { id, number });
            let call = upsert(rows).on_error(OnError::Skip(&mut failed));
            assert_eq!(wait(call.execute(&mut database.conn)).unwrap(), 2, "{text}");
            assert_eq!(failed[0].row, 1);
            assert!(
                matches!(failed[0].error, Error::Statement { .. }) || text == "max_allowed_packet"
            );
        }
    }

    #[test]
    fn statements_that_take_too_long_and_servers_that_are_read_only() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        database.run("INSERT INTO items VALUES (1, 1)");
        let mut other = database.connect();
        other
            .batch_execute("BEGIN; UPDATE items SET value = 5")
            .unwrap();
        database.run("SET max_statement_time = 0.3");
        for call in [
            upsert([item(1, 2)]),
            upsert([item(1, 2), item(2, 2)]).chunk_size(1),
        ] {
            let mut failed = Vec::new();
            let call = call.on_error(OnError::Skip(&mut failed));
            let error = wait(call.execute(&mut database.conn)).unwrap_err();
            assert!(matches!(error, Error::Statement { .. }), "{error:?}");
            assert_nothing_written(&error);
            assert_eq!(failed.len(), 0);
        }
        other.batch_execute("ROLLBACK").unwrap();
        assert_eq!(rows(&mut database.conn), [(1, 1)]);

        database.run("SET SESSION TRANSACTION READ ONLY");
        let mut failed = Vec::new();
        let call = upsert(items_of(5)).on_error(OnError::Skip(&mut failed));
        assert_nothing_written(&wait(call.execute(&mut database.conn)).unwrap_err());
        assert_eq!(failed.len(), 0);
        database.run("SET SESSION TRANSACTION READ WRITE");
        assert_eq!(rows(&mut database.conn), [(1, 1)]);
    }
}

//! Others write between the statements of a call, or while one waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use diesel::connection::{Instrumentation, InstrumentationEvent, SimpleConnection};
use diesel::prelude::*;

use super::{Case, How, Way};

/// Does something once, right before a connection sends a statement.
fn before(
    is_it: impl Fn(&str) -> bool + Send + 'static,
    act: impl FnOnce() + Send + 'static,
) -> impl Instrumentation {
    let mut act = Some(act);
    move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            if is_it(&query.to_string()) {
                if let Some(act) = act.take() {
                    // In a thread that no runtime has.
                    std::thread::spawn(act).join().unwrap();
                }
            }
        }
    }
}

/// Others write between the statements of a call.
macro_rules! races_on {
    ($name:ident, $system:ident, $create:literal) => {
        mod $name {
            use super::*;
            use crate::outcome_hazards::$system::{name, table, text};
            use crate::support::$system::{Conn, TestDatabase};

            const CREATE: &str = concat!(
                "DROP TABLE IF EXISTS items; ",
                $create,
                "; INSERT INTO items (k, v) VALUES ('a', 1), ('b', 5)"
            );

            /// What another connection does right before the first statement that
            /// `is_it`, and what then has to be told of `a=2`, `c=3`, `b=4`.
            fn check(
                is_it: fn(&str) -> bool,
                others: &'static str,
                expected: &[(How, Way, &str, &str)],
            ) {
                let mut database = TestDatabase::new();
                let mut reader = database.connect();
                for (how, way, told, after) in expected {
                    for chunk_size in [1000, 1] {
                        for in_transaction in [false, true] {
                            let context =
                                format!("{how:?} {way:?} {chunk_size} {in_transaction}: {others}");
                            database.run(CREATE);
                            let mut other = database.connect();
                            let has_acted = Arc::new(AtomicBool::new(false));
                            let acts = Arc::clone(&has_acted);
                            let conn = &mut database.conn;
                            conn.set_instrumentation(before(is_it, move || {
                                other.batch_execute(others).unwrap();
                                acts.store(true, Ordering::Relaxed);
                            }));
                            let input = [("a", 2), ("c", 3), ("b", 4)];
                            let call = |conn: &mut Conn| {
                                text::call(conn, &input, *how, *way, chunk_size).unwrap()
                            };
                            let is = if in_transaction {
                                conn.transaction(|conn| QueryResult::Ok(call(conn)))
                                    .unwrap()
                            } else {
                                call(conn)
                            };
                            conn.set_instrumentation(|_: InstrumentationEvent<'_>| {});
                            assert!(has_acted.load(Ordering::Relaxed), "{context}");
                            let lines = table(&mut reader, "k");
                            let expected = Case::<&str>::new("", "", *how, &[])
                                .tells(told, "")
                                .told(*way);
                            assert_eq!(name(&is, &lines), expected.join("; "), "{context}");
                            let lines: Vec<_> = lines.into_iter().map(|(_, line)| line).collect();
                            assert_eq!(lines.join(" "), *after, "{context}");
                        }
                    }
                }
            }

            /// Another connection inserts a key before the statement that writes.
            #[test]
            fn a_key_that_another_inserts_before() {
                let is_insert = |sql: &str| sql.starts_with("INSERT INTO");
                for way in Way::TELLING {
                    check(
                        is_insert,
                        "INSERT INTO items (k, v) VALUES ('c', 2)",
                        &[
                            (
                                How::Update,
                                way,
                                "Updated a=1 a=2; Updated c=2 c=3; Updated b=5 b=4",
                                "a=2 b=4 c=3",
                            ),
                            (
                                How::Nothing,
                                way,
                                "Skipped a=1 a=1; Skipped c=2 c=2; Skipped b=5 b=5",
                                "a=1 b=5 c=2",
                            ),
                            (
                                How::SmallerChanged,
                                way,
                                "Updated a=1 a=2; Updated c=2 c=3; Skipped b=5 b=5",
                                "a=2 b=5 c=3",
                            ),
                        ],
                    );
                    check(
                        is_insert,
                        "INSERT INTO items (k, v) VALUES ('c', 8)",
                        &[(
                            How::Smaller,
                            way,
                            "Updated a=1 a=2; Skipped c=8 c=8; Skipped b=5 b=5",
                            "a=2 b=5 c=8",
                        )],
                    );
                }
            }

            /// Another connection has inserted a key, and commits or not while the
            /// statement waits for it.
            #[test]
            fn a_key_that_another_is_about_to_insert() {
                for (way, commits) in Way::TELLING
                    .into_iter()
                    .flat_map(|way| [(way, true), (way, false)])
                {
                    let mut database = TestDatabase::new();
                    database.run(CREATE);
                    let mut other = database.connect();
                    let mut conn = database.connect();
                    other
                        .batch_execute("BEGIN; INSERT INTO items (k, v) VALUES ('c', 2)")
                        .unwrap();
                    let told = std::thread::scope(|scope| {
                        let input = [("a", 2), ("c", 3), ("b", 4)];
                        let call = scope.spawn(move || {
                            text::call(&mut conn, &input, How::Update, way, 1000).unwrap()
                        });
                        std::thread::sleep(std::time::Duration::from_millis(150));
                        assert!(!call.is_finished());
                        other
                            .batch_execute(if commits { "COMMIT" } else { "ROLLBACK" })
                            .unwrap();
                        call.join().unwrap()
                    });
                    let c = if commits {
                        "Updated c=2 c=3"
                    } else {
                        "Inserted - c=3"
                    };
                    let expected = format!("Updated a=1 a=2; {c}; Updated b=5 b=4");
                    let expected = Case::<&str>::new("", "", How::Update, &[])
                        .tells(&expected, "")
                        .told(way);
                    let lines = table(&mut database.conn, "k");
                    assert_eq!(
                        name(&told, &lines),
                        expected.join("; "),
                        "{way:?} {commits}"
                    );
                    let lines: Vec<_> = lines.into_iter().map(|(_, line)| line).collect();
                    assert_eq!(lines.join(" "), "a=2 b=4 c=3", "{way:?} {commits}");
                }
            }
        }
    };
}

#[cfg(feature = "postgres")]
races_on!(
    races_on_postgres,
    postgres,
    "CREATE TABLE items (id SERIAL PRIMARY KEY, k TEXT UNIQUE, v INT NOT NULL)"
);
#[cfg(feature = "mysql")]
races_on!(
    races_on_mysql,
    mysql,
    "CREATE TABLE items (id INT AUTO_INCREMENT PRIMARY KEY, k VARCHAR(20) UNIQUE, v INT NOT NULL)"
);

/// More of PostgreSQL.
#[cfg(feature = "postgres")]
mod more_on_postgres {
    use super::*;
    use crate::outcome_hazards::in_full;
    use crate::outcome_hazards::postgres::{name, table, text};
    use crate::support::postgres::TestDatabase;

    const CREATE: &str = "DROP TABLE IF EXISTS items; \
         CREATE TABLE items (id SERIAL, k TEXT UNIQUE, v INT NOT NULL) PARTITION BY LIST (k); \
         CREATE TABLE items_a PARTITION OF items FOR VALUES IN ('a'); \
         CREATE TABLE items_x PARTITION OF items FOR VALUES IN ('x'); \
         CREATE TABLE items_rest PARTITION OF items DEFAULT; \
         INSERT INTO items (k, v) VALUES ('a', 1), ('b', 5)";

    /// A row that is kept is deleted before it is read. Under a guard it would be
    /// locked.
    #[test]
    fn a_kept_row_that_is_gone_is_sent_again() {
        let mut database = TestDatabase::new();
        for (how, told, after) in [(
            How::Nothing,
            "Inserted - a=0; Inserted - c=3; Skipped b=5 b=5",
            "a=0 b=5 c=3",
        )] {
            for way in [Way::Rows, Way::RowsAndActions] {
                database.run(CREATE);
                let mut other = database.connect();
                let conn = &mut database.conn;
                let is_read = |sql: &str| sql.starts_with("SELECT") && sql.contains("CROSS JOIN");
                conn.set_instrumentation(before(is_read, move || {
                    other
                        .batch_execute("DELETE FROM items WHERE k = 'a'")
                        .unwrap();
                }));
                let input = [("a", 0), ("c", 3), ("b", 6)];
                let is = text::call(conn, &input, how, way, 1000).unwrap();
                let lines = table(conn, "k");
                let expected = Case::<&str>::new("", "", how, &[])
                    .tells(told, "")
                    .told(way);
                assert_eq!(name(&is, &lines), expected.join("; "), "{how:?} {way:?}");
                let lines: Vec<_> = lines.into_iter().map(|(_, line)| line).collect();
                assert_eq!(lines.join(" "), after, "{how:?} {way:?}");
            }
        }
    }

    /// What another has done to the rows while a call waits for it, at every
    /// isolation level: the answer is right, or the database says that it is none.
    #[test]
    fn isolation_levels() {
        let changes = [
            ("SELECT 1", "a=1 b=5"),
            ("INSERT INTO items (k, v) VALUES ('c', 2)", "a=1 b=5 c=2"),
            ("UPDATE items SET v = 0 WHERE k = 'a'", "a=0 b=5"),
            ("DELETE FROM items WHERE k = 'a'", "b=5"),
            ("UPDATE items SET k = 'x' WHERE k = 'a'", "b=5 x=1"),
            (
                "DELETE FROM items WHERE k = 'a'; INSERT INTO items (k, v) VALUES ('a', 0)",
                "a=0 b=5",
            ),
        ];
        let mut database = TestDatabase::new();
        let mut reader = database.connect();
        let (mut right, mut refused) = (0, 0);
        let ways = Way::TELLING.into_iter();
        let hows = [How::Update, How::Nothing, How::SmallerChanged];
        for (way, how) in ways.flat_map(|way| hows.map(|how| (way, how))) {
            for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
                for ((others, stored), waits) in
                    changes.into_iter().flat_map(|it| [(it, true), (it, false)])
                {
                    let context = format!("{way:?} {how:?} {level} {others} {waits}");
                    database.run(CREATE);
                    let mut other = database.connect();
                    other.batch_execute(&format!("BEGIN; {others}")).unwrap();
                    let mut conn = database.connect();
                    // The transaction's snapshot is from before.
                    conn.batch_execute(&format!(
                        "BEGIN ISOLATION LEVEL {level}; SELECT * FROM items; ROLLBACK"
                    ))
                    .unwrap();
                    let input = [("a", 2), ("c", 3), ("b", 4)];
                    let result = std::thread::scope(|scope| {
                        let (snapshot, has_snapshot) = std::sync::mpsc::channel();
                        let (go, goes) = std::sync::mpsc::channel::<()>();
                        let call = scope.spawn(move || {
                            conn.batch_execute(&format!(
                                "SET default_transaction_isolation = '{}'",
                                level.to_lowercase()
                            ))
                            .unwrap();
                            conn.transaction(|conn| {
                                conn.batch_execute("SELECT * FROM items")?;
                                snapshot.send(()).unwrap();
                                goes.recv().unwrap();
                                let told = text::call(conn, &input, how, way, 1000);
                                if told.is_err() {
                                    // The caller's transaction is as good as before.
                                    conn.batch_execute("SELECT 1")?;
                                    return Ok(told);
                                }
                                QueryResult::Ok(told)
                            })
                        });
                        has_snapshot.recv().unwrap();
                        if !waits {
                            other.batch_execute("COMMIT").unwrap();
                        }
                        go.send(()).unwrap();
                        if waits {
                            std::thread::sleep(std::time::Duration::from_millis(30));
                            other.batch_execute("COMMIT").unwrap();
                        }
                        call.join().unwrap()
                    });
                    let lines = table(&mut reader, "k");
                    let text: Vec<_> = lines.iter().map(|(_, line)| line.as_str()).collect();
                    let error = match result {
                        Ok(Ok(told)) => {
                            let (expected, after) = one_by_one(stored, &input, how);
                            let expected = Case::<&str>::new("", "", how, &[])
                                .tells(&expected, "")
                                .told(way);
                            assert_eq!(name(&told, &lines), expected.join("; "), "{context}");
                            assert_eq!(text.join(" "), after, "{context}");
                            right += 1;
                            continue;
                        }
                        Ok(Err(error)) => in_full(&error),
                        Err(error) => error.to_string(),
                    };
                    assert!(
                        error.contains("could not serialize")
                            || error.contains("moved to another partition"),
                        "{context}: {error}"
                    );
                    assert!(
                        level != "READ COMMITTED" || error.contains("partition"),
                        "{context}: {error}"
                    );
                    assert!(others != "SELECT 1", "{context}: {error}");
                    assert_eq!(text.join(" "), stored, "{context}");
                    refused += 1;
                }
            }
        }
        assert!(right > 150 && refused > 50, "{right} {refused}");
    }

    /// What a call has to tell on a table, and the table after it.
    fn one_by_one(stored: &str, input: &[(&str, i32)], how: How) -> (String, String) {
        let stored = stored.split(' ').filter_map(|line| line.split_once('='));
        let mut rows: std::collections::BTreeMap<String, i32> = stored
            .map(|(k, v)| (k.to_owned(), v.parse().unwrap()))
            .collect();
        let told = input.iter().map(|(k, v)| {
            let Some(old) = rows.get(*k).copied() else {
                rows.insert((*k).to_owned(), *v);
                return format!("Inserted - {k}={v}");
            };
            if how == How::Nothing || how == How::SmallerChanged && old >= *v {
                return format!("Skipped {k}={old} {k}={old}");
            }
            rows.insert((*k).to_owned(), *v);
            format!("Updated {k}={old} {k}={v}")
        });
        let told: Vec<_> = told.collect();
        let after: Vec<_> = rows.iter().map(|(k, v)| format!("{k}={v}")).collect();
        (told.join("; "), after.join(" "))
    }
}

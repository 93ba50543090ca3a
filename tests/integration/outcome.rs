//! What became of each row: `outcome`, `returning` and `returning_old`.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::{Action, Change, Duplicates, Error, Outcome};

use crate::api::{Upsertable, upsert, wait};
use crate::support::{System, on_every_database};

use Action::{Inserted, Skipped, Unchanged, Updated};

diesel::table! {
    users (id) {
        id -> Integer,
        name -> Text,
        version -> Integer,
        score -> Nullable<Integer>,
    }
}

/// Found by its name; the database numbers it.
#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = users)]
struct ByName<'a> {
    #[conflict_key]
    name: &'a str,
    #[on_conflict(update)]
    version: i32,
    #[on_conflict(add)]
    score: Option<i32>,
}

/// Two guards.
#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = users)]
#[upsert(newer_by = version, skip_unchanged)]
struct Newer<'a> {
    #[conflict_key]
    name: &'a str,
    #[on_conflict(max)]
    version: i32,
    #[on_conflict(update)]
    score: Option<i32>,
}

/// Found by its number, which the database gives it where it has none.
#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = users)]
struct ById<'a> {
    #[conflict_key(nullable)]
    id: Option<i32>,
    #[on_conflict(update)]
    name: &'a str,
    #[on_conflict(update)]
    version: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = users)]
struct User {
    name: String,
    version: i32,
    score: Option<i32>,
}

fn user(name: &str, version: i32, score: Option<i32>) -> User {
    User {
        name: name.to_owned(),
        version,
        score,
    }
}

fn row(name: &str, version: i32, score: i32) -> ByName<'_> {
    ByName {
        name,
        version,
        score: Some(score),
    }
}

fn create(conn: &mut impl SimpleConnection, id: &str) {
    conn.batch_execute(&format!(
        "CREATE TABLE users (id {id}, name VARCHAR(50) NOT NULL UNIQUE, \
         version INTEGER NOT NULL, score INTEGER)"
    ))
    .expect("the table is created");
}

/// A column that the database numbers.
fn serial(system: System) -> &'static str {
    match system {
        System::Sqlite => "INTEGER NOT NULL PRIMARY KEY",
        #[cfg(feature = "postgres")]
        System::Postgres => "SERIAL PRIMARY KEY",
        #[cfg(feature = "mysql")]
        System::Mysql => "INTEGER NOT NULL AUTO_INCREMENT PRIMARY KEY",
    }
}

fn actions(outcome: &Outcome) -> &[Action] {
    outcome.actions()
}

on_every_database! {
    shared {
        fn table(conn: &mut Conn) -> Vec<(String, i32, Option<i32>)> {
            users::table
                .select((users::name, users::version, users::score))
                .order(users::name)
                .load(conn)
                .expect("the table is read")
        }
    }

    #[test]
    fn each_row_has_its_action(database) {
        let conn = &mut database.conn;
        create(conn, serial(system::SYSTEM));
        wait(upsert([row("b", 1, 1)]).execute(conn)).unwrap();
        let rows = [row("b", 2, 2), row("a", 1, 1), row("b", 3, 3), row("c", 1, 1)];
        let outcome = wait(upsert(&rows).outcome(conn)).unwrap();
        assert_eq!(actions(&outcome), [Updated, Inserted, Updated, Inserted]);
        assert_eq!(outcome.to_string(), "2 inserted, 2 updated");
        let outcome = wait(upsert(&rows).do_nothing().outcome(conn)).unwrap();
        assert_eq!(actions(&outcome), [Skipped; 4]);
        assert_eq!(
            table(conn),
            [
                ("a".to_owned(), 1, Some(1)),
                ("b".to_owned(), 3, Some(6)),
                ("c".to_owned(), 1, Some(1)),
            ]
        );
    }

    #[test]
    fn two_guards_give_their_reasons(database) {
        let conn = &mut database.conn;
        create(conn, serial(system::SYSTEM));
        let row = |name, version, score| Newer { name, version, score: Some(score) };
        wait(upsert([row("a", 1, 1), row("b", 5, 1)]).execute(conn)).unwrap();
        let rows = [row("a", 2, 1), row("b", 4, 9), row("c", 1, 1), row("c", 1, 2)];
        let results: Vec<(Action, User)> =
            wait(upsert(&rows).returning(User::as_returning()).outcome(conn)).unwrap();
        assert_eq!(
            results,
            [
                (Updated, user("a", 2, Some(1))),
                (Skipped, user("b", 5, Some(1))),
                (Inserted, user("c", 1, Some(1))),
                (Skipped, user("c", 1, Some(1))),
            ]
        );
        let rows = [row("a", 7, 7), row("b", 1, 1), row("b", 5, 1)];
        let outcome = wait(
            upsert(&rows)
                .update_if(users::version.le(5))
                .rule(users::version, upsert_core::rule::Keep)
                .outcome(conn),
        )
        .unwrap();
        assert_eq!(actions(&outcome), [Updated, Unchanged, Unchanged]);
    }

    #[test]
    fn rows_come_back_in_the_order_of_the_input(database) {
        let conn = &mut database.conn;
        create(conn, serial(system::SYSTEM));
        let names: Vec<String> = (0..1000).map(|i| format!("n{}", i * 7919 % 1000)).collect();
        let rows: Vec<_> = names.iter().map(|name| row(name, 1, 1)).collect();
        let call = upsert(&rows[..500]).chunk_size(37).returning(users::id);
        let ids: Vec<i32> = wait(call.get_results(conn)).unwrap();
        let stored: std::collections::HashMap<String, i32> =
            users::table.select((users::name, users::id)).load(conn).unwrap().into_iter().collect();
        assert_eq!(stored.len(), 500);
        for (row, id) in rows.iter().zip(&ids) {
            assert_eq!(stored[row.name], *id);
        }
        // Get or create.
        let all: Vec<(Action, i32)> = wait(
            upsert(&rows)
                .do_nothing()
                .returning(users::id)
                .outcome(conn),
        )
        .unwrap();
        for (i, (action, id)) in all.iter().enumerate() {
            assert_eq!(*action, if i < 500 { Skipped } else { Inserted });
            assert!(i >= 500 || ids[i] == *id);
        }
        let call = upsert([row("n0", 5, 5)]).returning(users::version);
        let one: i32 = wait(call.get_result(conn)).unwrap();
        assert_eq!(one, 5);
    }

    #[test]
    fn old_rows_stand_beside_new_ones(database) {
        let conn = &mut database.conn;
        create(conn, serial(system::SYSTEM));
        wait(upsert([row("b", 1, 1), row("d", 9, 9)]).execute(conn)).unwrap();
        let rows = [row("b", 2, 2), row("a", 1, 1), row("b", 3, 3), row("d", 1, 1)];
        let changes: Vec<Change<User>> = wait(
            upsert(&rows)
                .update_if(users::version.lt(9))
                .returning_old(User::as_returning())
                .get_results(conn),
        )
        .unwrap();
        let change = |action, old, new| Change { action, old, new };
        assert_eq!(
            changes,
            [
                change(Updated, Some(user("b", 1, Some(1))), user("b", 2, Some(3))),
                change(Inserted, None, user("a", 1, Some(1))),
                change(Updated, Some(user("b", 2, Some(3))), user("b", 3, Some(6))),
                change(Skipped, Some(user("d", 9, Some(9))), user("d", 9, Some(9))),
            ]
        );
    }

    #[test]
    fn rows_without_a_key_come_back_too(database) {
        let conn = &mut database.conn;
        create(conn, serial(system::SYSTEM));
        let row = |id, name| ById { id, name, version: 1 };
        let rows = [row(None, "a"), row(Some(70), "b"), row(None, "c"), row(Some(70), "d")];
        let results: Vec<(Action, (i32, String))> =
            wait(upsert(&rows).returning((users::id, users::name)).outcome(conn)).unwrap();
        let stored: Vec<(i32, String)> =
            users::table.select((users::id, users::name)).order(users::id).load(conn).unwrap();
        assert_eq!(stored.len(), 3);
        let actions: Vec<_> = results.iter().map(|(action, _)| *action).collect();
        assert_eq!(actions, [Inserted, Inserted, Inserted, Updated]);
        assert_eq!(results[1].1, (70, "b".to_owned()));
        assert_eq!(results[3].1, (70, "d".to_owned()));
        for i in [0, 2] {
            assert!(stored.contains(&results[i].1), "{:?}", results[i]);
        }
    }

    #[test]
    fn rows_that_a_policy_leaves_out_come_back(database) {
        let conn = &mut database.conn;
        create(conn, serial(system::SYSTEM));
        let rows = [row("b", 2, 2), row("a", 1, 1), row("b", 3, 3)];
        let results: Vec<Change<User>> = wait(
            upsert(&rows)
                .on_duplicate(Duplicates::KeepLast)
                .returning_old(User::as_returning())
                .get_results(conn),
        )
        .unwrap();
        assert_eq!(results[0].action, Skipped);
        assert_eq!(results[0].new, user("b", 3, Some(3)));
        assert_eq!(results[2].action, Inserted);
        assert_eq!(results[2].new, user("b", 3, Some(3)));
    }

    #[test]
    fn an_empty_call_sends_nothing(database) {
        let conn = &mut database.conn;
        let none: [ByName<'_>; 0] = [];
        assert!(wait(upsert(&none).outcome(conn)).unwrap().is_empty());
        let ids: Vec<i32> = wait(upsert(&none).returning(users::id).get_results(conn)).unwrap();
        assert!(ids.is_empty());
        let call = upsert(&none).returning(users::id);
        let error = wait(call.get_result::<i32, _>(conn)).unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error}");
    }
}

//! A call is all or nothing, and leaves the caller's transaction as it was.

use diesel::connection::{SimpleConnection, TransactionManager};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use upsert_core::{Contention, Error};

use crate::api::{Upsertable, upsert, wait};
use crate::support::{Recorder, on_every_database};

diesel::table! {
    accounts (id) {
        id -> Integer,
        owner -> Text,
        balance -> Integer,
    }
}

const CREATE: &str = "CREATE TABLE accounts (id INTEGER NOT NULL PRIMARY KEY, \
     owner VARCHAR(20) NOT NULL, balance INTEGER NOT NULL, \
     CONSTRAINT balance_is_not_negative CHECK (balance >= 0))";

type Row = (i32, String, i32);

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = accounts)]
#[upsert(update_all)]
struct Account {
    #[conflict_key]
    id: i32,
    owner: &'static str,
    balance: i32,
}

const fn account(id: i32, owner: &'static str, balance: i32) -> Account {
    Account { id, owner, balance }
}

fn row(id: i32, owner: &str, balance: i32) -> Row {
    (id, owner.to_owned(), balance)
}

/// Rows of which the one that is sent last cannot be written.
fn accounts_of_which_the_last_fails() -> Vec<Account> {
    let last = 99;
    (0..=last)
        .map(|id| account(id, "new", if id == last { -1 } else { id }))
        .collect()
}

#[track_caller]
fn assert_check_violation(result: upsert_core::Result<usize>) {
    match result {
        Err(Error::Statement {
            source: DieselError::DatabaseError(kind, info),
            ..
        }) => {
            // Diesel does not know MariaDB's number for it.
            let is_named = info.message().contains("balance_is_not_negative");
            let is_violation = matches!(kind, DatabaseErrorKind::CheckViolation);
            assert!(is_violation || is_named, "{kind:?}: {}", info.message());
        }
        result => panic!("not a CHECK violation: {result:?}"),
    }
}

on_every_database! {
    shared {
        fn rows(conn: &mut Conn) -> Vec<Row> {
            accounts::table.order(accounts::id).load(conn).unwrap()
        }

        fn insert(conn: &mut Conn, id: i32) {
            let values = (
                accounts::id.eq(id),
                accounts::owner.eq("caller"),
                accounts::balance.eq(0),
            );
            let inserted = diesel::insert_into(accounts::table).values(values).execute(conn);
            assert_eq!(inserted, Ok(1));
        }

        fn depth(conn: &mut Conn) -> Option<u32> {
            <Conn as Connection>::TransactionManager::transaction_manager_status_mut(conn)
                .transaction_depth()
                .unwrap()
                .map(Into::into)
        }
    }

    #[test]
    fn a_statement_that_fails_undoes_those_before_it(database) {
        database.run(CREATE);
        let mut other = database.connect();
        let conn = &mut database.conn;
        let existing = [account(3, "old", 30), account(1000, "old", 10)];
        wait(Account::bulk_upsert(conn, &existing)).unwrap();
        let expected = [row(3, "old", 30), row(1000, "old", 10)];

        let accounts = accounts_of_which_the_last_fails();
        for chunk_size in [1, 7, 10, 64] {
            let recorder = Recorder::of(conn);
            assert_check_violation(wait(upsert(&accounts).chunk_size(chunk_size).execute(conn)));
            let statements = recorder.take_upserts().len();
            assert!(statements >= 100 / chunk_size, "{statements} statements");
            assert_eq!(depth(conn), None);
            assert_eq!(rows(conn), expected);
            assert_eq!(rows(&mut other), expected);
        }
        // All in one statement, in no transaction.
        assert_check_violation(wait(upsert(&accounts[96..]).execute(conn)));
        assert_eq!(rows(&mut other), expected);
        assert_check_violation(wait(account(3, "new", -1).upsert(conn)));
        assert_eq!(rows(&mut other), expected);

        // The connection goes on working.
        assert_eq!(wait(upsert(&accounts[..2]).chunk_size(1).execute(conn)).unwrap(), 2);
        assert_eq!(
            rows(&mut other),
            [row(0, "new", 0), row(1, "new", 1), row(3, "old", 30), row(1000, "old", 10)],
        );
    }

    #[test]
    fn the_caller_goes_on_after_an_error(database) {
        database.run(CREATE);
        let mut other = database.connect();
        let conn = &mut database.conn;
        let accounts = accounts_of_which_the_last_fails();
        conn.transaction(|conn| {
            insert(conn, 1001);
            assert_check_violation(wait(upsert(&accounts).chunk_size(8).execute(conn)));
            assert_eq!(depth(conn), Some(1));
            assert_eq!(rows(conn), [row(1001, "caller", 0)]);
            insert(conn, 1002);
            // One statement.
            assert_check_violation(wait(upsert(&accounts[98..]).execute(conn)));
            insert(conn, 1003);
            // One row.
            assert_check_violation(wait(account(1001, "new", -1).upsert(conn)));
            insert(conn, 1004);
            assert_eq!(wait(upsert(&accounts[1..4]).chunk_size(1).execute(conn))?, 3);
            assert_check_violation(wait(account(5, "new", -1).upsert(conn)));
            Ok::<_, Error>(())
        })
        .unwrap();
        assert_eq!(depth(conn), None);
        assert_eq!(
            rows(&mut other),
            [
                row(1, "new", 1),
                row(2, "new", 2),
                row(3, "new", 3),
                row(1001, "caller", 0),
                row(1002, "caller", 0),
                row(1003, "caller", 0),
                row(1004, "caller", 0),
            ],
        );
    }

    #[test]
    fn savepoints_nested_twice(database) {
        database.run(CREATE);
        let mut other = database.connect();
        let conn = &mut database.conn;
        let accounts = accounts_of_which_the_last_fails();
        conn.transaction(|conn| {
            insert(conn, 1001);
            conn.transaction(|conn| {
                insert(conn, 1002);
                let inner = conn.transaction(|conn| {
                    insert(conn, 1003);
                    assert_check_violation(wait(upsert(&accounts).chunk_size(9).execute(conn)));
                    assert_eq!(depth(conn), Some(3));
                    assert_eq!(
                        rows(conn),
                        [row(1001, "caller", 0), row(1002, "caller", 0), row(1003, "caller", 0)],
                    );
                    // The closure's own error takes its savepoint along.
                    wait(account(1004, "new", -1).upsert(conn))?;
                    Ok::<_, Error>(())
                });
                assert!(inner.is_err());
                assert_eq!(depth(conn), Some(2));
                assert_eq!(rows(conn), [row(1001, "caller", 0), row(1002, "caller", 0)]);
                assert_eq!(wait(upsert(&accounts[7..9]).chunk_size(1).execute(conn))?, 2);
                Ok::<_, Error>(())
            })?;
            insert(conn, 1005);
            Ok::<_, Error>(())
        })
        .unwrap();
        assert_eq!(depth(conn), None);
        assert_eq!(
            rows(&mut other),
            [
                row(7, "new", 7),
                row(8, "new", 8),
                row(1001, "caller", 0),
                row(1002, "caller", 0),
                row(1005, "caller", 0),
            ],
        );
    }

    #[test]
    fn a_call_that_fails_before_it_sends_leaves_the_transaction(database) {
        database.run(CREATE);
        let mut other = database.connect();
        let conn = &mut database.conn;
        conn.transaction(|conn| {
            insert(conn, 1001);
            let twice = [account(1, "new", 1), account(1, "new", 2)];
            let error = wait(
                upsert(&twice)
                    .on_duplicate(upsert_core::Duplicates::Reject)
                    .execute(conn),
            )
            .unwrap_err();
            assert!(matches!(error, Error::RepeatedKey { .. }), "{error:?}");
            insert(conn, 1002);
            Ok::<_, Error>(())
        })
        .unwrap();
        assert_eq!(rows(&mut other), [row(1001, "caller", 0), row(1002, "caller", 0)]);
    }

    #[test]
    fn a_table_that_is_not_there_leaves_the_transaction(database) {
        let conn = &mut database.conn;
        conn.transaction(|conn| {
            let accounts = accounts_of_which_the_last_fails();
            let _ = wait(upsert(&accounts).chunk_size(8).execute(conn)).unwrap_err();
            let _ = wait(account(1, "new", 1).upsert(conn)).unwrap_err();
            diesel::select(diesel::dsl::sql::<diesel::sql_types::Bool>("1 = 1"))
                .execute(conn)?;
            Ok::<_, Error>(())
        })
        .unwrap();
        assert_eq!(depth(conn), None);
    }

    #[test]
    fn rows_of_the_call_are_not_seen_before_it_is_done(database) {
        database.run(CREATE);
        let mut other = database.connect();
        let conn = &mut database.conn;
        let accounts = accounts_of_which_the_last_fails();
        let mut seen = Vec::new();
        let call = upsert(&accounts[..9])
            .chunk_size(3)
            .on_progress(|_| {
                // In a thread that no runtime has.
                let rows = std::thread::scope(|scope| {
                    scope.spawn(|| rows(&mut other)).join().unwrap()
                });
                seen.push(rows.len());
            });
        assert_eq!(wait(call.execute(conn)).unwrap(), 9);
        assert_eq!(seen, [0, 0, 0]);
        assert_eq!(rows(&mut other).len(), 9);
    }
}

/// The write lock is taken first; where it cannot be had, the connection must
/// be as it was.
#[test]
fn a_locked_sqlite_database_leaves_the_connection_as_it_was() {
    use crate::support::sqlite::{Conn, TestDatabase};

    let mut database = TestDatabase::new();
    database.run(CREATE);
    let mut other = database.connect();
    let conn = &mut database.conn;
    diesel::sql_query("PRAGMA busy_timeout = 0")
        .execute(conn)
        .unwrap();
    let accounts: Vec<_> = (0..10).map(|id| account(id, "new", id)).collect();

    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let error = wait(upsert(&accounts).chunk_size(3).execute(conn)).unwrap_err();
    assert!(matches!(error, Error::Contention { .. }), "{error:?}");
    other.batch_execute("COMMIT").unwrap();
    // The reason is to be found, however the transaction was ended.
    let status = <Conn as Connection>::TransactionManager::transaction_manager_status_mut(conn);
    assert_eq!(status.transaction_depth().unwrap(), None);

    // No transaction is left open behind diesel's back: what is written now is
    // there for others.
    assert_eq!(wait(upsert(&accounts[..1]).execute(conn)).unwrap(), 1);
    assert_eq!(accounts::table.count().get_result(&mut other), Ok(1));
    assert_eq!(
        wait(upsert(&accounts).chunk_size(3).execute(conn)).unwrap(),
        10
    );
    assert_eq!(accounts::table.count().get_result(&mut other), Ok(10));
}

#[test]
fn a_locked_sqlite_database_says_that_it_is_locked() {
    use crate::support::sqlite::TestDatabase;

    let mut database = TestDatabase::new();
    database.run(CREATE);
    let mut other = database.connect();
    let conn = &mut database.conn;
    diesel::sql_query("PRAGMA busy_timeout = 0")
        .execute(conn)
        .unwrap();
    let accounts: Vec<_> = (0..10).map(|id| account(id, "new", id)).collect();

    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let error = wait(upsert(&accounts).chunk_size(3).execute(conn)).unwrap_err();
    match error {
        Error::Contention {
            contention: Contention::Busy,
            source: DieselError::DatabaseError(_, info),
            ..
        } => {
            assert_eq!(info.message(), "database is locked");
        }
        error => panic!("{error:?}"),
    }
}

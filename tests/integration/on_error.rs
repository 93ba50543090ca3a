//! Rows that cannot be written are named, or left out and collected.

use std::cell::RefCell;
use std::collections::BTreeMap;

use diesel::prelude::*;
use proptest::prelude::*;
use upsert_core::{Duplicates, Error, FailedRow, OnError};

use crate::api::{Upsertable, stream, upsert, upsert_stream, wait};
use crate::support::{System, on_every_database};

diesel::table! {
    accounts (id) {
        id -> Integer,
        owner -> Text,
        balance -> Integer,
    }
}

const CREATE: &str = "CREATE TABLE accounts (id INTEGER NOT NULL PRIMARY KEY, \
     owner VARCHAR(20) NOT NULL UNIQUE, balance INTEGER NOT NULL, \
     CONSTRAINT balance_is_not_negative CHECK (balance >= 0))";

type Row = (i32, String, i32);

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = accounts)]
#[upsert(update_all)]
struct Account {
    #[conflict_key]
    id: i32,
    owner: String,
    balance: i32,
}

/// The same table, with a sum and a guard.
#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = accounts)]
#[upsert(skip_unchanged)]
struct Deposit {
    #[conflict_key]
    id: i32,
    owner: String,
    #[on_conflict(add)]
    balance: i32,
}

fn account(id: i32, balance: i32) -> Account {
    Account {
        id,
        owner: format!("owner {id}"),
        balance,
    }
}

fn row(id: i32, balance: i32) -> Row {
    (id, format!("owner {id}"), balance)
}

/// Accounts of which these are overdrawn.
fn accounts(count: i32, overdrawn: &[i32]) -> Vec<Account> {
    let balance = |id| if overdrawn.contains(&id) { -1 } else { id };
    (0..count).map(|id| account(id, balance(id))).collect()
}

fn positions(failed: &[FailedRow]) -> Vec<usize> {
    failed.iter().map(|it| it.row).collect()
}

#[track_caller]
fn failed_rows(result: upsert_core::Result<usize>) -> Vec<FailedRow> {
    match result {
        Err(Error::FailedRows { place, failed }) => {
            assert_eq!(place.rows, positions(&failed));
            failed
        }
        result => panic!("no rows are named: {result:?}"),
    }
}

/// What the accounts are after these rows were upserted one by one, those that cannot be
/// left out, and which these are.
fn one_by_one(
    mut table: BTreeMap<i32, (String, i32)>,
    rows: &[(i32, i32, i32)],
    adds: bool,
) -> (BTreeMap<i32, (String, i32)>, Vec<usize>) {
    let mut failed = Vec::new();
    for (position, (id, owner, balance)) in rows.iter().enumerate() {
        let owner = format!("owner {owner}");
        let existing = table.get(id);
        let is_taken = |new: &str| table.iter().any(|(other, it)| other != id && it.0 == new);
        let (owner, sum) = match existing {
            // An update keeps the owner where the balance is what is updated.
            Some((old, sum)) if adds => (old.clone(), sum + balance),
            _ => (owner, *balance),
        };
        // The proposed row has to be one that could be inserted.
        if *balance < 0 || sum < 0 || is_taken(&owner) {
            failed.push(position);
        } else {
            table.insert(*id, (owner, sum));
        }
    }
    (table, failed)
}

on_every_database! {
    shared {
        fn rows(conn: &mut Conn) -> Vec<Row> {
            accounts::table.order(accounts::id).load(conn).unwrap()
        }

        fn try_rows(
            database: &mut system::TestDatabase,
            input: &[(i32, i32, i32)],
            adds: bool,
            chunk_size: usize,
        ) -> (BTreeMap<i32, (String, i32)>, Vec<usize>) {
            database.run("DELETE FROM accounts");
            let conn = &mut database.conn;
            wait(account(100, 100).upsert(conn)).unwrap();
            let mut failed = Vec::new();
            let policy = OnError::Skip(&mut failed);
            let input = input.iter();
            let written = if adds {
                let rows = input.map(|(id, owner, balance)| Deposit {
                    id: *id,
                    owner: format!("owner {owner}"),
                    balance: *balance,
                });
                wait(upsert(rows).chunk_size(chunk_size).on_error(policy).execute(conn))
            } else {
                let rows = input.map(|(id, owner, balance)| Account {
                    id: *id,
                    owner: format!("owner {owner}"),
                    balance: *balance,
                });
                wait(upsert(rows).chunk_size(chunk_size).on_error(policy).execute(conn))
            };
            written.unwrap();
            let rows = rows(conn).into_iter();
            let table = rows.map(|(id, owner, balance)| (id, (owner, balance)));
            (table.collect(), positions(&failed))
        }
    }

    #[test]
    fn the_statement_is_what_an_error_has_by_default(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let written = wait(upsert(accounts(10, &[3])).chunk_size(5).execute(conn));
        let error = written.unwrap_err();
        let mut rows_of_error = error.place().unwrap().rows.clone();
        rows_of_error.sort_unstable();
        assert_eq!(rows_of_error, [0, 1, 2, 3, 4]);
        assert_eq!(rows(conn), []);
    }

    #[test]
    fn rows_that_fail_are_named(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        wait(account(3, 30).upsert(conn)).unwrap();
        for chunk_size in [1, 2, 7, 100] {
            let call = upsert(accounts(20, &[3, 4, 19])).chunk_size(chunk_size);
            let failed = failed_rows(wait(call.on_error(OnError::Name).execute(conn)));
            assert_eq!(positions(&failed), [3, 4, 19]);
            for failed in &failed {
                assert_eq!(failed.error.place().unwrap().rows, [failed.row]);
            }
            assert_eq!(rows(conn), [row(3, 30)]);
        }
        let call = upsert(accounts(20, &[3, 4])).on_error(OnError::Name);
        let message = wait(call.execute(conn)).unwrap_err().to_string();
        assert!(
            message.starts_with(
                "upsert into `accounts` on conflict (id): 2 rows cannot be written, and nothing \
                 of the call is: input row 3: "
            ),
            "{message}"
        );
        assert!(message.contains("; input row 4: "), "{message}");

        // Without one the call is like any other.
        let written = wait(upsert(accounts(20, &[])).on_error(OnError::Name).execute(conn));
        assert_eq!(written.unwrap(), 20);
        assert_eq!(rows(conn), (0..20).map(|id| row(id, id)).collect::<Vec<_>>());
    }

    #[test]
    fn results_that_fail_are_named(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        wait(account(3, 30).upsert(conn)).unwrap();
        let call = || upsert(accounts(20, &[3, 4])).chunk_size(7);
        let outcome = wait(call().on_error(OnError::Name).outcome(conn));
        assert_eq!(positions(&failed_rows(outcome.map(|_| 0))), [3, 4]);
        let returned = call().on_error(OnError::Name).returning(accounts::balance);
        let returned = wait(returned.get_results::<i32, _>(conn));
        assert_eq!(positions(&failed_rows(returned.map(|_| 0))), [3, 4]);
        assert_eq!(rows(conn), [row(3, 30)]);

        let mut failed = Vec::new();
        let error = wait(call().on_error(OnError::Skip(&mut failed)).outcome(conn)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "upsert into `accounts`: `on_error(OnError::Skip(..))` is not for `outcome` and \
             `returning`: `execute` the call, or write `OnError::Name`"
        );
        assert_eq!(rows(conn), [row(3, 30)]);
    }

    #[test]
    fn rows_that_fail_are_left_out_and_collected(database) {
        database.run(CREATE);
        let mut other = database.connect();
        for chunk_size in [1, 2, 7, 100] {
            database.run("DELETE FROM accounts");
            let conn = &mut database.conn;
            wait(account(3, 30).upsert(conn)).unwrap();
            let mut failed = Vec::new();
            let call = upsert(accounts(20, &[3, 4, 19])).chunk_size(chunk_size);
            let written = wait(call.on_error(OnError::Skip(&mut failed)).execute(conn));
            assert_eq!(written.unwrap(), 17);
            assert_eq!(positions(&failed), [3, 4, 19]);
            let expected = (0..19).filter(|id| *id != 4);
            let expected = expected.map(|id| row(id, if id == 3 { 30 } else { id }));
            assert_eq!(rows(&mut other), expected.collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_call_of_nothing_but_rows_that_fail_writes_nothing(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let mut failed = Vec::new();
        let call = upsert(accounts(3, &[0, 1, 2])).on_error(OnError::Skip(&mut failed));
        assert_eq!(wait(call.execute(conn)).unwrap(), 0);
        assert_eq!(positions(&failed), [0, 1, 2]);
        let mut failed = Vec::new();
        let call = upsert([account(1, -1)]).on_error(OnError::Skip(&mut failed));
        assert_eq!(wait(call.execute(conn)).unwrap(), 0);
        assert_eq!(positions(&failed), [0]);
        assert_eq!(rows(conn), []);
    }

    #[test]
    fn an_earlier_row_counts_where_the_last_one_with_its_key_fails(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let mut failed = Vec::new();
        let rows_of_one_key = [account(1, 10), account(2, 20), account(1, 11), account(1, -1)];
        let call = upsert(&rows_of_one_key).on_error(OnError::Skip(&mut failed));
        assert_eq!(wait(call.execute(conn)).unwrap(), 3);
        assert_eq!(positions(&failed), [3]);
        assert_eq!(rows(conn), [row(1, 11), row(2, 20)]);
    }

    #[test]
    fn a_call_in_the_callers_transaction_leaves_rows_out_of_it(database) {
        database.run(CREATE);
        let mut other = database.connect();
        let conn = &mut database.conn;
        let mut failed = Vec::new();
        conn.transaction(|conn| {
            wait(account(100, 1).upsert(conn))?;
            let call = upsert(accounts(5, &[2])).on_error(OnError::Skip(&mut failed));
            assert_eq!(wait(call.execute(conn))?, 4);
            wait(account(101, 1).upsert(conn))?;
            Ok::<_, Error>(())
        })
        .unwrap();
        assert_eq!(positions(&failed), [2]);
        let expected = [row(0, 0), row(1, 1), row(3, 3), row(4, 4), row(100, 1), row(101, 1)];
        assert_eq!(rows(&mut other), expected);
    }

    #[test]
    fn a_policy_that_chooses_rows_is_refused(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        for policy in [Duplicates::KeepFirst, Duplicates::KeepLast] {
            let mut failed = Vec::new();
            let call = upsert([account(1, 1), account(1, -1)]).on_duplicate(policy);
            let call = call.on_error(OnError::Skip(&mut failed));
            assert_eq!(
                wait(call.execute(conn)).unwrap_err().to_string(),
                "upsert into `accounts`: `on_error(OnError::Skip(..))` cannot leave out the row \
                 that the duplicate policy has chosen: write `Duplicates::InOrder`, or \
                 `OnError::Name`"
            );
            assert_eq!(rows(conn), []);
        }
    }

    #[test]
    fn all_rows_may_be_too_long(database) {
        if system::SYSTEM == System::Sqlite {
            // It has no length.
            return;
        }
        database.run(CREATE);
        let conn = &mut database.conn;
        let mut failed = Vec::new();
        let long = |id| Account { owner: format!("{id:021}"), ..account(id, 1) };
        let call = upsert((0..30).map(long)).on_error(OnError::Skip(&mut failed));
        assert_eq!(wait(call.execute(conn)).unwrap(), 0);
        assert_eq!(failed.len(), 30);
        assert_eq!(rows(conn), []);
    }

    #[test]
    fn an_error_of_no_row_ends_the_call(database) {
        let conn = &mut database.conn;
        let mut failed = Vec::new();
        let call = upsert(accounts(100, &[])).on_error(OnError::Skip(&mut failed));
        let error = wait(call.execute(conn)).unwrap_err();
        assert!(
            matches!(error, Error::Statement { .. } | Error::NoUniqueIndex { .. } | Error::Connection(_)),
            "{error:?}"
        );
        assert!(failed.is_empty());
        let call = upsert([account(1, 1)]).on_error(OnError::Name);
        let error = wait(call.execute(conn)).unwrap_err();
        assert!(!matches!(error, Error::FailedRows { .. }), "{error:?}");
    }

    #[test]
    fn a_stream_collects_by_the_positions_of_its_input(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let mut failed = Vec::new();
        let call = upsert_stream(stream(accounts(40, &[5, 15, 25, 39])))
            .commit_every(10)
            .on_error(OnError::Skip(&mut failed));
        assert_eq!(wait(call.execute(conn)).unwrap(), 36);
        assert_eq!(positions(&failed), [5, 15, 25, 39]);
        assert_eq!(rows(conn).len(), 36);
        let call = upsert_stream(stream(accounts(40, &[35, 36]))).on_error(OnError::Name);
        assert_eq!(positions(&failed_rows(wait(call.execute(conn)))), [35, 36]);
    }

    #[test]
    fn any_rows_end_as_one_by_one_without_those_that_fail(database) {
        database.run(CREATE);
        let config = ProptestConfig::with_cases((system::CASES / 2).max(1));
        // An owner of its own, or one that another account has.
        let row = (0..6, any::<bool>(), -2..5);
        let row = row.prop_map(|(id, is_taken, balance)| {
            (id, if is_taken { 100 } else { id }, balance)
        });
        let rows = prop::collection::vec(row, 0..30);
        let database = RefCell::new(database);
        proptest!(config, |(rows in rows, adds: bool, chunk_size in 1_usize..40)| {
            let found = try_rows(&mut database.borrow_mut(), &rows, adds, chunk_size);
            let before = BTreeMap::from([(100, ("owner 100".to_owned(), 100))]);
            prop_assert_eq!(found, one_by_one(before, &rows, adds));
        });
    }
}

/// A row that ends the whole transaction leaves none to go on in.
#[test]
fn a_row_that_ends_the_transaction_leaves_nothing() {
    use diesel::connection::SimpleConnection;

    use crate::support::sqlite::TestDatabase;

    let mut database = TestDatabase::new();
    database.run(CREATE);
    database.run(
        "CREATE TRIGGER ends BEFORE INSERT ON accounts WHEN NEW.id = 3 \
         BEGIN SELECT RAISE(ROLLBACK, 'no three'); END",
    );
    let mut other = database.connect();
    let mut count = move || -> i64 { accounts::table.count().get_result(&mut other).unwrap() };
    for chunk_size in [1, 3, 100] {
        let mut failed = Vec::new();
        for policy in [OnError::Name, OnError::Skip(&mut failed)] {
            let call = upsert(accounts(8, &[]))
                .chunk_size(chunk_size)
                .on_error(policy);
            assert!(wait(call.execute(&mut database.conn)).is_err());
            assert_eq!(count(), 0);
        }
        let mut failed = Vec::new();
        let mut conn = database.connect();
        let result = conn.transaction(|conn| {
            conn.batch_execute("INSERT INTO accounts VALUES (99, 'the caller', 1)")?;
            let call = upsert(accounts(8, &[])).chunk_size(chunk_size);
            wait(call.on_error(OnError::Skip(&mut failed)).execute(conn))
        });
        assert!(result.is_err());
        assert_eq!(count(), 0);
    }
}

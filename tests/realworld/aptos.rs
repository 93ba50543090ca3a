//! Aptos' indexer: the latest state of items, from workers that run beside
//! each other and begin again where they stopped.

use std::sync::Barrier;

use diesel::prelude::*;
use upsert_core::Upsertable;

use crate::create;
use crate::support::on_every_database;

diesel::table! {
    current_item (handle, key_hash) {
        handle -> Text,
        key_hash -> Text,
        key -> Text,
        value -> Nullable<Text>,
        is_deleted -> Bool,
        last_version -> BigInt,
    }
}

const CREATE: &str = "CREATE TABLE current_item (handle VARCHAR(66) NOT NULL, \
     key_hash VARCHAR(64) NOT NULL, \"key\" VARCHAR(60) NOT NULL, value VARCHAR(60), \
     is_deleted BOOLEAN NOT NULL, last_version BIGINT NOT NULL, PRIMARY KEY (handle, key_hash))";

const GIVEN: &str = "INSERT INTO current_item VALUES ('h', 'a', 'k1', 'v5', false, 5)";

#[derive(Debug, Clone, PartialEq, Queryable, Upsertable)]
#[diesel(table_name = current_item)]
#[upsert(update_all, not_older_by = last_version)]
struct CurrentItem {
    #[conflict_key]
    handle: String,
    #[conflict_key]
    key_hash: String,
    key: String,
    value: Option<String>,
    is_deleted: bool,
    last_version: i64,
}

/// An item that is deleted if it has no value.
fn item(key_hash: &str, key: &str, value: Option<&str>, last_version: i64) -> CurrentItem {
    CurrentItem {
        handle: "h".to_owned(),
        key_hash: key_hash.to_owned(),
        key: key.to_owned(),
        value: value.map(str::to_owned),
        is_deleted: value.is_none(),
        last_version,
    }
}

/// The item with the number `i`.
fn numbered(i: i32, last_version: i64) -> CurrentItem {
    CurrentItem {
        handle: format!("0x{:064x}", i / 100),
        key_hash: format!("{i:064x}"),
        key: format!("key {i}"),
        value: (i % 5 != 0).then(|| format!("value {last_version}")),
        is_deleted: i % 5 == 0,
        last_version,
    }
}

on_every_database! {
    shared {
        fn state(conn: &mut Conn) -> Vec<CurrentItem> {
            use self::current_item::dsl::*;
            current_item.order((handle, key_hash)).load(conn).unwrap()
        }
    }

    #[test]
    fn the_highest_version_stays(database) {
        database.run(&create(system::SYSTEM, CREATE));
        database.run(GIVEN);
        let conn = &mut database.conn;

        let items = [item("a", "k1", Some("v4"), 4), item("b", "k2", Some("w1"), 1)];
        assert_eq!(CurrentItem::bulk_upsert(conn, &items).unwrap(), 1);
        let mut expected = vec![item("a", "k1", Some("v5"), 5), item("b", "k2", Some("w1"), 1)];
        assert_eq!(state(conn), expected);

        // The same version again.
        assert_eq!(item("a", "k1", Some("v5b"), 5).upsert(conn).unwrap(), 1);
        expected[0] = item("a", "k1", Some("v5b"), 5);
        assert_eq!(state(conn), expected);

        // The second and the fourth are too old when their turn comes.
        let items = [
            item("c", "k3", Some("v7"), 7),
            item("c", "k3", None, 3),
            item("a", "k1", None, 9),
            item("a", "k1", Some("v8"), 8),
        ];
        assert_eq!(CurrentItem::bulk_upsert(conn, &items).unwrap(), 2);
        expected[0] = item("a", "k1", None, 9);
        expected.push(item("c", "k3", Some("v7"), 7));
        assert_eq!(state(conn), expected);

        // What a row says does not matter to its guard.
        let items = [item("b", "k2", Some("where 1 = 1"), 0), item("b", "where", None, 0)];
        assert_eq!(CurrentItem::bulk_upsert(conn, &items).unwrap(), 0);
        assert_eq!(state(conn), expected);
    }

    #[test]
    fn a_batch_exceeds_the_limit_of_binds(database) {
        database.run(&create(system::SYSTEM, CREATE));
        let conn = &mut database.conn;

        // Two versions of each item; of every second item the older one last.
        // 72 000 binds.
        let (first, second): (Vec<_>, Vec<_>) = (0..6000)
            .map(|i| {
                let (first, second) = if i % 2 == 0 { (1, 2) } else { (2, 1) };
                (numbered(i, first), numbered(i, second))
            })
            .unzip();
        let items = [first, second].concat();
        assert_eq!(CurrentItem::bulk_upsert(conn, &items).unwrap(), 6000 + 3000);
        let expected: Vec<_> = (0..6000).map(|i| numbered(i, 2)).collect();
        assert!(state(conn) == expected);
    }

    #[test]
    fn two_workers_write_the_same_items_in_opposite_orders(database) {
        database.run(&create(system::SYSTEM, CREATE));
        let barrier = Barrier::new(2);
        std::thread::scope(|scope| {
            for worker in 0..2 {
                let mut conn = database.connect();
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    for batch in 0..20 {
                        let version = 2 * batch + worker;
                        let mut items: Vec<_> = (0..200).map(|i| numbered(i, version)).collect();
                        if worker == 1 {
                            items.reverse();
                        }
                        // Some of them, or all, if the other worker is ahead.
                        let written = CurrentItem::bulk_upsert(&mut conn, &items).unwrap();
                        assert!(written <= items.len(), "{written}");
                    }
                });
            }
        });
        let expected: Vec<_> = (0..200).map(|i| numbered(i, 39)).collect();
        assert_eq!(state(&mut database.conn), expected);
    }
}

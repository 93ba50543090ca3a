//! Mozilla's sync storage: requests that say only what changes.

use diesel::prelude::*;
use upsert_core::Upsertable;

use crate::support::on_every_database;

diesel::table! {
    bso (user_id, collection_id, bso_id) {
        user_id -> BigInt,
        collection_id -> Integer,
        bso_id -> Text,
        sortindex -> Nullable<Integer>,
        payload -> Text,
        modified -> BigInt,
        expiry -> BigInt,
    }
}

const CREATE: &str = "CREATE TABLE bso (user_id BIGINT NOT NULL, \
     collection_id INTEGER NOT NULL, bso_id VARCHAR(64) NOT NULL, sortindex INTEGER, \
     payload VARCHAR(200) NOT NULL, modified BIGINT NOT NULL, expiry BIGINT NOT NULL, \
     PRIMARY KEY (user_id, collection_id, bso_id)); \
     INSERT INTO bso VALUES (1, 1, 'a', 5, 'p', 100, 1100)";

const DEFAULT_TTL: i64 = 1000;

/// An update writes what is `Some`.
#[derive(Debug, Upsertable)]
#[diesel(table_name = bso)]
#[upsert(update_all)]
struct PutBso {
    #[conflict_key]
    user_id: i64,
    #[conflict_key]
    collection_id: i32,
    #[conflict_key]
    bso_id: String,
    // Not supplied, where it is `None`, though the column may be NULL.
    #[diesel(treat_none_as_default_value = true)]
    sortindex: Option<i32>,
    #[on_insert(default = String::new())]
    payload: Option<String>,
    #[on_insert(default = self.now)]
    modified: Option<i64>,
    #[on_insert(default = self.now + DEFAULT_TTL)]
    expiry: Option<i64>,
    #[diesel(skip_insertion)]
    now: i64,
}

fn put(
    bso_id: &str,
    sortindex: Option<i32>,
    payload: Option<&str>,
    ttl: Option<i64>,
    now: i64,
) -> PutBso {
    PutBso {
        user_id: 1,
        collection_id: 1,
        bso_id: bso_id.to_owned(),
        sortindex,
        payload: payload.map(str::to_owned),
        modified: (payload.is_some() || sortindex.is_some()).then_some(now),
        expiry: ttl.map(|ttl| now + ttl),
        now,
    }
}

type Row = (i64, i32, String, Option<i32>, String, i64, i64);

fn row(bso_id: &str, sortindex: Option<i32>, payload: &str, modified: i64, expiry: i64) -> Row {
    let (bso_id, payload) = (bso_id.to_owned(), payload.to_owned());
    (1, 1, bso_id, sortindex, payload, modified, expiry)
}

on_every_database! {
    shared {
        fn state(conn: &mut Conn) -> Vec<Row> {
            bso::table.order(bso::bso_id).load(conn).unwrap()
        }
    }

    #[test]
    fn requests_change_what_they_have(database) {
        database.run(CREATE);
        let conn = &mut database.conn;

        let requests = [put("a", None, Some("q"), None, 200), put("b", None, None, None, 200)];
        assert_eq!(PutBso::bulk_upsert(conn, &requests).unwrap(), 2);
        assert_eq!(
            state(conn),
            [row("a", Some(5), "q", 200, 1100), row("b", None, "", 200, 1200)],
        );

        let requests = [put("a", None, None, Some(50), 300), put("b", Some(7), None, None, 300)];
        assert_eq!(PutBso::bulk_upsert(conn, &requests).unwrap(), 2);
        let mut expected =
            vec![row("a", Some(5), "q", 200, 350), row("b", Some(7), "", 300, 1200)];
        assert_eq!(state(conn), expected);

        // Nothing to change.
        assert_eq!(put("a", None, None, None, 400).upsert(conn).unwrap(), 0);
        assert_eq!(state(conn), expected);

        // A new one, three times; the last has nothing to change any more.
        let requests = [
            put("c", None, Some("r"), None, 500),
            put("c", Some(3), None, Some(10), 600),
            put("c", None, None, None, 700),
        ];
        assert_eq!(PutBso::bulk_upsert(conn, &requests).unwrap(), 2);
        expected.push(row("c", Some(3), "r", 600, 610));
        assert_eq!(state(conn), expected);
    }
}

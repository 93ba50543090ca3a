//! Trieve: chunks of text that may have an id of the customer's.

use diesel::prelude::*;
use upsert_core::Upsertable;

use crate::support::on_every_database;

diesel::table! {
    chunk (id) {
        id -> Integer,
        tracking_id -> Nullable<Text>,
        dataset_id -> Integer,
        body -> Nullable<Text>,
        weight -> Integer,
        created -> Integer,
    }
}

const CREATE: &str = "CREATE TABLE chunk (id INTEGER NOT NULL PRIMARY KEY, \
     tracking_id VARCHAR(20), dataset_id INTEGER NOT NULL, body VARCHAR(20), \
     weight INTEGER NOT NULL, created INTEGER NOT NULL DEFAULT 1, \
     UNIQUE (tracking_id, dataset_id)); \
     INSERT INTO chunk (id, tracking_id, dataset_id, body, weight) VALUES \
     (1, NULL, 1, 'a', 0), (2, 'trk', 1, 'c', 0)";

/// `id` is a new one: a chunk that exists keeps its own.
#[derive(Debug, Upsertable)]
#[diesel(table_name = chunk)]
struct Chunk<'a> {
    id: i32,
    #[conflict_key(nullable)]
    tracking_id: Option<&'a str>,
    #[conflict_key]
    dataset_id: i32,
    #[on_conflict(update)]
    body: Option<&'a str>,
    #[on_conflict(update)]
    weight: i32,
}

fn chunk<'a>(id: i32, tracking_id: Option<&'a str>, body: &'a str, weight: i32) -> Chunk<'a> {
    Chunk {
        id,
        tracking_id,
        dataset_id: 1,
        body: Some(body),
        weight,
    }
}

type Row = (i32, Option<String>, i32, Option<String>, i32, i32);

fn row(id: i32, tracking_id: Option<&str>, body: &str, weight: i32) -> Row {
    let tracking_id = tracking_id.map(str::to_owned);
    (id, tracking_id, 1, Some(body.to_owned()), weight, 1)
}

on_every_database! {
    shared {
        fn state(conn: &mut Conn) -> Vec<Row> {
            chunk::table.order(chunk::id).load(conn).unwrap()
        }
    }

    #[test]
    fn chunks_without_an_id_of_the_customer_are_always_new(database) {
        database.run(CREATE);
        let conn = &mut database.conn;

        let chunks = [
            chunk(10, None, "n1", 1),
            chunk(11, Some("trk"), "c2", 5),
            chunk(12, None, "n2", 1),
        ];
        assert_eq!(Chunk::bulk_upsert(conn, &chunks).unwrap(), 3);
        let mut expected = vec![
            row(1, None, "a", 0),
            row(2, Some("trk"), "c2", 5),
            row(10, None, "n1", 1),
            row(12, None, "n2", 1),
        ];
        assert_eq!(state(conn), expected);

        // The later wins, in the row of the first.
        let chunks = [chunk(13, Some("u"), "u1", 1), chunk(14, Some("u"), "u2", 2)];
        assert_eq!(Chunk::bulk_upsert(conn, &chunks).unwrap(), 2);
        expected.push(row(13, Some("u"), "u2", 2));
        assert_eq!(state(conn), expected);
    }
}

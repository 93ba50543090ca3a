//! XMTP: when a member asked to be added again, and when somebody answered.

use diesel::prelude::*;
use upsert_core::Upsertable;

use crate::support::on_every_database;

diesel::table! {
    readd_status (group_id, installation_id) {
        group_id -> Text,
        installation_id -> Text,
        requested_at -> Nullable<BigInt>,
        responded_at -> Nullable<BigInt>,
    }
}

const CREATE: &str = "CREATE TABLE readd_status (group_id VARCHAR(20) NOT NULL, \
     installation_id VARCHAR(20) NOT NULL, requested_at BIGINT, responded_at BIGINT, \
     PRIMARY KEY (group_id, installation_id)); \
     INSERT INTO readd_status VALUES ('g', 'i', NULL, 7), ('g', 'j', 5, NULL)";

/// NULL is older than any time.
#[derive(Debug, Upsertable)]
#[diesel(table_name = readd_status)]
#[upsert(newer_by = requested_at)]
struct ReaddRequest {
    #[conflict_key]
    group_id: String,
    #[conflict_key]
    installation_id: String,
    #[on_conflict(update)]
    requested_at: Option<i64>,
}

#[derive(Debug, Upsertable)]
#[diesel(table_name = readd_status)]
#[upsert(newer_by = responded_at)]
struct ReaddResponse {
    #[conflict_key]
    group_id: String,
    #[conflict_key]
    installation_id: String,
    #[on_conflict(update)]
    responded_at: Option<i64>,
}

fn request(installation_id: &str, requested_at: impl Into<Option<i64>>) -> ReaddRequest {
    ReaddRequest {
        group_id: "g".to_owned(),
        installation_id: installation_id.to_owned(),
        requested_at: requested_at.into(),
    }
}

fn response(installation_id: &str, responded_at: impl Into<Option<i64>>) -> ReaddResponse {
    ReaddResponse {
        group_id: "g".to_owned(),
        installation_id: installation_id.to_owned(),
        responded_at: responded_at.into(),
    }
}

type Row = (String, String, Option<i64>, Option<i64>);

fn row(installation_id: &str, requested_at: Option<i64>, responded_at: Option<i64>) -> Row {
    (
        "g".to_owned(),
        installation_id.to_owned(),
        requested_at,
        responded_at,
    )
}

on_every_database! {
    shared {
        fn state(conn: &mut Conn) -> Vec<Row> {
            readd_status::table.order(readd_status::installation_id).load(conn).unwrap()
        }
    }

    #[test]
    fn times_move_forward_from_null(database) {
        database.run(CREATE);
        let conn = &mut database.conn;

        assert_eq!(request("i", 3).upsert(conn).unwrap(), 1);
        let mut expected = vec![row("i", Some(3), Some(7)), row("j", Some(5), None)];
        assert_eq!(state(conn), expected);

        let requests = [request("j", 4), request("k", 1)];
        assert_eq!(ReaddRequest::bulk_upsert(conn, &requests).unwrap(), 1);
        expected.push(row("k", Some(1), None));
        assert_eq!(state(conn), expected);

        assert_eq!(request("j", 6).upsert(conn).unwrap(), 1);
        expected[1] = row("j", Some(6), None);
        assert_eq!(state(conn), expected);

        // NULL is not newer than anything, NULL itself neither.
        let requests = [request("i", None), request("k", None)];
        assert_eq!(ReaddRequest::bulk_upsert(conn, &requests).unwrap(), 0);
        assert_eq!(response("j", None).upsert(conn).unwrap(), 0);
        assert_eq!(state(conn), expected);

        // The other model's column, by the same rules.
        let responses = [response("i", 6), response("j", 8), response("l", None)];
        assert_eq!(ReaddResponse::bulk_upsert(conn, &responses).unwrap(), 2);
        expected[1] = row("j", Some(6), Some(8));
        expected.push(row("l", None, None));
        assert_eq!(state(conn), expected);
    }
}

//! Lemmy: entries of collections, what a person did with a post, and votes.

/// Rows that exist are left alone.
mod collection_entries {
    use chrono::{NaiveDate, NaiveTime};
    use diesel::prelude::*;
    use upsert_core::Upsertable;

    use crate::support::{Recorder, on_every_database};

    diesel::table! {
        collection_entry (collection_id, item_id) {
            collection_id -> Integer,
            item_id -> Integer,
            added_at -> Timestamp,
        }
    }

    const CREATE: &str = "CREATE TABLE collection_entry (collection_id INTEGER NOT NULL, \
         item_id INTEGER NOT NULL, added_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, \
         PRIMARY KEY (collection_id, item_id)); \
         INSERT INTO collection_entry VALUES \
         (1, 10, '2020-01-01 00:00:00'), (1, 11, '2020-01-01 00:00:00')";

    #[derive(Debug, Upsertable)]
    #[diesel(table_name = collection_entry)]
    #[upsert(do_nothing)]
    struct NewEntry {
        #[conflict_key]
        collection_id: i32,
        #[conflict_key]
        item_id: i32,
    }

    fn new_entry(collection_id: i32, item_id: i32) -> NewEntry {
        NewEntry {
            collection_id,
            item_id,
        }
    }

    on_every_database! {
        shared {
            /// `true` where the time is the one of before the calls.
            fn state(conn: &mut Conn) -> Vec<(i32, i32, bool)> {
                use self::collection_entry::dsl::*;
                let year_2021 = NaiveDate::from_ymd_opt(2021, 1, 1).unwrap();
                let year_2021 = year_2021.and_time(NaiveTime::MIN);
                collection_entry
                    .select((collection_id, item_id, added_at.lt(year_2021)))
                    .order((collection_id, item_id))
                    .load(conn)
                    .unwrap()
            }
        }

        #[test]
        fn entries_are_inserted_once(database) {
            database.run(CREATE);
            let conn = &mut database.conn;

            let entries = [new_entry(1, 11), new_entry(1, 12), new_entry(1, 13)];
            assert_eq!(NewEntry::bulk_upsert(conn, &entries).unwrap(), 2);
            let mut expected = vec![(1, 10, true), (1, 11, true), (1, 12, false), (1, 13, false)];
            assert_eq!(state(conn), expected);

            // One that exists, and a new one, each twice.
            let entries = [
                new_entry(1, 12), new_entry(1, 12), new_entry(1, 14), new_entry(1, 14),
            ];
            assert_eq!(NewEntry::bulk_upsert(conn, &entries).unwrap(), 1);
            expected.push((1, 14, false));
            assert_eq!(state(conn), expected);

            let recorder = Recorder::of(conn);
            assert_eq!(NewEntry::bulk_upsert(conn, [] as [NewEntry; 0]).unwrap(), 0);
            assert_eq!(recorder.take(), []);
            assert_eq!(state(conn), expected);
        }
    }
}

/// One of several models of a table writes its column only.
mod post_actions {
    use diesel::prelude::*;
    use upsert_core::Upsertable;

    use crate::support::on_every_database;

    diesel::table! {
        post_action (person_id, post_id) {
            person_id -> Integer,
            post_id -> Integer,
            read_at -> Nullable<Integer>,
            saved_at -> Nullable<Integer>,
            vote -> Nullable<Bool>,
        }
    }

    const CREATE: &str = "CREATE TABLE post_action (person_id INTEGER NOT NULL, \
         post_id INTEGER NOT NULL, read_at INTEGER, saved_at INTEGER, vote BOOLEAN, \
         PRIMARY KEY (person_id, post_id)); \
         INSERT INTO post_action VALUES (1, 100, NULL, 55, true), (1, 101, 9, NULL, NULL)";

    #[derive(Debug, Upsertable)]
    #[diesel(table_name = post_action)]
    struct ReadForm {
        #[conflict_key]
        person_id: i32,
        #[conflict_key]
        post_id: i32,
        #[on_conflict(update)]
        read_at: i32,
    }

    fn read(post_id: i32, read_at: i32) -> ReadForm {
        ReadForm {
            person_id: 1,
            post_id,
            read_at,
        }
    }

    type Row = (i32, i32, Option<i32>, Option<i32>, Option<bool>);

    on_every_database! {
        shared {
            fn state(conn: &mut Conn) -> Vec<Row> {
                post_action::table.order(post_action::post_id).load(conn).unwrap()
            }
        }

        #[test]
        fn posts_are_marked_as_read(database) {
            database.run(CREATE);
            let conn = &mut database.conn;

            let forms = [read(100, 60), read(101, 60), read(102, 60)];
            assert_eq!(ReadForm::bulk_upsert(conn, &forms).unwrap(), 3);
            let mut expected = vec![
                (1, 100, Some(60), Some(55), Some(true)),
                (1, 101, Some(60), None, None),
                (1, 102, Some(60), None, None),
            ];
            assert_eq!(state(conn), expected);

            assert_eq!(ReadForm::bulk_upsert(conn, [read(103, 61), read(103, 61)]).unwrap(), 2);
            expected.push((1, 103, Some(61), None, None));
            assert_eq!(state(conn), expected);
        }
    }
}

/// Counters that are NULL until somebody votes.
mod person_actions {
    use diesel::prelude::*;
    use upsert_core::Upsertable;

    use crate::support::on_every_database;

    diesel::table! {
        person_action (person_id, target_id) {
            person_id -> Integer,
            target_id -> Integer,
            followed_at -> Nullable<Integer>,
            voted_at -> Nullable<Integer>,
            upvotes -> Nullable<Integer>,
            downvotes -> Nullable<Integer>,
        }
    }

    const CREATE: &str = "CREATE TABLE person_action (person_id INTEGER NOT NULL, \
         target_id INTEGER NOT NULL, followed_at INTEGER, voted_at INTEGER, upvotes INTEGER, \
         downvotes INTEGER, PRIMARY KEY (person_id, target_id)); \
         INSERT INTO person_action VALUES (1, 2, 50, NULL, NULL, NULL), (1, 3, NULL, 9, 4, 1)";

    #[derive(Debug, Upsertable)]
    #[diesel(table_name = person_action)]
    struct VoteDelta {
        #[conflict_key]
        person_id: i32,
        #[conflict_key]
        target_id: i32,
        #[on_conflict(update)]
        voted_at: i32,
        #[on_conflict(add)]
        upvotes: i32,
        #[on_conflict(add)]
        downvotes: i32,
    }

    fn vote(target_id: i32, voted_at: i32, upvotes: i32, downvotes: i32) -> VoteDelta {
        VoteDelta {
            person_id: 1,
            target_id,
            voted_at,
            upvotes,
            downvotes,
        }
    }

    #[rustfmt::skip]
    type Row = (i32, i32, Option<i32>, Option<i32>, Option<i32>, Option<i32>);

    on_every_database! {
        shared {
            fn state(conn: &mut Conn) -> Vec<Row> {
                person_action::table.order(person_action::target_id).load(conn).unwrap()
            }
        }

        #[test]
        fn votes_are_added(database) {
            database.run(CREATE);
            let conn = &mut database.conn;

            assert_eq!(VoteDelta::bulk_upsert(conn, [vote(2, 60, 1, 0)]).unwrap(), 1);
            let mut expected = vec![
                (1, 2, Some(50), Some(60), Some(1), Some(0)),
                (1, 3, None, Some(9), Some(4), Some(1)),
            ];
            assert_eq!(state(conn), expected);

            let votes = [vote(3, 61, -1, 1), vote(4, 61, 1, 0)];
            assert_eq!(VoteDelta::bulk_upsert(conn, votes).unwrap(), 2);
            expected[1] = (1, 3, None, Some(61), Some(3), Some(2));
            expected.push((1, 4, None, Some(61), Some(1), Some(0)));
            assert_eq!(state(conn), expected);

            let votes = [vote(4, 62, 1, 0), vote(4, 63, -1, 1)];
            assert_eq!(VoteDelta::bulk_upsert(conn, votes).unwrap(), 2);
            expected[2] = (1, 4, None, Some(63), Some(1), Some(1));
            assert_eq!(state(conn), expected);
        }
    }
}

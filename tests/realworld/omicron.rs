//! Omicron: what is known of a reporter, from reports that come in any order.

use diesel::prelude::*;
use upsert_core::Upsertable;

use crate::support::on_every_database;

diesel::table! {
    reporter (id) {
        id -> Integer,
        kind -> Text,
        first_seen -> BigInt,
        slot -> Nullable<Integer>,
        latest -> BigInt,
    }
}

const CREATE: &str = "CREATE TABLE reporter (id INTEGER NOT NULL PRIMARY KEY, \
     kind VARCHAR(10) NOT NULL DEFAULT 'sp', first_seen BIGINT NOT NULL, slot INTEGER, \
     latest BIGINT NOT NULL)";

const GIVEN: &str = "INSERT INTO reporter VALUES (1, 'sp', 100, NULL, 100)";

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = reporter)]
struct Reporter {
    #[conflict_key]
    id: i32,
    #[on_conflict(min)]
    first_seen: i64,
    #[on_conflict(fill)]
    slot: Option<i32>,
    #[on_conflict(max)]
    latest: i64,
}

/// A report of the time `at`.
fn report(id: i32, at: i64, slot: Option<i32>) -> Reporter {
    Reporter {
        id,
        first_seen: at,
        slot,
        latest: at,
    }
}

type Row = (i32, String, i64, Option<i32>, i64);

fn row(id: i32, first_seen: i64, slot: Option<i32>, latest: i64) -> Row {
    (id, "sp".to_owned(), first_seen, slot, latest)
}

on_every_database! {
    shared {
        fn state(conn: &mut Conn) -> Vec<Row> {
            reporter::table.order(reporter::id).load(conn).unwrap()
        }
    }

    #[test]
    fn reports_widen_the_span(database) {
        database.run(CREATE);
        database.run(GIVEN);
        let conn = &mut database.conn;

        assert_eq!(report(1, 90, Some(7)).upsert(conn).unwrap(), 1);
        assert_eq!(state(conn), [row(1, 90, Some(7), 100)]);

        let reports = [report(1, 120, Some(9)), report(2, 5, None)];
        assert_eq!(Reporter::bulk_upsert(conn, &reports).unwrap(), 2);
        assert_eq!(state(conn), [row(1, 90, Some(7), 120), row(2, 5, None, 5)]);

        let reports = [report(2, 4, None), report(2, 6, Some(3))];
        assert_eq!(Reporter::bulk_upsert(conn, &reports).unwrap(), 2);
        assert_eq!(state(conn), [row(1, 90, Some(7), 120), row(2, 4, Some(3), 6)]);
    }

    #[test]
    fn the_order_of_reports_does_not_matter(database) {
        database.run(CREATE);
        let conn = &mut database.conn;

        let [a, b, c] = [report(1, 20, None), report(1, 10, Some(1)), report(1, 30, None)];
        let orders = [[&a, &b, &c], [&a, &c, &b], [&b, &a, &c], [&b, &c, &a], [&c, &a, &b], [&c, &b, &a]];
        for order in orders {
            for calls in 0..2 {
                diesel::delete(reporter::table).execute(conn).unwrap();
                let written = match calls {
                    0 => Reporter::bulk_upsert(conn, order).unwrap(),
                    _ => order.iter().map(|report| report.upsert(conn).unwrap()).sum(),
                };
                assert_eq!(written, 3);
                assert_eq!(state(conn), [row(1, 10, Some(1), 30)]);
            }
        }
    }
}

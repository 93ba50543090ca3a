//! A panic in the caller's code, in the middle of a call on a blocking connection: nothing
//! of the call is in the table, and the connection goes on, without a transaction.

use std::panic::{AssertUnwindSafe, catch_unwind};

use diesel::prelude::*;
use upsert_core::{Upsertable, upsert};

use crate::support::{PanickingText, on_every_database};

diesel::table! {
    tasks (id) {
        id -> Integer,
        title -> Text,
    }
}

const CREATE: &str = "CREATE TABLE tasks (id INTEGER NOT NULL PRIMARY KEY, \
     title VARCHAR(20) NOT NULL)";

#[derive(Debug, Upsertable)]
#[diesel(table_name = tasks)]
struct Task {
    #[conflict_key]
    id: i32,
    #[on_conflict(update)]
    title: PanickingText,
}

fn task(id: i32, is_well: bool) -> Task {
    Task {
        id,
        title: PanickingText(is_well),
    }
}

on_every_database! {
    shared {
        type Call = fn(&mut Conn);

        fn table(conn: &mut Conn) -> Vec<(i32, String)> {
            tasks::table.order(tasks::id).load(conn).unwrap()
        }
    }

    #[test]
    fn the_connection_goes_on(database) {
        database.run(CREATE);
        let mut other = database.connect();
        let conn = &mut database.conn;
        let calls: [(&str, Call); 4] = [
            ("a value", |conn| {
                let rows: Vec<_> = (0..10).map(|id| task(id, id != 7)).collect();
                let _ = upsert(rows).chunk_size(2).execute(conn);
            }),
            ("the report of the progress", |conn| {
                let rows: Vec<_> = (0..10).map(|id| task(id, true)).collect();
                let call = upsert(rows).chunk_size(2);
                let _ = call.on_progress(|it| assert!(it.rows < 6)).execute(conn);
            }),
            ("an iterator", |conn| {
                let rows = (0..40_000).map(|id| {
                    assert!(id < 30_000);
                    task(id, true)
                });
                let _ = Task::bulk_upsert_stream(conn, rows);
            }),
            ("a result", |conn| {
                let rows: Vec<_> = (0..10).map(|id| task(id, id != 7)).collect();
                let _ = upsert(rows).chunk_size(2).outcome(conn);
            }),
        ];
        for (what, call) in calls {
            let panicked = catch_unwind(AssertUnwindSafe(|| call(conn)));
            assert!(panicked.is_err(), "{what}");
            assert_eq!(table(conn), [], "{what}");
            // No transaction is left open, so that others see what is written next.
            upsert([task(1, true)]).execute(conn).unwrap();
            assert_eq!(table(&mut other), [(1, "new".to_owned())], "{what}");

            // In the caller's transaction, the caller's rows stay.
            conn.transaction(|conn| {
                let panicked = catch_unwind(AssertUnwindSafe(|| call(conn)));
                assert!(panicked.is_err(), "{what}");
                upsert([task(2, true)]).execute(conn)
            })
            .unwrap();
            let both = [(1, "new".to_owned()), (2, "new".to_owned())];
            assert_eq!(table(&mut other), both, "{what}");
            diesel::delete(tasks::table).execute(conn).unwrap();
        }
    }
}

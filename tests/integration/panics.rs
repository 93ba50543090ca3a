//! A panic in the caller's code, in the middle of a call on a blocking connection: nothing
//! of the call is in the table, and the connection goes on, without a transaction.

use std::panic::{AssertUnwindSafe, catch_unwind};

use diesel::backend::Backend;
use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel::serialize::{self, Output, ToSql};
use upsert_core::{Upsertable, upsert};

use crate::support::on_every_database;

diesel::table! {
    tasks (id) {
        id -> Integer,
        title -> Text,
    }
}

const CREATE: &str = "CREATE TABLE tasks (id INTEGER NOT NULL PRIMARY KEY, \
     title VARCHAR(20) NOT NULL)";

/// A text, or a panic.
#[derive(Debug, Clone, Copy, AsExpression)]
#[diesel(sql_type = diesel::sql_types::Text)]
struct Title(bool);

impl<DB> ToSql<diesel::sql_types::Text, DB> for Title
where
    DB: Backend,
    str: ToSql<diesel::sql_types::Text, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        assert!(self.0, "a value that panics");
        "new".to_sql(out)
    }
}

#[derive(Debug, Upsertable)]
#[diesel(table_name = tasks)]
struct Task {
    #[conflict_key]
    id: i32,
    #[on_conflict(update)]
    title: Title,
}

fn task(id: i32, is_well: bool) -> Task {
    Task {
        id,
        title: Title(is_well),
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

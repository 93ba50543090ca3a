//! A call with an idempotency token is applied once.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::Error;

use crate::api::{Upsertable, stream, upsert, upsert_stream, wait};
use crate::support::{System, on_every_database};

diesel::table! {
    counters (id) {
        id -> Integer,
        total -> Integer,
    }
}

diesel::table! {
    upsert_tokens (token) {
        token -> Text,
    }
}

const CREATE: &str = "CREATE TABLE counters (id INTEGER NOT NULL PRIMARY KEY, \
     total INTEGER NOT NULL CHECK (total < 1000))";

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = counters)]
struct Counter {
    #[conflict_key]
    id: i32,
    #[on_conflict(add)]
    total: i32,
}

fn counters(total: i32) -> Vec<Counter> {
    (0..5).map(|id| Counter { id, total }).collect()
}

on_every_database! {
    shared {
        fn totals(conn: &mut Conn) -> Vec<i32> {
            counters::table.order(counters::id).select(counters::total).load(conn).unwrap()
        }

        fn create_tokens(conn: &mut Conn) {
            let create = <<Conn as Connection>::Backend as upsert_core::Dialect>::CREATE_TOKENS;
            conn.batch_execute(create).unwrap();
        }

        fn tokens(conn: &mut Conn) -> i64 {
            upsert_tokens::table.count().get_result(conn).unwrap()
        }
    }

    #[test]
    fn the_same_token_is_applied_once(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        create_tokens(conn);
        for chunk_size in [1, 5] {
            let token = format!("it's \\ feed {chunk_size}");
            let send = |conn: &mut Conn, token: &str| {
                let call = upsert(counters(1)).chunk_size(chunk_size).idempotency_token(token);
                wait(call.execute(conn)).unwrap()
            };
            let before = totals(conn).first().copied().unwrap_or(0);
            assert_eq!(send(conn, &token), 5);
            assert_eq!(send(conn, &token), 0);
            assert_eq!(totals(conn), [before + 1; 5]);
            // They are told apart by every byte.
            assert_eq!(send(conn, &token.to_uppercase()), 5);
            assert_eq!(send(conn, &format!("{token} ")), 5);
            assert_eq!(totals(conn), [before + 3; 5]);
        }
    }

    #[test]
    fn a_call_that_fails_does_not_use_its_token(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        create_tokens(conn);
        let failed = upsert(counters(1000)).chunk_size(2).idempotency_token("feed");
        assert!(wait(failed.execute(conn)).is_err());
        assert_eq!(tokens(conn), 0);
        assert_eq!(wait(upsert(counters(1)).idempotency_token("feed").execute(conn)).unwrap(), 5);
        assert_eq!(totals(conn), [1; 5]);
    }

    #[test]
    fn a_token_belongs_to_the_callers_transaction(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        create_tokens(conn);
        let send = |conn: &mut Conn| {
            wait(upsert(counters(1)).idempotency_token("feed").execute(conn))
        };
        let rolled_back = conn.transaction(|conn| {
            send(conn)?;
            Err::<(), _>(diesel::result::Error::RollbackTransaction)
        });
        assert!(rolled_back.is_err());
        conn.transaction(|conn| {
            assert_eq!(send(conn)?, 5);
            assert_eq!(send(conn)?, 0);
            wait(Counter { id: 9, total: 9 }.upsert(conn))?;
            Ok::<_, Error>(())
        })
        .unwrap();
        assert_eq!(send(conn).unwrap(), 0);
        assert_eq!(totals(conn), [1, 1, 1, 1, 1, 9]);
    }

    #[test]
    fn a_stream_is_applied_once(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        create_tokens(conn);
        let many = || (0..40_000).map(|i| Counter { id: i % 7, total: 0 });
        for rows in [3, 40_000] {
            let token = format!("stream of {rows}");
            let send = |conn: &mut Conn| {
                let call = upsert_stream(stream(many().take(rows))).idempotency_token(&*token);
                wait(call.execute(conn))
            };
            assert_eq!(send(conn).unwrap(), rows);
            assert_eq!(send(conn).unwrap(), 0);
        }
        let call = upsert_stream(stream(many())).commit_every(10).idempotency_token("feed");
        assert_eq!(
            wait(call.execute(conn)).unwrap_err().to_string(),
            "upsert into `counters`: `idempotency_token` is for one transaction, and \
             `commit_every` makes several: leave out one of them"
        );
    }

    #[test]
    fn a_token_that_cannot_be_written_says_what_it_takes(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let call = || upsert(counters(1));
        let error = wait(call().idempotency_token("feed").execute(conn)).unwrap_err();
        assert!(matches!(error, Error::Token { .. }), "{error:?}");
        let message = error.to_string();
        assert!(message.contains("it takes the table of `CREATE TABLE upsert_tokens ("), "{message}");
        assert!(totals(conn).is_empty());

        for token in [String::new(), "t".repeat(256)] {
            let error = wait(call().idempotency_token(token).execute(conn)).unwrap_err();
            assert!(error.to_string().contains("but it takes 1 to 255"), "{error}");
        }
        let error = wait(call().idempotency_token("feed").outcome(conn)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "upsert into `counters`: `idempotency_token(..)` is not for `outcome` and \
             `returning`: `execute` the call, or leave it out"
        );
    }

    #[test]
    fn a_table_that_does_not_tell_tokens_apart(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        conn.batch_execute("CREATE TABLE upsert_tokens (token VARCHAR(255) NOT NULL)").unwrap();
        let error = wait(upsert(counters(1)).idempotency_token("feed").execute(conn)).unwrap_err();
        assert!(matches!(error, Error::Token { .. }), "{error:?}");
        assert!(totals(conn).is_empty());
        if system::SYSTEM == System::Sqlite || system::SYSTEM.is_postgres() {
            return;
        }
        conn.batch_execute("ALTER TABLE upsert_tokens ADD PRIMARY KEY (token)").unwrap();
        wait(upsert(counters(1)).idempotency_token("feed").execute(conn)).unwrap();
        for token in ["Feed", "feed "] {
            let error = wait(upsert(counters(1)).idempotency_token(token).execute(conn));
            assert!(matches!(error, Err(Error::Token { .. })), "{error:?}");
        }
        assert_eq!(wait(upsert(counters(1)).idempotency_token("feed").execute(conn)).unwrap(), 0);
        assert_eq!(totals(conn), [1; 5]);
    }

    #[test]
    fn calls_at_the_same_time_with_one_token_are_applied_once(database) {
        database.run(CREATE);
        create_tokens(&mut database.conn);
        let written: Vec<usize> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    let mut conn = database.connect();
                    scope.spawn(move || {
                        let call = upsert(counters(1)).idempotency_token("feed");
                        wait(call.retry(upsert_core::Retry::default()).execute(&mut conn)).unwrap()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(written.iter().sum::<usize>(), 5, "{written:?}");
        assert_eq!(totals(&mut database.conn), [1; 5]);
    }
}

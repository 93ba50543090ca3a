//! A call whose future is dropped is in the table as a whole or not at all, and leaves
//! no transaction open.

use std::future::poll_fn;
use std::ops::Deref;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use diesel::prelude::*;
use diesel::result::Error as DieselError;
use diesel_async::{AsyncConnection, SimpleAsyncConnection};
use futures_util::{FutureExt, StreamExt, stream};
use tokio::task::JoinSet;
use upsert_core::Error;
use upsert_core::asynchronous::{Upsertable, upsert};

use super::pools::{Get, Pooled, connect};
use crate::api::RUNTIME;
use crate::support::{PanickingText, Random, System, on_every_database};

diesel::table! {
    counters (id) {
        id -> Integer,
        name -> Text,
        count -> BigInt,
    }
}

diesel::table! {
    sources (id) {
        id -> Integer,
        name -> Text,
        count -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(counters, sources);

const CREATE: &str = "
    CREATE TABLE counters (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(20) NOT NULL, \
        count BIGINT NOT NULL DEFAULT 0, CHECK (length(name) <= 20));
    CREATE TABLE sources (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(20) NOT NULL, \
        count BIGINT NOT NULL);";

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable, Upsertable)]
#[diesel(table_name = counters)]
pub(super) struct Counter {
    #[conflict_key]
    pub(super) id: i32,
    #[on_conflict(update)]
    pub(super) name: String,
    #[on_conflict(add)]
    pub(super) count: i64,
}

#[derive(Debug, Upsertable)]
#[diesel(table_name = counters)]
struct Panicking {
    #[conflict_key]
    id: i32,
    #[on_conflict(update)]
    name: PanickingText,
}

const ROWS: i32 = 50;
/// Five chunks.
const CHUNK_SIZE: usize = 10;

fn counter(id: i32, name: &str, count: i64) -> Counter {
    Counter {
        id,
        name: name.to_owned(),
        count,
    }
}

/// The rows of a call, in no order.
fn rows() -> Vec<Counter> {
    let mut rows: Vec<_> = (0..ROWS).map(|id| counter(id, "new", 10)).collect();
    Random::new(5).shuffle(&mut rows);
    rows
}

/// The table before a call, which has half of its rows.
fn before() -> Vec<Counter> {
    (0..ROWS)
        .step_by(2)
        .map(|id| counter(id, "old", 1))
        .collect()
}

/// The table after it.
fn after() -> Vec<Counter> {
    let count = |id| if id % 2 == 0 { 11 } else { 10 };
    (0..ROWS).map(|id| counter(id, "new", count(id))).collect()
}

/// Drops `future` when it waits for the `wait`th time, and is then `None`.
///
/// The zeroth time is before it is polled.
async fn dropped_at<F: Future>(wait: usize, future: F) -> Option<F::Output> {
    if wait == 0 {
        return None;
    }
    let mut future = Some(Box::pin(future));
    let mut waits = 0;
    poll_fn(|context| {
        let polled = future.as_mut().unwrap().as_mut().poll(context);
        if polled.is_pending() {
            waits += 1;
            if waits == wait {
                future = None;
                return Poll::Ready(None);
            }
        }
        polled.map(Some)
    })
    .await
}

/// Does a dropped call leave a connection that cannot be used?
fn breaks(system: System) -> bool {
    match system {
        #[cfg(feature = "mysql")]
        System::Mysql => true,
        _ => false,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Execute,
    Outcome,
    Returning,
    ReturningOld,
    Stream,
    From,
}

on_every_database! {
    shared {
        /// The connection of diesel-async.
        type AsyncConn = <Conn as Deref>::Target;

        async fn call(conn: &mut AsyncConn, call: Call) -> upsert_core::Result<()> {
            let rows = rows();
            let counters = (counters::id, counters::name, counters::count);
            match call {
                Call::Execute => {
                    upsert(&rows).chunk_size(CHUNK_SIZE).execute(conn).await?;
                }
                Call::Outcome => {
                    upsert(rows).chunk_size(CHUNK_SIZE).outcome(conn).await?;
                }
                Call::Returning => {
                    let call = upsert(rows).chunk_size(CHUNK_SIZE).returning(counters);
                    call.get_results::<Counter, _>(conn).await?;
                }
                Call::ReturningOld => {
                    let call = upsert(rows).chunk_size(CHUNK_SIZE).returning_old(counters);
                    call.get_results::<Counter, _>(conn).await?;
                }
                Call::Stream => {
                    // The stream waits too.
                    let rows = stream::iter(rows).then(async |row| {
                        if row.id % 16 == 0 {
                            tokio::task::yield_now().await;
                        }
                        row
                    });
                    Counter::bulk_upsert_stream(conn, pin!(rows)).await?;
                }
                Call::From => {
                    Counter::upsert_from(sources::table).execute(conn).await?;
                }
            }
            Ok(())
        }

        fn table(conn: &mut Conn) -> Vec<Counter> {
            let counters = counters::table.order(counters::id);
            RunQueryDsl::load(counters, conn).unwrap()
        }

        fn reset(conn: &mut Conn) {
            Connection::transaction(conn, |conn| {
                RunQueryDsl::execute(diesel::delete(counters::table), conn)?;
                let before = diesel::insert_into(counters::table);
                for row in self::before() {
                    RunQueryDsl::execute(before.values(row), conn)?;
                }
                Ok::<_, DieselError>(())
            })
            .unwrap();
        }

        fn create(database: &mut system::TestDatabase) {
            database.run(CREATE);
            for row in rows() {
                let source = (
                    sources::id.eq(row.id),
                    sources::name.eq(row.name),
                    sources::count.eq(row.count),
                );
                let insert = diesel::insert_into(sources::table).values(source);
                RunQueryDsl::execute(insert, &mut database.conn).unwrap();
            }
        }

        /// Drops a call at every point where it waits; `next` is the next user of its
        /// connection.
        async fn drop_everywhere(
            database: &mut system::TestDatabase,
            kind: Call,
            pool: &impl Get<AsyncConn>,
        ) {
            let mut wait = 0;
            for call_number in 0.. {
                tokio::task::block_in_place(|| reset(&mut database.conn));
                let mut conn = pool.get_conn().await;
                let dropped = dropped_at(wait, call(&mut conn, kind)).await;
                drop(conn);

                // Its next user has a connection without a transaction.
                let mut conn = pool.get_conn().await;
                let row = counter(1000, "next", 1);
                assert_eq!(row.upsert(&mut *conn).await.unwrap(), 1, "{kind:?} {wait}");
                let mut table = tokio::task::block_in_place(|| table(&mut database.conn));
                assert_eq!(table.pop(), Some(row), "{kind:?} {wait}");
                if let Some(result) = dropped {
                    result.unwrap();
                    assert_eq!(table, after(), "{kind:?} {wait}");
                    // On a machine with little to spare, every statement may be done before it
                    // is looked at.
                    if wait > 1 || kind == Call::From {
                        break;
                    }
                    assert!(call_number < 100, "{kind:?} did not wait");
                    continue;
                }
                wait += 1;
                assert!(table == before() || table == after(), "{kind:?} {wait}: {table:?}");
                let next = conn.transaction(async |conn| {
                    let next = counters::table.filter(counters::id.eq(1000));
                    diesel_async::RunQueryDsl::execute(diesel::delete(next), conn).await
                });
                assert_eq!(next.await, Ok(1), "{kind:?} {wait}");
            }
        }
    }

    #[test]
    fn dropped_with_a_connection_of_deadpool(database) {
        create(&mut database);
        RUNTIME.block_on(async {
            let pool = AsyncConn::deadpool(database.url(), 1);
            for kind in [
                Call::Execute,
                Call::Outcome,
                Call::Returning,
                Call::ReturningOld,
                Call::Stream,
                Call::From,
            ] {
                drop_everywhere(&mut database, kind, &pool).await;
            }
        });
    }

    #[test]
    fn dropped_with_a_connection_of_bb8(database) {
        create(&mut database);
        RUNTIME.block_on(async {
            let pool = AsyncConn::bb8(database.url(), 1).await;
            for kind in [Call::Execute, Call::Outcome] {
                drop_everywhere(&mut database, kind, &pool).await;
            }
        });
    }

    /// The runtime has no other thread than the one that drops the future.
    #[test]
    fn dropped_in_a_runtime_of_one_thread(database) {
        create(&mut database);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for wait in 0.. {
            reset(&mut database.conn);
            let mut conn = runtime.block_on(connect::<AsyncConn>(database.url()));
            let dropped = runtime.block_on(dropped_at(wait, call(&mut conn, Call::Execute)));
            runtime.block_on(async {
                // The runtime has to run for a `ROLLBACK` to be sent.
                if !breaks(system::SYSTEM) {
                    conn.batch_execute("SELECT 1").await.unwrap();
                }
                drop(conn);
            });
            let is_dropped = dropped.is_none();
            let table = table(&mut database.conn);
            assert!(
                table == after() || is_dropped && table == before(),
                "{wait}: {table:?}"
            );
            if !is_dropped {
                break;
            }
        }
    }

    #[test]
    fn the_same_connection_after_a_dropped_call(database) {
        create(&mut database);
        for wait in 0.. {
            reset(&mut database.conn);
            let is_dropped = RUNTIME.block_on(async {
                let mut conn = connect::<AsyncConn>(database.url()).await;
                let dropped = dropped_at(wait, call(&mut conn, Call::Execute)).await;
                let row = counter(1000, "next", 1);
                let next = row.upsert(&mut conn).await;
                let transaction = conn.transaction(async |_| Ok::<_, DieselError>(())).await;
                if breaks(system::SYSTEM) && dropped.is_none() && wait > 0 {
                    // The answer to another statement would be read.
                    let broken = DieselError::BrokenTransactionManager.to_string();
                    assert!(matches!(next, Err(Error::Connection(_))), "{wait}: {next:?}");
                    assert_eq!(transaction.unwrap_err().to_string(), broken);
                } else {
                    assert_eq!(next.unwrap(), 1);
                    transaction.unwrap();
                }
                dropped.is_none()
            });
            let mut table = table(&mut database.conn);
            table.retain(|row| row.id < 1000);
            assert!(
                table == after() || is_dropped && table == before(),
                "{wait}: {table:?}"
            );
            if !is_dropped {
                break;
            }
        }
    }

    /// What the caller has written is not undone, not even where a call before it has
    /// failed.
    #[test]
    fn dropped_in_the_callers_transaction(database) {
        create(&mut database);
        let mut wait = 0;
        let mut one_fails = false;
        loop {
            reset(&mut database.conn);
            let (is_dropped, result) = RUNTIME.block_on(async {
                let mut conn = connect::<AsyncConn>(database.url()).await;
                let mut is_dropped = false;
                let result = conn.transaction(async |conn| {
                    if one_fails {
                        let long = counter(1, &"x".repeat(30), 1).upsert(conn).await;
                        assert!(long.is_err());
                    }
                    let first = counter(1000, "first", 1).upsert(conn).await;
                    let dropped = dropped_at(wait, call(conn, Call::Execute)).await;
                    is_dropped = dropped.is_none();
                    let last = counter(1001, "last", 1).upsert(conn).await;
                    first.and(last).map(drop)
                });
                let result = result.await;
                (is_dropped, result)
            });
            let mut table = table(&mut database.conn);
            let others: Vec<_> = table.iter().filter(|row| row.id >= 1000).cloned().collect();
            table.retain(|row| row.id < 1000);
            if breaks(system::SYSTEM) && is_dropped && wait > 0 {
                assert!(matches!(result, Err(Error::Connection(_))), "{wait}: {result:?}");
                assert_eq!(others, []);
                assert_eq!(table, before(), "{wait}");
            } else {
                result.unwrap();
                let expected = [counter(1000, "first", 1), counter(1001, "last", 1)];
                assert_eq!(others, expected, "{wait}");
                assert!(table == after() || is_dropped && table == before(), "{wait}: {table:?}");
            }
            match (is_dropped, one_fails) {
                (true, _) => wait += 1,
                (false, false) => (wait, one_fails) = (0, true),
                (false, true) => break,
            }
        }
    }

    /// A call that has sent nothing leaves the connection as it was.
    #[test]
    fn dropped_while_its_stream_has_no_row(database) {
        create(&mut database);
        reset(&mut database.conn);
        RUNTIME.block_on(async {
            let mut conn = connect::<AsyncConn>(database.url()).await;
            let rows = stream::pending::<Counter>();
            let waiting = Counter::bulk_upsert_stream(&mut conn, rows);
            let timeout = tokio::time::timeout(Duration::from_millis(20), waiting).await;
            assert!(timeout.is_err());
            call(&mut conn, Call::Execute).await.unwrap();
        });
        assert_eq!(table(&mut database.conn), after());
    }

    /// A deadlock in the caller's transaction is told, and ends only the transaction.
    #[test]
    fn a_deadlock_in_the_callers_transaction(database) {
        create(&mut database);
        reset(&mut database.conn);
        if system::SYSTEM == System::Sqlite {
            return; // has one writer
        }
        let rows = |ids: [i32; 1]| ids.map(|id| counter(id, "new", 1));
        RUNTIME.block_on(async {
            let barrier = tokio::sync::Barrier::new(2);
            let write = async |first, second| {
                let mut conn = connect::<AsyncConn>(database.url()).await;
                let result = conn.transaction(async |conn| {
                    Counter::bulk_upsert(conn, rows([first])).await?;
                    barrier.wait().await;
                    Counter::bulk_upsert(conn, rows([second])).await
                });
                let result = result.await;
                // The connection can be used.
                let next = conn.transaction(async |conn| {
                    Counter::bulk_upsert(conn, rows([first])).await
                });
                assert_eq!(next.await.unwrap(), 1);
                result
            };
            let (one, other) = futures_util::join!(write(0, 2), write(2, 0));
            let errors: Vec<_> = [one, other].into_iter().filter_map(Result::err).collect();
            let [error] = &errors[..] else { panic!("{errors:?}") };
            let source = std::error::Error::source(error).unwrap().to_string();
            assert!(source.to_lowercase().contains("deadlock"), "{error:?}: {source}");
        });
        let counts = [0, 2].map(|id| table(&mut database.conn)[id / 2].count);
        // One transaction, and one more of each.
        assert_eq!(counts, [3, 3]);
    }

    /// A value panics in the fourth chunk, and where there is only one.
    #[test]
    fn a_panic_in_a_value(database) {
        create(&mut database);
        reset(&mut database.conn);
        RUNTIME.block_on(async {
            let pool = AsyncConn::deadpool(database.url(), 1);
            for chunk_size in [CHUNK_SIZE, 100] {
                for in_transaction in [false, true] {
                    let mut conn = pool.get().await.unwrap();
                    let rows = (0..ROWS).map(|id| Panicking { id, name: PanickingText(id < 35) });
                    let call = upsert(rows).chunk_size(chunk_size);
                    let panicked = if in_transaction {
                        let transaction = conn.transaction(async |conn| {
                            call.execute(conn).await
                        });
                        AssertUnwindSafe(transaction).catch_unwind().await
                    } else {
                        AssertUnwindSafe(call.execute(&mut conn)).catch_unwind().await
                    };
                    let panic = panicked.unwrap_err();
                    assert_eq!(*panic.downcast::<&str>().unwrap(), "a value that panics");
                    drop(conn);

                    let mut conn = pool.get().await.unwrap();
                    let row = counter(1000, "next", 1);
                    assert_eq!(row.upsert(&mut conn).await.unwrap(), 1);
                    let expected = [before(), vec![row]].concat();
                    let table = tokio::task::block_in_place(|| {
                        let table = table(&mut database.conn);
                        reset(&mut database.conn);
                        table
                    });
                    assert_eq!(table, expected, "{chunk_size} {in_transaction}");
                }
            }
        });
    }

    /// Calls of many tasks, dropped at any time.
    #[test]
    fn dropped_by_timeouts(database) {
        create(&mut database);
        // A call of MySQL's that is rolled back after it has inserted rows may make
        // two others deadlock that waited for it.
        let zeros = (0..ROWS).map(|id| counter(id, "zero", 0));
        crate::api::wait(Counter::bulk_upsert(&mut database.conn, zeros)).unwrap();
        let (finished, dropped) = RUNTIME.block_on(async {
            let pool = AsyncConn::deadpool(database.url(), 4);
            let mut tasks = JoinSet::new();
            for task in 0..8 {
                let pool = pool.clone();
                tasks.spawn(async move {
                    let mut random = Random::new(task);
                    let (mut finished, mut dropped) = (0, 0);
                    for _ in 0..20 {
                        let limit = Duration::from_micros(random.below(20_000) as u64);
                        let mut rows: Vec<_> = (0..ROWS).map(|id| counter(id, "new", 1)).collect();
                        random.shuffle(&mut rows);
                        let mut conn = pool.get().await.unwrap();
                        let call = upsert(rows).chunk_size(CHUNK_SIZE).execute(&mut conn);
                        match tokio::time::timeout(limit, call).await {
                            Ok(result) => {
                                assert_eq!(result.unwrap(), 50);
                                finished += 1;
                            }
                            Err(_) => dropped += 1,
                        }
                    }
                    (finished, dropped)
                });
            }
            let counts = tasks.join_all().await;
            counts.iter().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1))
        });
        // What is still on its way has come to its end when the table is locked.
        let table = Connection::transaction(&mut database.conn, |conn| {
            RunQueryDsl::execute(
                diesel::update(counters::table).set(counters::name.eq("end")),
                conn,
            )?;
            Ok::<_, DieselError>(table(conn))
        });
        let table = table.unwrap();
        // Each call counted all of the rows or none.
        let count = table[0].count;
        let expected: Vec<_> = (0..ROWS).map(|id| counter(id, "end", count)).collect();
        assert_eq!(table, expected);
        assert!((finished..=finished + dropped).contains(&count), "{finished} {dropped} {count}");
    }
}

/// The task that has the lock goes on while another one waits for it, dropped.
#[test]
fn a_dropped_call_does_not_keep_the_lock_from_being_released() {
    use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
    type AsyncConn = SyncConnectionWrapper<SqliteConnection>;

    let mut database = crate::support::sqlite::TestDatabase::new();
    database.run(CREATE);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let url = database.url().to_owned();
    let started = std::time::Instant::now();
    let holder = runtime.spawn({
        let url = url.clone();
        async move {
            let mut conn = connect::<AsyncConn>(&url).await;
            let transaction = conn.immediate_transaction(async |conn| {
                counter(1, "holder", 1).upsert(conn).await?;
                tokio::time::sleep(Duration::from_millis(300)).await;
                counter(2, "holder", 1).upsert(conn).await
            });
            transaction.await.unwrap();
        }
    });
    let dropped = runtime.spawn(async move {
        let mut conn = connect::<AsyncConn>(&url).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        let call = upsert(rows()).chunk_size(CHUNK_SIZE).execute(&mut conn);
        let timeout = tokio::time::timeout(Duration::from_millis(50), call).await;
        assert!(timeout.is_err());
    });
    runtime
        .block_on(async { futures_util::try_join!(holder, dropped) })
        .unwrap();
    // The connections wait for a lock for thirty seconds.
    assert!(started.elapsed() < Duration::from_secs(15));
    let table: Vec<Counter> = counters::table
        .order(counters::id)
        .load(&mut database.conn)
        .unwrap();
    assert_eq!(table, [counter(1, "holder", 1), counter(2, "holder", 1)]);
}

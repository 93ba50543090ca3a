//! Many tasks write the same rows at once, through a pool that is smaller than they
//! are many.

use std::ops::Deref;

use diesel::prelude::*;
use tokio::task::JoinSet;
use upsert_core::asynchronous::{Upsertable, upsert};

use super::pools::Pooled;
use crate::api::RUNTIME;
use crate::support::{Random, on_every_database};

diesel::table! {
    sums (account, currency) {
        account -> Integer,
        currency -> Text,
        amount -> BigInt,
        bookings -> Integer,
    }
}

const CREATE: &str = "CREATE TABLE sums (account INTEGER NOT NULL, currency VARCHAR(3) NOT NULL, \
     amount BIGINT NOT NULL, bookings INTEGER NOT NULL, PRIMARY KEY (account, currency))";

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Queryable, Upsertable)]
#[diesel(table_name = sums)]
struct Sum {
    #[conflict_key]
    account: i32,
    #[conflict_key]
    currency: String,
    #[on_conflict(add)]
    amount: i64,
    #[on_conflict(add)]
    bookings: i32,
}

const TASKS: i32 = 32;
const POOL: usize = 8;
const CALLS: i32 = 5;
const ACCOUNTS: i32 = 100;

/// Every account once and some more often, in an order of the call's own.
fn bookings(task: i32, call: i32) -> Vec<Sum> {
    let mut random = Random::new(u64::try_from(task * CALLS + call).unwrap());
    let mut accounts: Vec<i32> = (0..ACCOUNTS).chain(0..task).collect();
    random.shuffle(&mut accounts);
    let booking = |account| Sum {
        account,
        currency: ["EUR", "USD"][usize::from(account % 3 == 0)].to_owned(),
        amount: i64::from(account * 1000 + task),
        bookings: 1,
    };
    accounts.into_iter().map(booking).collect()
}

/// The table after all calls.
fn expected() -> Vec<Sum> {
    let mut sums: Vec<Sum> = Vec::new();
    for task in 0..TASKS {
        for booking in (0..CALLS).flat_map(|call| bookings(task, call)) {
            match sums.iter_mut().find(|sum| sum.account == booking.account) {
                Some(sum) => {
                    sum.amount += booking.amount;
                    sum.bookings += 1;
                }
                None => sums.push(booking),
            }
        }
    }
    sums.sort();
    sums
}

on_every_database! {
    shared {
        type AsyncConn = <Conn as Deref>::Target;
    }

    #[test]
    fn sums_are_exact(database) {
        database.run(CREATE);
        RUNTIME.block_on(async {
            let pool = AsyncConn::deadpool(database.url(), POOL);
            let mut tasks = JoinSet::new();
            for task in 0..TASKS {
                let pool = pool.clone();
                tasks.spawn(async move {
                    for call in 0..CALLS {
                        let rows = bookings(task, call);
                        let mut conn = pool.get().await.unwrap();
                        let count = rows.len();
                        // One statement for a call, and several.
                        let written = if call % 2 == 0 {
                            Sum::bulk_upsert(&mut conn, rows).await
                        } else {
                            upsert(rows).chunk_size(16).execute(&mut conn).await
                        };
                        assert_eq!(written.unwrap(), count);
                    }
                });
            }
            while let Some(result) = tasks.join_next().await {
                result.unwrap();
            }
        });
        let sums: Vec<Sum> = sums::table
            .order((sums::account, sums::currency))
            .load(&mut database.conn)
            .unwrap();
        assert_eq!(sums, expected());
    }
}

//! Calls over several connections at once.

use std::collections::BTreeSet;

use diesel::prelude::*;
use upsert_core::{Duplicates, Error};

use crate::api::{Upsertable, upsert, wait};
use crate::support::on_every_database;

diesel::table! {
    hits (page) {
        page -> Text,
        count -> BigInt,
        site -> Integer,
    }
}

const CREATE: &str = "CREATE TABLE hits (page VARCHAR(40) NOT NULL PRIMARY KEY, \
     count BIGINT NOT NULL, site INTEGER NOT NULL, CHECK (count > 0))";

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = hits)]
struct Hit {
    #[conflict_key]
    page: String,
    #[on_conflict(add)]
    count: i64,
    #[on_conflict(update)]
    site: i32,
}

fn hit(page: &str, count: i64, site: i32) -> Hit {
    Hit {
        page: page.to_owned(),
        count,
        site,
    }
}

on_every_database! {
    shared {
        fn table(conn: &mut Conn) -> Vec<(String, i64, i32)> {
            let mut rows: Vec<_> = hits::table.load(conn).unwrap();
            rows.sort();
            rows
        }

        fn connections(database: &system::TestDatabase, count: usize) -> Vec<Conn> {
            (0..count).map(|_| database.connect()).collect()
        }
    }

    /// Every key is three times in the input, and all of them go over one connection.
    #[test]
    fn the_table_is_the_same(database) {
        database.run(CREATE);
        for count in [1, 2, 5] {
            let conns = &mut connections(&database, count);
            diesel::delete(hits::table).execute(&mut database.conn).unwrap();
            let page = |i: i32| format!("page {}", i % 1000);
            let rows: Vec<_> = (0..3000).map(|i| hit(&page(i), 1, i)).collect();
            let mut reports = Vec::new();
            let call = upsert(&rows).chunk_size(100).on_progress(|it| reports.push(it));
            let partitions = wait(call.execute_parallel(conns)).unwrap();
            assert_eq!(partitions.len(), count);
            let all: BTreeSet<_> = partitions.iter().flat_map(|it| &it.rows).copied().collect();
            assert_eq!(all.len(), 3000);
            for partition in &partitions {
                assert_eq!(*partition.result.as_ref().unwrap(), partition.rows.len());
                let pages = |rows: &[usize]| -> BTreeSet<_> { rows.iter().map(|i| i % 1000).collect() };
                assert_eq!(pages(&partition.rows).len() * 3, partition.rows.len());
            }
            let mut expected: Vec<_> = (0..1000).map(|i| (page(i), 3, i + 2000)).collect();
            expected.sort();
            assert!(table(&mut database.conn) == expected);
            let last = reports.last().unwrap();
            assert_eq!((last.rows, last.total), (3000, Some(3000)));
            assert!(reports.is_sorted_by_key(|it| it.rows));
        }
    }

    /// What one connection cannot write, the others are not asked.
    #[test]
    fn a_partition_that_fails(database) {
        database.run(CREATE);
        let conns = &mut connections(&database, 4);
        let mut rows: Vec<_> = (0..200).map(|i| hit(&format!("page {i}"), 1, i)).collect();
        rows[77].count = -1;
        let partitions = wait(upsert(&rows).execute_parallel(conns)).unwrap();
        assert_eq!(partitions.len(), 4);
        let mut expected = Vec::new();
        for partition in &partitions {
            if partition.rows.contains(&77) {
                let error = partition.result.as_ref().unwrap_err();
                let place = &error.place().unwrap().rows;
                assert!(place.contains(&77), "{place:?}");
                assert!(place.iter().all(|row| partition.rows.contains(row)), "{place:?}");
            } else {
                assert_eq!(*partition.result.as_ref().unwrap(), partition.rows.len());
                let written = partition.rows.iter().map(|row| &rows[*row]);
                expected.extend(written.map(|row| (row.page.clone(), 1, row.site)));
            }
        }
        expected.sort();
        assert_eq!(table(&mut database.conn), expected);
    }

    /// Texts that a collation may hold equal go over one connection.
    #[test]
    fn keys_that_may_be_equal(database) {
        database.run(CREATE);
        let conns = &mut connections(&database, 3);
        let rows: Vec<_> = (0..300).map(|i| {
            let page = format!("page {}", i / 3);
            hit(&if i % 3 == 0 { page.to_uppercase() } else { page }, 1, i)
        }).collect();
        for partition in wait(upsert(&rows).execute_parallel(conns)).unwrap() {
            partition.result.unwrap();
        }
        let parallel = table(&mut database.conn);
        diesel::delete(hits::table).execute(&mut database.conn).unwrap();
        wait(upsert(&rows).execute(&mut database.conn)).unwrap();
        assert_eq!(parallel, table(&mut database.conn));
    }

    /// A few rows are looked at as carefully: no single statement sees them all.
    #[test]
    fn few_keys_that_may_be_equal(database) {
        let page = if system::SYSTEM.is_postgres() {
            database.run("CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', \
                 deterministic = false)");
            "page VARCHAR(40) COLLATE folded NOT NULL PRIMARY KEY"
        } else {
            "page VARCHAR(40) NOT NULL PRIMARY KEY"
        };
        database.run(&format!("CREATE TABLE hits ({page}, count BIGINT NOT NULL, \
             site INTEGER NOT NULL)"));
        let conns = &mut connections(&database, 2);
        let rows = [hit("a", 1, 1), hit("A", 1, 2)];
        let partitions = wait(upsert(&rows).execute_parallel(conns)).unwrap();
        for partition in &partitions {
            assert!(partition.result.is_ok(), "{partition:?}");
        }
        let parallel = table(&mut database.conn);
        diesel::delete(hits::table).execute(&mut database.conn).unwrap();
        wait(upsert(&rows).execute(&mut database.conn)).unwrap();
        assert_eq!(parallel, table(&mut database.conn));
        if system::SYSTEM.is_postgres() {
            assert_eq!((partitions.len(), parallel.len()), (1, 1));
        }
    }

    #[test]
    fn a_connection_in_a_transaction(database) {
        database.run(CREATE);
        let mut conns = connections(&database, 1);
        let result = conns[0].transaction(|conn| {
            wait(upsert([hit("a", 1, 1)]).execute_parallel(std::slice::from_mut(conn))).map(drop)
        });
        assert!(matches!(result, Err(Error::Refused { .. })), "{result:?}");
        assert_eq!(table(&mut database.conn), []);
    }

    #[test]
    fn what_is_refused_before_rows_are_sent(database) {
        database.run(CREATE);
        let conns = &mut connections(&database, 2);
        let rows = [hit("a", 1, 1), hit("a", 1, 2)];
        let reject = upsert(&rows).on_duplicate(Duplicates::Reject).execute_parallel(conns);
        assert!(matches!(wait(reject), Err(Error::RepeatedKey { .. })));
        let none = wait(upsert(&rows).execute_parallel(&mut conns[..0])).unwrap_err();
        assert!(none.to_string().contains("at least one connection"), "{none}");
        assert!(wait(upsert(&rows[..0]).execute_parallel(conns)).unwrap().is_empty());
        assert_eq!(table(&mut database.conn), []);
    }
}

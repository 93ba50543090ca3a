//! Values of other types.

use super::*;

diesel::table! {
    values (id) {
        id -> Integer,
        flag -> Nullable<Bool>,
        bytes -> Nullable<Binary>,
        single -> Nullable<Float>,
        day -> Nullable<Date>,
        time -> Nullable<Time>,
        stamp -> Nullable<Timestamp>,
        seen -> Integer,
    }
}

fn create_values(system: System) -> &'static str {
    match system {
        System::Sqlite => {
            "CREATE TABLE \"values\" (id INTEGER PRIMARY KEY, flag BOOLEAN, bytes BLOB, \
             single FLOAT, day DATE, time TIME, stamp TIMESTAMP, \
             seen INTEGER NOT NULL DEFAULT 0)"
        }
        #[cfg(feature = "postgres")]
        System::Postgres => {
            "CREATE TABLE \"values\" (id integer PRIMARY KEY, flag boolean, bytes bytea, \
             single real, day date, time time, stamp timestamp, \
             seen integer NOT NULL DEFAULT 0)"
        }
        #[cfg(feature = "mysql")]
        System::Mysql => {
            "CREATE TABLE `values` (id INTEGER PRIMARY KEY, flag BOOLEAN, bytes BLOB, \
             single FLOAT, day DATE, time TIME(6), stamp DATETIME(6), \
             seen INTEGER NOT NULL DEFAULT 0)"
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Upsertable, Queryable)]
#[diesel(table_name = values)]
#[upsert(skip_unchanged, update_all)]
struct Values {
    id: i32,
    flag: Option<bool>,
    bytes: Option<Vec<u8>>,
    single: Option<f32>,
    day: Option<NaiveDate>,
    time: Option<NaiveTime>,
    stamp: Option<NaiveDateTime>,
    #[on_conflict(touch = seen + 1)]
    seen: i32,
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = values)]
struct Extremes {
    id: i32,
    #[on_conflict(max)]
    single: Option<f32>,
    #[on_conflict(min)]
    day: Option<NaiveDate>,
    #[on_conflict(max)]
    time: Option<NaiveTime>,
    #[on_conflict(min)]
    stamp: Option<NaiveDateTime>,
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = values)]
#[upsert(newer_by = stamp)]
struct Stamped {
    id: i32,
    #[on_conflict(update)]
    stamp: Option<NaiveDateTime>,
    #[on_conflict(update)]
    flag: Option<bool>,
}

fn times() -> [NaiveDateTime; 7] {
    [0, 1, 100_000, 100_001, 999_999, 1_000_000, 86_400_000_000]
        .map(|microseconds| start() + TimeDelta::microseconds(microseconds))
}

/// Pairs of neighbours that a comparison by fewer digits would hold equal.
fn singles() -> Vec<f32> {
    let mut singles = vec![-1.0, 0.0, f32::MIN_POSITIVE, f32::MAX];
    for single in [0.1_f32, 1.0, 16_777_214.0, 3.4e38, 1e-38] {
        singles.push(single);
        singles.push(f32::from_bits(single.to_bits() + 1));
    }
    singles.sort_by(f32::total_cmp);
    singles
}

on_every_database! {
    shared {
        fn values(conn: &mut Conn) -> Values {
            values::table.first(conn).unwrap()
        }

        /// `rows` are all different, and come twice each.
        fn check_changes(conn: &mut Conn, rows: &[Values]) {
            diesel::delete(values::table).execute(conn).unwrap();
            for (seen, row) in (0..).zip(rows) {
                assert_eq!(wait(row.upsert(conn)).unwrap(), 1, "{row:?}");
                assert_eq!(wait(row.upsert(conn)).unwrap(), 0, "{row:?}");
                let expected = Values { seen, ..row.clone() };
                assert_eq!(values(conn), expected, "{row:?}");
            }
            // The same in one call.
            diesel::delete(values::table).execute(conn).unwrap();
            let twice: Vec<_> = rows.iter().flat_map(|row| [row, row]).collect();
            for chunk_size in [1, 3, 100] {
                diesel::delete(values::table).execute(conn).unwrap();
                let call = upsert(twice.iter().copied()).chunk_size(chunk_size);
                assert_eq!(wait(call.execute(conn)).unwrap(), rows.len());
                assert_eq!(usize::try_from(values(conn).seen).unwrap(), rows.len() - 1);
            }
        }
    }

    #[test]
    fn changes_of_every_type(database) {
        database.run(create_values(system::SYSTEM));
        let conn = &mut database.conn;
        let row = || Values { id: 1, ..Values::default() };
        let flags = [None, Some(false), Some(true), None, Some(true), Some(false)];
        check_changes(conn, &flags.map(|flag| Values { flag, ..row() }));
        let bytes = [
            Some(b"a".to_vec()),
            Some(b"A".to_vec()),
            Some(b"A ".to_vec()),
            Some(b"A\0".to_vec()),
            Some(vec![]),
            None,
            Some(vec![0]),
            Some(vec![0xff, 0xfe]),
            Some(vec![0xff, 0xff]),
        ];
        check_changes(conn, &bytes.map(|bytes| Values { bytes, ..row() }));
        for single in singles().windows(2) {
            let rows = [single[0], single[1], single[0]];
            let rows = rows.map(|single| Values { single: Some(single), ..row() });
            check_changes(conn, &rows);
        }
        let days = [(1000, 1), (9999, 12)].map(|(year, month)| {
            let day = NaiveDate::from_ymd_opt(year, month, 1);
            Values { day, ..row() }
        });
        check_changes(conn, &days);
        check_changes(conn, &times().map(|stamp| Values { stamp: Some(stamp), ..row() }));
        // The last two are on different days.
        let times: Vec<_> = times()[1..]
            .iter()
            .map(|stamp| Values { time: Some(stamp.time()), ..row() })
            .collect();
        check_changes(conn, &times);
    }

    #[test]
    fn the_larger_and_the_smaller_of_every_type(database) {
        database.run(create_values(system::SYSTEM));
        let conn = &mut database.conn;
        let times = times();
        for (i, old) in times.iter().enumerate() {
            for (j, new) in times.iter().enumerate() {
                let singles = singles();
                let row = |stamp: &NaiveDateTime, at: usize| Extremes {
                    id: 1,
                    single: Some(singles[at]),
                    day: Some(stamp.date()),
                    time: Some(stamp.time()),
                    stamp: Some(*stamp),
                };
                diesel::delete(values::table).execute(conn).unwrap();
                let null = Extremes { id: 1, single: None, day: None, time: None, stamp: None };
                let rows = [null.clone(), row(old, i), null, row(new, j)];
                assert_eq!(wait(Extremes::bulk_upsert(conn, &rows)).unwrap(), 4);
                let table = values(conn);
                let context = format!("{old}, {new}");
                assert_eq!(table.single, Some(singles[i.max(j)]), "{context}");
                assert_eq!(table.day, Some(old.min(new).date()), "{context}");
                assert_eq!(table.time, Some(old.time().max(new.time())), "{context}");
                assert_eq!(table.stamp, Some(*old.min(new)), "{context}");

                diesel::delete(values::table).execute(conn).unwrap();
                let stamped = |stamp: &NaiveDateTime, flag| Stamped {
                    id: 1,
                    stamp: Some(*stamp),
                    flag: Some(flag),
                };
                let rows = [stamped(old, false), stamped(new, true)];
                let written = wait(Stamped::bulk_upsert(conn, &rows)).unwrap();
                assert_eq!(written, 1 + usize::from(new > old), "{context}");
                assert_eq!(values(conn).stamp, Some(*old.max(new)), "{context}");
                assert_eq!(values(conn).flag, Some(new > old), "{context}");
            }
        }
    }

    /// What the column does not hold is no change.
    #[test]
    fn a_fraction_that_is_not_stored_is_no_change(database) {
        database.run(create_values(system::SYSTEM));
        match system::SYSTEM {
            System::Sqlite => {}
            #[cfg(feature = "postgres")]
            System::Postgres => {
                database.run(
                    "ALTER TABLE \"values\" ALTER stamp TYPE timestamp(0), \
                     ALTER time TYPE time(0)",
                );
            }
            #[cfg(feature = "mysql")]
            System::Mysql => {
                database.run("ALTER TABLE `values` MODIFY stamp DATETIME, MODIFY time TIME");
            }
        }
        let conn = &mut database.conn;
        for (i, nanoseconds) in (0..).zip([1, 100, 400_000_000, 400_000_900, 600_000_000]) {
            let stamp = start() + TimeDelta::nanoseconds(nanoseconds);
            let row = Values {
                id: i,
                stamp: Some(stamp),
                time: Some(stamp.time()),
                ..Values::default()
            };
            assert_eq!(wait(row.upsert(conn)).unwrap(), 1);
            for _ in 0..3 {
                assert_eq!(wait(row.upsert(conn)).unwrap(), 0, "{nanoseconds}");
            }
        }
    }
}

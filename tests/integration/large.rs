//! Calls with many more rows and binds than a statement takes.

use diesel::prelude::*;

use crate::api::{Upsertable, upsert, wait};
use crate::support::{Random, Recorder, on_every_database};

pub(crate) const ROWS: i32 = 100_000;

diesel::table! {
    readings (sensor, day) {
        sensor -> Integer,
        day -> BigInt,
        amount -> BigInt,
        note -> Nullable<Text>,
        unit -> Text,
        origin -> Nullable<Integer>,
    }
}

pub(crate) const CREATE: &str = "CREATE TABLE readings (sensor INTEGER NOT NULL, day BIGINT NOT NULL, \
     amount BIGINT NOT NULL, note VARCHAR(20), unit VARCHAR(20) NOT NULL DEFAULT 'metre', \
     origin INTEGER, PRIMARY KEY (sensor, day))";

pub(crate) type Row = (i32, i64, i64, Option<String>, String, Option<i32>);

/// `Insertable` stands beside it with its own defaults, as in most models.
#[derive(Debug, Clone, Insertable, Upsertable)]
#[diesel(table_name = readings)]
pub(crate) struct Reading {
    #[conflict_key]
    sensor: i32,
    #[conflict_key]
    day: i64,
    #[on_conflict(update)]
    amount: i64,
    #[on_conflict(update)]
    note: Option<String>,
    // The column is NOT NULL.
    #[on_conflict(update)]
    unit: Option<&'static str>,
    origin: Option<i32>,
}

/// The reading with the number `i`, as it is first written.
pub(crate) fn first(i: i32) -> Reading {
    Reading {
        sensor: i % 317,
        day: i64::from(i / 317) - 100,
        amount: i64::from(i) * 1_000_003,
        note: (i % 3 != 0).then(|| format!("note {i}")),
        unit: (i % 5 == 0).then_some("inch"),
        origin: (i % 7 != 0).then_some(i),
    }
}

pub(crate) fn first_row(i: i32) -> Row {
    let reading = first(i);
    (
        reading.sensor,
        reading.day,
        reading.amount,
        reading.note,
        reading.unit.unwrap_or("metre").to_owned(),
        reading.origin,
    )
}

/// The same reading, as it is written the second time.
fn second(i: i32) -> Reading {
    Reading {
        amount: -i64::from(i),
        note: (i % 4 == 0).then(|| format!("again {i}")),
        unit: (i % 2 == 0).then_some("mile"),
        origin: Some(-1),
        ..first(i)
    }
}

/// The row `i` where both were written.
fn updated_row(i: i32) -> Row {
    let (sensor, day, _, _, unit, origin) = first_row(i);
    let reading = second(i);
    let unit = reading.unit.map_or(unit, str::to_owned);
    (sensor, day, reading.amount, reading.note, unit, origin)
}

/// The row `i` where only the second was written.
fn second_row(i: i32) -> Row {
    let reading = second(i);
    let unit = reading.unit.unwrap_or("metre").to_owned();
    (
        reading.sensor,
        reading.day,
        reading.amount,
        reading.note,
        unit,
        reading.origin,
    )
}

/// Compares row by row: a difference between two long lists cannot be read.
pub(crate) fn assert_rows<T: PartialEq + std::fmt::Debug>(actual: &[T], expected: &[T]) {
    for (i, (actual, expected)) in actual.iter().zip(expected).enumerate() {
        assert_eq!(actual, expected, "row {i}");
    }
    assert_eq!(actual.len(), expected.len());
}

pub(crate) fn shuffled(rows: impl Iterator<Item = Reading>) -> Vec<Reading> {
    let mut rows: Vec<_> = rows.collect();
    Random::new(7).shuffle(&mut rows);
    rows
}

diesel::table! {
    wide (id) {
        id -> Integer,
        c01 -> Integer, c02 -> Integer, c03 -> Integer, c04 -> Integer, c05 -> Integer,
        c06 -> Integer, c07 -> Integer, c08 -> Integer, c09 -> Integer, c10 -> Integer,
        c11 -> Integer, c12 -> Integer, c13 -> Integer, c14 -> Integer, c15 -> Integer,
        c16 -> Integer, c17 -> Integer, c18 -> Integer, c19 -> Integer, c20 -> Integer,
        c21 -> Integer, c22 -> Integer, c23 -> Integer, c24 -> Integer, c25 -> Integer,
        c26 -> Integer, c27 -> Integer, c28 -> Integer, c29 -> Integer, c30 -> Integer,
        c31 -> Integer, c32 -> Integer, c33 -> Integer, c34 -> Integer, c35 -> Integer,
        c36 -> Integer, c37 -> Integer, c38 -> Integer, c39 -> Integer, c40 -> Integer,
    }
}

macro_rules! wide {
    ($($column:ident)*) => {
        #[derive(Debug, Clone, PartialEq, Queryable, Selectable, Upsertable)]
        #[diesel(table_name = wide)]
        #[upsert(update_all)]
        struct Wide {
            #[conflict_key]
            id: i32,
            $($column: i32,)*
        }

        impl Wide {
            fn new(id: i32, value: i32) -> Self {
                let mut next = value;
                Self { id, $($column: { next += 1; next },)* }
            }

            fn create() -> String {
                let columns = [$(concat!(", ", stringify!($column), " INTEGER NOT NULL")),*];
                format!("CREATE TABLE wide (id INTEGER NOT NULL PRIMARY KEY{})", columns.concat())
            }
        }
    };
}
wide! {
    c01 c02 c03 c04 c05 c06 c07 c08 c09 c10 c11 c12 c13 c14 c15 c16 c17 c18 c19 c20
    c21 c22 c23 c24 c25 c26 c27 c28 c29 c30 c31 c32 c33 c34 c35 c36 c37 c38 c39 c40
}

on_every_database! {
    shared {
        fn rows(conn: &mut Conn) -> Vec<Row> {
            readings::table
                .order((readings::day, readings::sensor))
                .load(conn)
                .unwrap()
        }
    }

    #[test]
    fn a_hundred_thousand_rows_in_one_call(database) {
        database.run(CREATE);
        let conn = &mut database.conn;

        let readings = shuffled((0..ROWS).map(first));
        assert_eq!(wait(Reading::bulk_upsert(conn, &readings)).unwrap(), readings.len());
        let mut expected: Vec<_> = (0..ROWS).map(first_row).collect();
        assert_rows(&rows(conn), &expected);

        // Half of them again, and as many new ones.
        let half = ROWS / 2;
        let readings = shuffled((half..ROWS + half).map(second));
        assert_eq!(wait(Reading::bulk_upsert(conn, &readings)).unwrap(), readings.len());
        expected.truncate(readings.len() / 2);
        expected.extend((half..ROWS).map(updated_row));
        expected.extend((ROWS..ROWS + half).map(second_row));
        assert_rows(&rows(conn), &expected);
    }

    #[test]
    fn rows_of_many_columns_exceed_the_bind_limit_many_times(database) {
        database.run(&Wide::create());
        let conn = &mut database.conn;
        // 41 binds each: a statement of all rows would have 328 000.
        let mut expected: Vec<_> = (0..8000).map(|id| Wide::new(id, id)).collect();
        assert_eq!(wait(Wide::bulk_upsert(conn, &expected)).unwrap(), 8000);
        let load = |conn: &mut Conn| wide::table.order(wide::id).load::<Wide>(conn).unwrap();
        assert_rows(&load(conn), &expected);

        // A chunk size over the limit is cut to it.
        for row in &mut expected[..5000] {
            *row = Wide::new(row.id, -row.id);
        }
        let recorder = Recorder::of(conn);
        let call = upsert(&expected[..5000]).chunk_size(usize::MAX);
        assert_eq!(wait(call.execute(conn)).unwrap(), 5000);
        let statements = recorder.take_upserts().len();
        // PostgreSQL has an array for each column.
        let expected_statements = if system::SYSTEM.is_postgres() { 1..2 } else { 2..20 };
        assert!(expected_statements.contains(&statements), "{statements} statements");
        assert_rows(&load(conn), &expected);
    }
}

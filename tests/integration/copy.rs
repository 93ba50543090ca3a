//! Rows that are sent by COPY into a staging table: the same table as by the other
//! strategies, and a connection that goes on, whatever fails.

use std::collections::HashMap;
use std::error::Error as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use diesel::connection::SimpleConnection;
use diesel::data_types::PgNumeric;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool};
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::{self, Text};
use upsert_core::{Duplicates, Error, Strategy, Upsertable, upsert, upsert_stream};

use crate::support::postgres::{ExtensionLock, TestDatabase};
use crate::support::{Event, PanickingText, Recorder};

const STRATEGIES: [Strategy; 3] = [Strategy::Values, Strategy::Unnest, Strategy::Copy];

diesel::table! {
    items (id) {
        id -> Integer,
        name -> Text,
        note -> Nullable<Text>,
    }
}

const CREATE: &str = "CREATE TABLE items (id BIGINT PRIMARY KEY, name VARCHAR(12) NOT NULL, \
     note TEXT DEFAULT 'none')";

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = items)]
#[upsert(update_all)]
struct Item {
    id: i32,
    name: String,
    note: Option<String>,
}

fn item(id: i32) -> Item {
    Item {
        id,
        name: format!("item {id}"),
        note: (id % 3 == 0).then(|| format!("note\t{id}\n\\.")),
    }
}

type Row = (i32, String, Option<String>);

fn row(item: &Item) -> Row {
    (item.id, item.name.clone(), item.note.clone())
}

fn table(conn: &mut PgConnection) -> Vec<Row> {
    items::table
        .select((
            diesel::dsl::sql::<sql_types::Integer>("id::int"),
            items::name,
            items::note,
        ))
        .order(items::id)
        .load(conn)
        .unwrap()
}

/// The statements since the last time, by their first word.
fn words(recorder: &Recorder) -> Vec<String> {
    let sql = recorder.take().into_iter().filter_map(|event| match event {
        Event::Query(sql) => sql.split_whitespace().next().map(str::to_owned),
        _ => None,
    });
    sql.collect()
}

#[track_caller]
fn assert_no_temporary_table(conn: &mut PgConnection) {
    let left: Option<String> = diesel::select(diesel::dsl::sql::<sql_types::Nullable<Text>>(
        "pg_catalog.to_regclass('pg_temp.__upsert_copy')::text",
    ))
    .get_result(conn)
    .unwrap();
    assert_eq!(left, None);
}

#[test]
fn many_rows_are_copied_and_few_are_not() {
    let mut database = TestDatabase::new();
    database.run(CREATE);
    let conn = &mut database.conn;
    let recorder = Recorder::of(conn);
    for (count, expected) in [
        (16_383, &["INSERT", "INSERT"][..]),
        (16_384, &["CREATE", "COPY", "INSERT"]),
        // The rest is too small for another one.
        (65_536 + 10, &["CREATE", "COPY", "INSERT", "INSERT"]),
        // The table is used again.
        (
            2 * 65_536,
            &["CREATE", "COPY", "INSERT", "TRUNCATE", "COPY", "INSERT"],
        ),
    ] {
        let rows: Vec<Item> = (0..count).rev().map(item).collect();
        assert_eq!(upsert(&rows).execute(conn).unwrap(), rows.len());
        let mut sent = words(&recorder);
        sent.retain(|word| ["CREATE", "COPY", "INSERT", "TRUNCATE"].contains(&&**word));
        assert_eq!(sent, expected, "{count}");
        let expected: Vec<Row> = rows.iter().rev().map(row).collect();
        assert!(table(conn) == expected, "{count}");
        assert_no_temporary_table(conn);
        diesel::delete(items::table).execute(conn).unwrap();
        recorder.take();
    }
}

#[derive(Upsertable)]
#[diesel(table_name = items)]
struct Named<'n> {
    #[conflict_key]
    id: i32,
    #[on_conflict(update)]
    name: &'n str,
}

#[test]
fn twice_in_a_transaction_with_other_columns() {
    let mut database = TestDatabase::new();
    database.run(CREATE);
    let mut other = database.connect();
    let conn = &mut database.conn;
    let rows: Vec<Item> = (0..10).map(item).collect();

    conn.transaction(|conn| {
        let copied = upsert(&rows).strategy(Strategy::Copy);
        assert_eq!(copied.execute(conn)?, 10);
        assert_no_temporary_table(conn);
        // A value that does not fit: the savepoint is rolled back, the table with it.
        let too_long = upsert([item(3), item(123_456_789)]).strategy(Strategy::Copy);
        let error = too_long.execute(conn).unwrap_err();
        assert!(matches!(error, Error::Statement { .. }), "{error:?}");
        assert_no_temporary_table(conn);
        let names = [(2, "two"), (20, "new")].map(|(id, name)| Named { id, name });
        let copied = upsert(&names).strategy(Strategy::Copy);
        assert_eq!(copied.execute(conn)?, 2);
        Ok::<_, Error>(())
    })
    .unwrap();
    let mut expected: Vec<Row> = rows.iter().map(row).collect();
    expected[2].1 = "two".to_owned();
    expected.push((20, "new".to_owned(), Some("none".to_owned())));
    assert_eq!(table(&mut other), expected);
}

#[test]
fn a_stream_and_a_pool() {
    let mut database = TestDatabase::new();
    database.run(CREATE);
    let manager = ConnectionManager::<PgConnection>::new(database.url());
    let pool = Pool::builder().max_size(2).build(manager).unwrap();
    let mut pooled = pool.get().unwrap();
    let explanation = upsert((0..20_000).map(item)).explain(&mut pooled).unwrap();
    assert_eq!(explanation.statements.len(), 1);
    assert_eq!(explanation.statements[0].strategy, Strategy::Copy);

    // Keys come again, in other batches too.
    let rows = || (0..50_000).map(|i| item(i * 7919 % 30_011));
    let recorder = Recorder::of(&mut *pooled);
    let written = upsert_stream(rows()).execute(&mut pooled).unwrap();
    assert_eq!(written, 50_000);
    let sent = words(&recorder);
    let count = |word| sent.iter().filter(|it| *it == word).count();
    // One staging table, empty before each batch, and 848 rows by arrays.
    assert_eq!(
        (count("CREATE"), count("COPY"), count("TRUNCATE")),
        (1, 3, 3)
    );
    let expected: Vec<Row> = (0..30_011).map(item).map(|it| row(&it)).collect();
    assert!(table(&mut database.conn) == expected);

    database.run("DELETE FROM items");
    let mut connections: Vec<_> = (0..2).map(|_| database.connect()).collect();
    let all: Vec<Item> = (0..40_000).map(item).collect();
    for partition in upsert(&all).execute_parallel(&mut connections).unwrap() {
        let written = partition.result.unwrap();
        assert_eq!(written, partition.rows.len());
        assert!((19_000..21_000).contains(&written), "{written}");
    }
    let expected: Vec<Row> = all.iter().map(row).collect();
    assert!(table(&mut database.conn) == expected);
}

/// Where the staging table cannot be made, arrays are sent.
#[test]
fn without_a_temporary_table() {
    let mut database = TestDatabase::new();
    database.run(CREATE);
    let conn = &mut database.conn;
    conn.batch_execute("CREATE TEMP TABLE __upsert_copy AS SELECT 7 AS c0")
        .unwrap();
    let rows: Vec<Item> = (0..40_000).rev().map(item).collect();
    let forced = upsert(&rows).strategy(Strategy::Copy).execute(conn);
    let error = forced.unwrap_err();
    assert!(matches!(error, Error::Statement { .. }), "{error:?}");
    let shown = error.to_string();
    assert!(
        shown.ends_with(
            ": the staging table `__upsert_copy` cannot be made, and the database's own message \
             is this error's source: leave out `strategy(Strategy::Copy)`, or write \
             `Strategy::Unnest`"
        ),
        "{shown}"
    );
    let mut cause = error.source().unwrap();
    while let Some(source) = cause.source() {
        cause = source;
    }
    assert_eq!(
        cause.to_string(),
        "relation \"__upsert_copy\" already exists"
    );
    assert_eq!(table(conn), []);

    let recorder = Recorder::of(conn);
    assert_eq!(Item::bulk_upsert(conn, &rows).unwrap(), rows.len());
    let words = words(&recorder);
    assert_eq!(words.iter().filter(|word| *word == "INSERT").count(), 5);
    let expected: Vec<Row> = rows.iter().rev().map(row).collect();
    assert!(table(conn) == expected);
    let kept = diesel::dsl::sql::<sql_types::Integer>("(SELECT c0 FROM __upsert_copy)");
    assert_eq!(diesel::select(kept).get_result(conn), Ok(7));
}

// --- Values -----------------------------------------------------------------

diesel::table! {
    kinds (id) {
        id -> Integer,
        small -> SmallInt,
        big -> Nullable<BigInt>,
        real -> Float,
        double -> Double,
        flag -> Bool,
        text -> Text,
        bytes -> Nullable<Binary>,
        day -> Date,
        time -> Time,
        at -> Timestamp,
        instant -> Timestamptz,
        number -> Numeric,
        object -> Oid,
        span -> Interval,
        range -> Int4range,
    }
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = kinds)]
#[upsert(update_all)]
struct Kinds {
    id: i32,
    small: i16,
    big: Option<i64>,
    real: f32,
    double: f64,
    flag: bool,
    text: String,
    bytes: Option<Vec<u8>>,
    day: NaiveDate,
    time: NaiveTime,
    at: chrono::NaiveDateTime,
    instant: DateTime<Utc>,
    number: PgNumeric,
    object: u32,
    span: TimeDelta,
    range: (std::collections::Bound<i32>, std::collections::Bound<i32>),
}

fn kinds() -> Vec<Kinds> {
    use std::collections::Bound::{Excluded, Included, Unbounded};
    let at = NaiveDate::from_ymd_opt(2026, 2, 28)
        .unwrap()
        .and_hms_micro_opt(23, 59, 59, 999_999)
        .unwrap();
    let kind = |id, small, double, text: &str| Kinds {
        id,
        small,
        big: (id != 2).then_some(i64::MAX - i64::from(id)),
        real: double as f32,
        double,
        flag: id % 2 == 0,
        text: text.to_owned(),
        bytes: (id != 1).then(|| text.bytes().chain([0, 255]).collect()),
        day: at.date(),
        time: at.time(),
        at,
        instant: at.and_utc(),
        number: PgNumeric::Positive {
            weight: 0,
            scale: 4,
            digits: vec![12, 3456],
        },
        object: u32::MAX,
        span: TimeDelta::microseconds(-1_500_000),
        range: (
            Included(id),
            if id == 2 { Unbounded } else { Excluded(id + 5) },
        ),
    };
    vec![
        kind(1, i16::MIN, f64::MIN_POSITIVE, ""),
        kind(2, i16::MAX, f64::NAN, "\\N \t\r\n \\. \"',"),
        kind(3, 0, f64::NEG_INFINITY, "größer 😀"),
        kind(4, -1, -0.0, "NULL"),
    ]
}

#[derive(QueryableByName)]
struct It {
    #[diesel(sql_type = Text)]
    it: String,
}

/// All that the database tells of its rows.
fn text_of(conn: &mut PgConnection, table: &str) -> Vec<String> {
    let rows = format!("SELECT t::text AS it FROM {table} t ORDER BY 1");
    let rows = diesel::sql_query(rows).load::<It>(conn).unwrap();
    rows.into_iter().map(|row| row.it).collect()
}

#[test]
fn values_of_every_type() {
    let mut database = TestDatabase::new();
    let conn = &mut database.conn;
    let mut tables = Vec::new();
    // Columns of the binds' types, and others, to which values are cast on their way.
    for (small, double, text, at) in [
        ("SMALLINT", "DOUBLE PRECISION", "TEXT", "TIMESTAMP"),
        ("NUMERIC(6, 1)", "REAL", "VARCHAR(20)", "TIMESTAMPTZ"),
    ] {
        for strategy in STRATEGIES {
            let create = format!(
                "DROP TABLE IF EXISTS kinds; SET TIME ZONE 'Asia/Kathmandu'; \
                 SET extra_float_digits = 1; \
                 CREATE TABLE kinds (id INT PRIMARY KEY, small {small} NOT NULL, big BIGINT, \
                 \"real\" REAL NOT NULL, double {double} NOT NULL, flag BOOL NOT NULL, \
                 text {text} NOT NULL, bytes BYTEA, day DATE NOT NULL, \"time\" TIME NOT NULL, \
                 at {at} NOT NULL, instant TIMESTAMPTZ NOT NULL, number NUMERIC NOT NULL, \
                 object OID NOT NULL, span INTERVAL NOT NULL, range INT4RANGE NOT NULL)"
            );
            conn.batch_execute(&create).unwrap();
            let rows = kinds();
            let small_double = double == "REAL";
            let rows: Vec<_> = rows
                .into_iter()
                // The smallest double is no real.
                .filter(|row| !small_double || row.id != 1)
                .collect();
            for _ in 0..2 {
                let call = upsert(&rows).strategy(strategy);
                assert_eq!(call.execute(conn).unwrap(), rows.len());
            }
            tables.push(text_of(conn, "kinds"));
            let ids: Vec<i32> = kinds::table.select(kinds::id).load(conn).unwrap();
            assert_eq!(ids.len(), rows.len());
        }
    }
    assert_eq!(tables[0].len(), 4);
    assert!(tables[..3].iter().all(|table| *table == tables[0]));
    assert!(tables[3..].iter().all(|table| *table == tables[3]));
    assert_ne!(tables[0], tables[3]);
}

diesel::table! {
    lists (id) {
        id -> Integer,
        list -> Array<Nullable<Integer>>,
    }
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = lists)]
#[upsert(update_all)]
struct List {
    id: i32,
    list: Vec<i32>,
}

#[test]
fn arrays_take_another_path_by_themselves() {
    let mut database = TestDatabase::new();
    database.run("CREATE TABLE lists (id INT PRIMARY KEY, list INT[] NOT NULL)");
    let conn = &mut database.conn;
    let rows: Vec<List> = (0..20_000)
        .map(|id| List {
            id,
            list: vec![id, 1],
        })
        .collect();
    assert_eq!(List::bulk_upsert(conn, &rows).unwrap(), rows.len());
    let lists: Vec<Vec<Option<i32>>> = lists::table
        .order(lists::id)
        .select(lists::list)
        .load(conn)
        .unwrap();
    assert!(
        rows.iter()
            .zip(lists)
            .all(|(row, list)| list == [Some(row.id), Some(1)])
    );
    for strategy in [Strategy::Unnest, Strategy::Copy] {
        let refused = upsert(&rows).strategy(strategy).execute(conn).unwrap_err();
        let shown = refused.to_string();
        assert!(matches!(refused, Error::Refused { .. }), "{shown}");
        assert!(shown.contains("`list`"), "{shown}");
    }
}

/// Keys that the database alone holds equal, in one COPY.
#[test]
fn keys_that_the_database_holds_equal() {
    let mut lock = ExtensionLock::take();
    let mut database = TestDatabase::new();
    lock.create("citext", &mut database);
    database.run("CREATE TABLE names (name CITEXT PRIMARY KEY, id INT NOT NULL)");

    diesel::table! {
        names (name) {
            name -> Text,
            id -> Integer,
        }
    }
    #[derive(Upsertable)]
    #[diesel(table_name = names)]
    #[upsert(update_all)]
    struct Name {
        name: String,
        id: i32,
    }
    let conn = &mut database.conn;
    let rows: Vec<Name> = (0..20_000)
        .map(|id| Name {
            name: format!("{}{}", if id < 19_990 { "n" } else { "N" }, id % 19_990),
            id,
        })
        .collect();
    for strategy in [None, Some(Strategy::Copy)] {
        let mut call = upsert(&rows);
        if let Some(strategy) = strategy {
            call = call.strategy(strategy);
        }
        assert_eq!(call.execute(conn).unwrap(), 20_000);
        let table: Vec<(String, i32)> = names::table.order(names::id).load(conn).unwrap();
        assert_eq!(table.len(), 19_990);
        assert_eq!(table[0], ("n10".to_owned(), 10));
        assert_eq!(table[19_989], ("n9".to_owned(), 19_999));
        diesel::delete(names::table).execute(conn).unwrap();
    }
    let reject = upsert(&rows).on_duplicate(Duplicates::KeepFirst);
    reject.strategy(Strategy::Copy).execute(conn).unwrap();
    let count: i64 = names::table.count().get_result(conn).unwrap();
    assert_eq!(count, 19_990);
}

#[derive(Upsertable)]
#[diesel(table_name = items)]
struct Long {
    #[conflict_key]
    name: String,
    #[on_conflict(update)]
    note: Option<String>,
}

/// Of two statements for the same call, each with a key that equals one of the other's,
/// none is refused: the rows may not be sorted.
#[test]
fn equal_keys_of_rows_that_fill_several_statements() {
    let mut lock = ExtensionLock::take();
    let mut database = TestDatabase::new();
    lock.create("citext", &mut database);
    database.run("CREATE TABLE items (id SERIAL, name CITEXT PRIMARY KEY, note TEXT)");

    let conn = &mut database.conn;
    let rows: Vec<Long> = (0..1500)
        .map(|i| Long {
            name: if i == 1499 {
                "N9".to_owned()
            } else {
                format!("n{i}")
            },
            note: Some(format!("{i} {}", "x".repeat(60_000))),
        })
        .collect();
    assert_eq!(upsert(&rows).execute(conn).unwrap(), 1500);
    let note = items::table
        .filter(items::name.eq("n9"))
        .select(diesel::dsl::sql::<Text>("split_part(note, ' ', 1)"))
        .load::<String>(conn);
    assert_eq!(note, Ok(vec!["1499".to_owned()]));
    assert_eq!(items::table.count().get_result(conn), Ok(1499_i64));
}

#[derive(Upsertable)]
#[diesel(table_name = items)]
#[upsert(update_all)]
struct Key {
    id: i32,
    #[conflict_key]
    name: String,
}

/// The staging table is the call's own in a savepoint that is rolled back, too.
#[test]
fn equal_keys_in_a_stream_in_a_transaction() {
    let mut lock = ExtensionLock::take();
    let mut database = TestDatabase::new();
    lock.create("citext", &mut database);
    database.run("CREATE TABLE items (id INT, name CITEXT PRIMARY KEY, note TEXT)");

    let conn = &mut database.conn;
    let number = |id: i32| if id % 5000 == 1 { id - 1 } else { id } % 18_000;
    let key = |id: i32| Key {
        id,
        name: format!("{}{}", if id % 5000 == 1 { "N" } else { "n" }, number(id)),
    };
    conn.transaction(|conn| {
        let call = upsert_stream((0..40_000).map(key)).strategy(Strategy::Copy);
        assert_eq!(call.execute(conn)?, 40_000);
        assert_no_temporary_table(conn);
        Ok::<_, Error>(())
    })
    .unwrap();
    let ids: Vec<i32> = items::table
        .order(items::id)
        .select(items::id)
        .load(conn)
        .unwrap();
    let last: HashMap<i32, i32> = (0..40_000).map(|id| (number(id), id)).collect();
    let mut expected: Vec<i32> = last.into_values().collect();
    expected.sort_unstable();
    assert_eq!(ids, expected);
}

// --- Faults -----------------------------------------------------------------

/// A text that cannot be serialized.
#[derive(Debug, Clone, Copy, diesel::expression::AsExpression)]
#[diesel(sql_type = Text)]
struct FailingText(bool);

impl ToSql<Text, diesel::pg::Pg> for FailingText {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, diesel::pg::Pg>) -> serialize::Result {
        if self.0 {
            ToSql::<Text, diesel::pg::Pg>::to_sql("new", out)
        } else {
            Err("a value that fails".into())
        }
    }
}

macro_rules! named {
    ($model:ident: $ty:ty) => {
        #[derive(Upsertable)]
        #[diesel(table_name = items)]
        #[upsert(update_all)]
        struct $model {
            id: i32,
            name: $ty,
        }
    };
}

named!(Failing: FailingText);
named!(Panicking: PanickingText);

/// A call with a bad row, and its error unless it panics.
type Call = fn(&mut PgConnection, i32) -> Option<Error>;

#[test]
fn a_fault_in_the_middle_leaves_nothing_and_the_connection_goes_on() {
    let mut database = TestDatabase::new();
    database.run(CREATE);
    let mut other = database.connect();
    let conn = &mut database.conn;
    // Behind what has gone to the server before.
    let bad = 15_000;
    let calls: [(&str, Call); 5] = [
        ("panic", |conn, bad| {
            let rows = (0..20_000).map(|id| Panicking {
                id,
                name: PanickingText(id != bad),
            });
            let call = || upsert(rows).strategy(Strategy::Copy).execute(conn);
            assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
            None
        }),
        ("error", |conn, bad| {
            let rows = (0..20_000).map(|id| Failing {
                id,
                name: FailingText(id != bad),
            });
            let error = upsert(rows).strategy(Strategy::Copy).execute(conn);
            let error = error.unwrap_err();
            let source = std::error::Error::source(&error).unwrap();
            assert!(
                source.to_string().contains("a value that fails"),
                "{source}"
            );
            Some(error)
        }),
        ("NUL", |conn, bad| {
            let rows = (0..20_000).map(|id| Item {
                note: (id == bad).then(|| "a\0b".to_owned()),
                ..item(id)
            });
            upsert(rows).strategy(Strategy::Copy).execute(conn).err()
        }),
        ("too long", |conn, bad| {
            let rows = (0..20_000).map(|id| Item {
                name: if id == bad {
                    "x".repeat(13)
                } else {
                    String::new()
                },
                ..item(id)
            });
            upsert(rows).strategy(Strategy::Copy).execute(conn).err()
        }),
        ("iterator", |conn, bad| {
            let rows = (0..20_000).map(|id| {
                assert!(id != bad + 4000);
                item(id)
            });
            let call = || Item::bulk_upsert_stream(conn, rows);
            assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
            None
        }),
    ];
    for (what, call) in calls {
        if let Some(error) = call(conn, bad) {
            assert!(
                matches!(error, Error::Statement { .. }),
                "{what}: {error:?}"
            );
        }
        assert_no_temporary_table(conn);
        assert_eq!(table(conn), [], "{what}");
        // No transaction is left open, so that others see what is written next.
        upsert([item(1)]).execute(conn).unwrap();
        assert_eq!(table(&mut other), [row(&item(1))], "{what}");
        // In the caller's transaction, the caller's rows stay.
        conn.transaction(|conn| {
            upsert([item(2)]).execute(conn)?;
            call(conn, bad);
            upsert([item(3)]).execute(conn)
        })
        .unwrap();
        assert_eq!(table(&mut other).len(), 3, "{what}");
        diesel::delete(items::table).execute(conn).unwrap();
    }
}

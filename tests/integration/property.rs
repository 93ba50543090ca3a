//! However the rows are sent, the table ends as if they had been upserted one
//! by one, in the order of the input.

use std::collections::BTreeMap;

use diesel::prelude::*;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use upsert_core::{Duplicates, Error};

use crate::api::{COPIES, Upsertable, stream, upsert, upsert_stream, wait};
use crate::support::on_every_database;

diesel::table! {
    items (a, b) {
        a -> Integer,
        b -> Text,
        total -> BigInt,
        note -> Nullable<Text>,
        level -> Integer,
        origin -> Nullable<Text>,
    }
}

const CREATE: &str = "CREATE TABLE items (a INTEGER NOT NULL, b VARCHAR(20) NOT NULL, \
     total BIGINT NOT NULL, note VARCHAR(20), level INTEGER NOT NULL DEFAULT 7, \
     origin VARCHAR(20), PRIMARY KEY (a, b))";

type Row = (i32, String, i64, Option<String>, i32, Option<String>);
type Table = BTreeMap<(i32, String), (i64, Option<String>, i32, Option<String>)>;

/// Updates some columns, keeps one.
#[derive(Debug, Clone, Upsertable, Insertable)]
#[diesel(table_name = items)]
struct Item {
    #[conflict_key]
    a: i32,
    #[conflict_key]
    b: String,
    #[on_conflict(update)]
    total: i64,
    #[on_conflict(update)]
    note: Option<String>,
    // The column is NOT NULL: a row with `None` does not supply it.
    #[on_conflict(update)]
    level: Option<i32>,
    origin: Option<String>,
}

/// Updates every column.
#[derive(Debug, Upsertable)]
#[diesel(table_name = items)]
#[upsert(update_all)]
struct Whole<'a> {
    #[conflict_key]
    a: i32,
    #[conflict_key]
    b: &'a str,
    total: i64,
    note: Option<&'a str>,
    level: i32,
    origin: Option<&'a str>,
}

/// Leaves existing rows as they are.
#[derive(Debug, Upsertable)]
#[diesel(table_name = items)]
#[upsert(do_nothing)]
struct New<'a> {
    a: i32,
    b: &'a str,
    total: i64,
    level: Option<i32>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Some,
    All,
    Nothing,
}

/// How the rows are sent.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Default,
    Values,
    /// On a database with arrays.
    Unnest,
    /// On a connection with COPY.
    Copy,
    /// As a stream, with commits in between. It has no other policy than `InOrder`.
    Stream,
}

#[derive(Debug, Clone)]
struct Case {
    way: Way,
    kind: Kind,
    existing: Vec<Item>,
    rows: Vec<Item>,
    chunk_size: usize,
    duplicates: Duplicates,
}

fn items(max: usize, levels: bool) -> impl Strategy<Value = Vec<Item>> {
    let level = if levels {
        proptest::option::weighted(0.7, -2..3_i32).boxed()
    } else {
        (-2..3_i32).prop_map(Some).boxed()
    };
    let text = || proptest::option::of("[a-c]{0,2}");
    let item = (0..4_i32, "[x-z]", any::<i64>(), text(), level, text()).prop_map(
        |(a, b, total, note, level, origin)| Item {
            a: a - 1,
            b,
            total,
            note,
            level,
            origin,
        },
    );
    proptest::collection::vec(item, 0..max)
}

fn cases() -> impl Strategy<Value = Case> {
    let kinds = prop_oneof![Just(Kind::Some), Just(Kind::All), Just(Kind::Nothing)];
    let ways = prop_oneof![
        Just(Way::Default),
        Just(Way::Values),
        Just(Way::Unnest),
        Just(Way::Copy),
        Just(Way::Stream),
    ];
    let policies = prop_oneof![
        4 => Just(Duplicates::InOrder),
        1 => Just(Duplicates::KeepFirst),
        1 => Just(Duplicates::KeepLast),
        1 => Just(Duplicates::Reject),
    ];
    (kinds, any::<bool>(), 1..45_usize, policies, ways).prop_flat_map(
        |(kind, levels, chunk_size, duplicates, way)| {
            (items(8, false), items(40, levels)).prop_map(move |(existing, rows)| Case {
                way,
                kind,
                existing,
                rows,
                chunk_size,
                duplicates,
            })
        },
    )
}

/// The table after `rows` one by one, and how many of them were written.
fn one_by_one(table: &mut Table, rows: &[&Item], kind: Kind) -> usize {
    let mut written = 0;
    for row in rows {
        let key = (row.a, row.b.clone());
        match table.get_mut(&key) {
            None => {
                let (note, origin) = match kind {
                    Kind::Nothing => (None, None),
                    _ => (row.note.clone(), row.origin.clone()),
                };
                let level = match kind {
                    Kind::All => row.level.unwrap_or(0),
                    _ => row.level.unwrap_or(7),
                };
                table.insert(key, (row.total, note, level, origin));
                written += 1;
            }
            Some(_) if kind == Kind::Nothing => {}
            Some((total, note, level, origin)) => {
                *total = row.total;
                row.note.clone_into(note);
                match kind {
                    Kind::All => {
                        *level = row.level.unwrap_or(0);
                        row.origin.clone_into(origin);
                    }
                    _ => *level = row.level.unwrap_or(*level),
                }
                written += 1;
            }
        }
    }
    written
}

/// The rows that a duplicate policy lets through.
fn select(rows: &[Item], duplicates: Duplicates) -> Option<Vec<&Item>> {
    let same = |a: &Item, b: &Item| (a.a, &a.b) == (b.a, &b.b);
    let is_first = |i: usize| !rows[..i].iter().any(|other| same(other, &rows[i]));
    let is_last = |i: usize| !rows[i + 1..].iter().any(|other| same(other, &rows[i]));
    let all = 0..rows.len();
    let selected: Vec<usize> = match duplicates {
        Duplicates::KeepFirst => all.filter(|i| is_first(*i)).collect(),
        Duplicates::KeepLast => all.filter(|i| is_last(*i)).collect(),
        Duplicates::Reject if !all.clone().all(is_first) => return None,
        _ => all.collect(),
    };
    Some(selected.into_iter().map(|i| &rows[i]).collect())
}

fn whole(row: &Item) -> Whole<'_> {
    Whole {
        a: row.a,
        b: &row.b,
        total: row.total,
        note: row.note.as_deref(),
        level: row.level.unwrap_or(0),
        origin: row.origin.as_deref(),
    }
}

fn new(row: &Item) -> New<'_> {
    New {
        a: row.a,
        b: &row.b,
        total: row.total,
        level: row.level,
    }
}

fn run(cases_to_run: u32, check: impl FnMut(Case) -> Result<(), TestCaseError>) {
    // The runner takes a `Fn`, but runs one case after the other.
    let check = std::cell::RefCell::new(check);
    let config = Config {
        cases: cases_to_run,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&cases(), |case| check.borrow_mut()(case))
        .unwrap();
}

/// Sends rows as the case says.
macro_rules! send {
    ($case:expr, $rows:expr, $conn:expr) => {
        if $case.way == Way::Stream && $case.duplicates == Duplicates::InOrder {
            let call = upsert_stream(stream($rows));
            let call = call
                .chunk_size($case.chunk_size)
                .commit_every($case.chunk_size + 3);
            wait(call.execute($conn))
        } else {
            let call = upsert($rows);
            let call = call
                .on_duplicate($case.duplicates)
                .chunk_size($case.chunk_size);
            let call = match $case.way {
                Way::Values => call.strategy(upsert_core::Strategy::Values),
                Way::Unnest if system::SYSTEM.is_postgres() => {
                    call.strategy(upsert_core::Strategy::Unnest)
                }
                Way::Copy if system::SYSTEM.is_postgres() && COPIES => {
                    call.strategy(upsert_core::Strategy::Copy)
                }
                _ => call,
            };
            wait(call.execute($conn))
        }
    };
}

on_every_database! {
    #[test]
    fn the_table_ends_as_if_upserted_one_by_one(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        run(system::CASES, |case| {
            let mut expected = Table::new();
            let existing: Vec<_> = case.existing.iter().collect();
            one_by_one(&mut expected, &existing, Kind::All);
            diesel::delete(items::table).execute(conn).unwrap();
            for ((a, b), (total, note, level, origin)) in &expected {
                diesel::insert_into(items::table)
                    .values((
                        items::a.eq(a),
                        items::b.eq(b),
                        items::total.eq(total),
                        items::note.eq(note),
                        items::level.eq(level),
                        items::origin.eq(origin),
                    ))
                    .execute(conn)
                    .unwrap();
            }

            let result = match case.kind {
                Kind::Some => send!(case, &case.rows, conn),
                Kind::All => send!(case, case.rows.iter().map(whole), conn),
                Kind::Nothing => send!(case, case.rows.iter().map(new), conn),
            };
            match (select(&case.rows, case.duplicates), result) {
                (Some(rows), Ok(written)) => {
                    let expected_written = one_by_one(&mut expected, &rows, case.kind);
                    prop_assert_eq!(written, expected_written);
                }
                (None, Err(Error::RepeatedKey { .. })) => {}
                (_, result) => prop_assert!(false, "unexpected {:?}", result),
            }

            let table: Table = items::table
                .load::<Row>(conn)
                .unwrap()
                .into_iter()
                .map(|(a, b, total, note, level, origin)| ((a, b), (total, note, level, origin)))
                .collect();
            prop_assert_eq!(table, expected);
            Ok(())
        });
    }
}

//! The example that the README starts with, on every database.

use std::collections::BTreeMap;

use diesel::prelude::*;
use upsert_core::{Action, Change, upsert};

use self::example::airports;
use crate::support::{System, on_every_database};

#[allow(dead_code)]
#[path = "../../examples/airports.rs"]
mod example;

type Text = Option<String>;
#[rustfmt::skip]
type Row = (String, Text, String, Text, Text, String, f64, f64, f64, String, Text);
type Table = BTreeMap<String, Row>;

/// What the files say, read without the example's model.
fn read(table: &mut Table, snapshot: &str) -> usize {
    let mut reader = csv::Reader::from_reader(snapshot.as_bytes());
    let mut rows = 0;
    for record in reader.records() {
        let record = record.unwrap();
        let text = |i: usize| record[i].to_owned();
        let optional = |i: usize| Some(text(i)).filter(|text| !text.is_empty());
        let number = |i: usize| record[i].parse::<f64>().unwrap();
        #[rustfmt::skip]
        let row = (
            text(0), optional(1), text(2), optional(3), optional(4), text(5),
            number(6), number(7), number(8), text(9), optional(10),
        );
        table.insert(text(0), row);
        rows += 1;
    }
    rows
}

const SNAPSHOTS: [&str; 2] = [
    include_str!("../../examples/data/airports-2025-09.csv"),
    include_str!("../../examples/data/airports-2026-09.csv"),
];

/// The rows of a snapshot, for the example's model.
fn rows_of(snapshot: &str) -> Vec<example::Airport> {
    let mut reader = csv::Reader::from_reader(snapshot.as_bytes());
    reader.deserialize().map(Result::unwrap).collect()
}

/// What has to become of each row of the second snapshot, and the old rows and
/// the new ones.
fn changes() -> Vec<(Action, Option<Row>, Row)> {
    let mut old = Table::new();
    let [first, second] = SNAPSHOTS;
    read(&mut old, first);
    let mut new = Table::new();
    read(&mut new, second);
    let mut reader = csv::Reader::from_reader(second.as_bytes());
    let records = reader.records().map(Result::unwrap);
    let changes = records.map(|record| {
        let (old, new) = (old.get(&record[0]), &new[&record[0]]);
        let action = match old {
            None => Action::Inserted,
            Some(old) if old == new => Action::Unchanged,
            Some(_) => Action::Updated,
        };
        (action, old.cloned(), new.clone())
    });
    changes.collect()
}

#[derive(QueryableByName)]
struct Written {
    #[diesel(sql_type = diesel::sql_types::Text)]
    written: String,
}

/// A text that is another one once a row has been written.
const fn written(system: System) -> &'static str {
    match system {
        System::Sqlite => "SELECT CAST(total_changes() AS TEXT) AS written",
        #[cfg(feature = "postgres")]
        System::Postgres => {
            "SELECT md5(string_agg(concat(icao, ' ', xmin, ctid), ',' ORDER BY icao)) AS written \
             FROM airports"
        }
        // A row that is updated to what it was is not written.
        #[cfg(feature = "mysql")]
        System::Mysql => {
            "SELECT CAST(SUM(VARIABLE_VALUE) AS CHAR(20)) AS written \
             FROM information_schema.SESSION_STATUS \
             WHERE VARIABLE_NAME IN ('HANDLER_UPDATE', 'HANDLER_DELETE')"
        }
    }
}

on_every_database! {
    #[test]
    fn the_table_is_the_second_snapshot_and_what_only_the_first_has(database) {
        let mut expected = Table::new();
        let first = read(&mut expected, SNAPSHOTS[0]);
        let second = read(&mut expected, SNAPSHOTS[1]);
        assert_eq!((first, second, expected.len()), (7859, 7884, 7884 + 38));

        for run in ["first", "second"] {
            example::run::<Conn>(database.url(), example::count).unwrap();
            let table: Table = airports::table
                .load::<Row>(&mut database.conn)
                .unwrap()
                .into_iter()
                .map(|row| (row.0.clone(), row))
                .collect();
            assert_eq!(table.len(), 7922, "after the {run} run");
            assert!(table == expected, "after the {run} run");
        }
    }

    #[test]
    fn each_row_of_the_second_snapshot_has_its_action(database) {
        let changes = changes();
        let [first, second] = SNAPSHOTS.map(rows_of);
        let actions: Vec<Action> = changes.iter().map(|(action, ..)| *action).collect();
        let up = include_str!("../../examples/migrations/2026-01-01-000000_create_airports/up.sql");
        database.run(up);
        let conn = &mut database.conn;
        for way in ["outcome", "returning", "returning_old"] {
            diesel::delete(airports::table).execute(conn).unwrap();
            let outcome = example::import(conn, &first).unwrap();
            assert_eq!(outcome.to_string(), "7859 inserted");
            match way {
                "outcome" => {
                    let outcome = example::import(conn, &second).unwrap();
                    assert_eq!(outcome.to_string(), "63 inserted, 2015 updated, 5806 unchanged");
                    assert_eq!(outcome.actions(), actions);
                }
                "returning" => {
                    let told: Vec<(Action, Row)> =
                        upsert(&second).returning(airports::all_columns).outcome(conn).unwrap();
                    let expected = changes.iter().map(|(action, _, new)| (*action, new.clone()));
                    assert!(told.into_iter().eq(expected));
                }
                _ => {
                    let told: Vec<Change<Row>> =
                        upsert(&second).returning_old(airports::all_columns).get_results(conn).unwrap();
                    let told = told.into_iter().map(|it| (it.action, it.old, it.new));
                    assert!(told.eq(changes.iter().cloned()));
                }
            }
            let before: Written = diesel::sql_query(written(system::SYSTEM)).get_result(conn).unwrap();
            let outcome = example::import(conn, &second).unwrap();
            assert_eq!(outcome.to_string(), "7884 unchanged");
            let told: Vec<(Action, Row)> =
                upsert(&second).returning(airports::all_columns).outcome(conn).unwrap();
            assert!(told.iter().all(|(action, _)| *action == Action::Unchanged));
            let told: Vec<Change<Row>> =
                upsert(&second).returning_old(airports::all_columns).get_results(conn).unwrap();
            assert!(told.iter().all(|it| it.old.as_ref() == Some(&it.new)));
            let after: Written = diesel::sql_query(written(system::SYSTEM)).get_result(conn).unwrap();
            assert_eq!(before.written, after.written, "after {way}");
            assert_eq!(airports::table.count().get_result::<i64>(conn), Ok(7922));
        }
    }
}

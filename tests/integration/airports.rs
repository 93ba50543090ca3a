//! The example that the README starts with, on every database.

use std::collections::BTreeMap;

use diesel::prelude::*;

use self::example::airports;
use crate::support::on_every_database;

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

on_every_database! {
    #[test]
    fn the_table_is_the_second_snapshot_and_what_only_the_first_has(database) {
        let mut expected = Table::new();
        let first = read(&mut expected, include_str!("../../examples/data/airports-2025-09.csv"));
        let second = read(&mut expected, include_str!("../../examples/data/airports-2026-09.csv"));
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
}

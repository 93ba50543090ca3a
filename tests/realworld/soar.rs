//! SOAR: a database of aircraft, from a source that leaves much of it empty.

use diesel::dsl::case_when;
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use upsert_core::Upsertable;

use crate::create;
use crate::support::on_every_database;

diesel::table! {
    aircraft (id) {
        id -> Integer,
        addr -> Integer,
        model -> Text,
        registration -> Nullable<Text>,
        pilot -> Nullable<Text>,
        category -> Nullable<Text>,
        tracked -> Bool,
    }
}

const CREATE: &str = "CREATE TABLE aircraft (id SERIAL PRIMARY KEY, \
     addr INTEGER NOT NULL UNIQUE, model VARCHAR(20) NOT NULL DEFAULT '', \
     registration VARCHAR(20), pilot VARCHAR(20), category VARCHAR(20), \
     tracked BOOLEAN NOT NULL); \
     INSERT INTO aircraft (addr, model, registration, pilot, category, tracked) VALUES \
     (1, 'ASK-21', 'D-1', 'Ann', 'glider', true)";

#[diesel::declare_sql_function]
extern "SQL" {
    fn nullif(a: Text, b: Text) -> Nullable<Text>;
    fn coalesce(a: Nullable<Text>, b: Text) -> Text;
}

#[derive(Debug, Upsertable)]
#[diesel(table_name = aircraft)]
struct DdbRow<'a> {
    #[conflict_key]
    addr: i32,
    #[on_conflict(set = coalesce(nullif(excluded(model), ""), model))]
    model: &'a str,
    // The condition is not true of NULL either.
    #[on_conflict(set = case_when(excluded(registration).ne(""), excluded(registration))
        .otherwise(registration))]
    registration: Option<&'a str>,
    #[on_conflict(coalesce)]
    pilot: Option<&'a str>,
    #[on_conflict(update)]
    tracked: bool,
}

#[rustfmt::skip]
type Row = (i32, String, Option<String>, Option<String>, Option<String>, bool);

fn row(addr: i32, model: &str, optional: [Option<&str>; 3], tracked: bool) -> Row {
    let [registration, pilot, category] = optional.map(|text| text.map(str::to_owned));
    let model = model.to_owned();
    (addr, model, registration, pilot, category, tracked)
}

on_every_database! {
    shared {
        fn state(conn: &mut Conn) -> Vec<Row> {
            use self::aircraft::dsl::*;
            aircraft
                .select((addr, model, registration, pilot, category, tracked))
                .order(addr)
                .load(conn)
                .unwrap()
        }
    }

    #[test]
    fn empty_columns_erase_nothing(database) {
        database.run(&create(system::SYSTEM, CREATE));
        let conn = &mut database.conn;

        let rows = [
            DdbRow { addr: 1, model: "", registration: Some(""), pilot: None, tracked: false },
        ];
        assert_eq!(DdbRow::bulk_upsert(conn, &rows).unwrap(), 1);
        assert_eq!(state(conn), [row(1, "ASK-21", [Some("D-1"), Some("Ann"), Some("glider")], false)]);

        let rows = [
            DdbRow { addr: 1, model: "ASK-23", registration: None, pilot: Some("Bob"), tracked: true },
            DdbRow { addr: 2, model: "", registration: None, pilot: None, tracked: true },
        ];
        assert_eq!(DdbRow::bulk_upsert(conn, &rows).unwrap(), 2);
        assert_eq!(
            state(conn),
            [
                row(1, "ASK-23", [Some("D-1"), Some("Bob"), Some("glider")], true),
                row(2, "", [None, None, None], true),
            ],
        );
    }
}

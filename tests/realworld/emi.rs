//! The Earth Metabolome Initiative's monorepo: rows that did not change.

use diesel::prelude::*;
use upsert_core::Upsertable;

use crate::create;
use crate::support::on_every_database;

diesel::table! {
    taxon (id) {
        id -> Integer,
        name -> Text,
        parent_id -> Nullable<Integer>,
        rank -> Integer,
    }
}

const CREATE: &str = "CREATE TABLE taxon (id INTEGER NOT NULL PRIMARY KEY, \
     name VARCHAR(20) NOT NULL, parent_id INTEGER, \"rank\" INTEGER NOT NULL); \
     INSERT INTO taxon VALUES (1, 'root', NULL, 0), (2, 'a', 1, 1)";

#[derive(Debug, PartialEq, Queryable, Upsertable)]
#[diesel(table_name = taxon)]
#[upsert(update_all, skip_unchanged)]
struct Taxon {
    #[conflict_key]
    id: i32,
    name: String,
    parent_id: Option<i32>,
    rank: i32,
}

fn taxon(id: i32, name: &str, parent_id: Option<i32>, rank: i32) -> Taxon {
    Taxon {
        id,
        name: name.to_owned(),
        parent_id,
        rank,
    }
}

on_every_database! {
    shared {
        fn state(conn: &mut Conn) -> Vec<Taxon> {
            taxon::table.order(taxon::id).load(conn).unwrap()
        }
    }

    #[test]
    fn taxa_that_did_not_change_are_not_written(database) {
        database.run(&create(system::SYSTEM, CREATE));
        let conn = &mut database.conn;

        let taxa = [taxon(1, "root", None, 0), taxon(2, "a", Some(1), 1), taxon(3, "b", None, 1)];
        assert_eq!(Taxon::bulk_upsert(conn, &taxa).unwrap(), 1);
        assert_eq!(state(conn), taxa);

        // From NULL, and to NULL.
        let taxa = [taxon(3, "b", Some(1), 1), taxon(2, "a", None, 1)];
        assert_eq!(Taxon::bulk_upsert(conn, &taxa).unwrap(), 2);
        let expected = [
            taxon(1, "root", None, 0),
            taxon(2, "a", None, 1),
            taxon(3, "b", Some(1), 1),
        ];
        assert_eq!(state(conn), expected);

        assert_eq!(Taxon::bulk_upsert(conn, &taxa).unwrap(), 0);
        assert_eq!(state(conn), expected);

        // There and back again: two changes.
        let taxa = [taxon(2, "x", None, 1), taxon(2, "a", None, 1), taxon(2, "a", None, 1)];
        assert_eq!(Taxon::bulk_upsert(conn, &taxa).unwrap(), 2);
        assert_eq!(state(conn), expected);
    }
}

//! Gem Wallet: the last known value of an asset at an address.

use diesel::prelude::*;
use upsert_core::Upsertable;

use crate::create;
use crate::support::{System, on_every_database};

diesel::table! {
    asset_address (id) {
        id -> Integer,
        chain -> Text,
        asset_id -> Text,
        address -> Text,
        value -> Nullable<Text>,
        writes -> Integer,
    }
}

const CREATE: &str = "CREATE TABLE asset_address (id SERIAL PRIMARY KEY, \
     chain VARCHAR(20) NOT NULL, asset_id VARCHAR(20) NOT NULL, address VARCHAR(20) NOT NULL, \
     value VARCHAR(20), writes INTEGER NOT NULL DEFAULT 0, UNIQUE (asset_id, address)); \
     INSERT INTO asset_address (chain, asset_id, address, value) VALUES \
     ('eth', 'eth', '0x1', '5'), ('eth', 'eth', '0x2', NULL)";

/// Counts the updates of a row in `writes`.
fn trigger(system: System) -> &'static str {
    match system {
        System::Sqlite => {
            "CREATE TRIGGER bump AFTER UPDATE ON asset_address BEGIN \
             UPDATE asset_address SET writes = OLD.writes + 1 WHERE id = NEW.id; END"
        }
        #[cfg(feature = "postgres")]
        System::Postgres => {
            "CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN NEW.writes := OLD.writes + 1; RETURN NEW; END'; \
             CREATE TRIGGER bump BEFORE UPDATE ON asset_address \
             FOR EACH ROW EXECUTE FUNCTION bump()"
        }
        // Its triggers of updates fire for every row that exists, before it is
        // known that nothing changes.
        #[cfg(feature = "mysql")]
        System::Mysql => "DO 0",
    }
}

#[derive(Debug, Upsertable)]
#[diesel(table_name = asset_address)]
#[upsert(skip_unchanged)]
struct AssetAddress {
    chain: String,
    #[conflict_key]
    asset_id: String,
    #[conflict_key]
    address: String,
    #[on_conflict(coalesce)]
    value: Option<String>,
}

fn asset_address(address: &str, value: Option<&str>) -> AssetAddress {
    AssetAddress {
        chain: "eth".to_owned(),
        asset_id: "eth".to_owned(),
        address: address.to_owned(),
        value: value.map(str::to_owned),
    }
}

type Row = (String, String, String, Option<String>, i32);

fn row(address: &str, value: Option<&str>, writes: i32) -> Row {
    let eth = || "eth".to_owned();
    let value = value.map(str::to_owned);
    (eth(), eth(), address.to_owned(), value, writes)
}

on_every_database! {
    shared {
        fn state(conn: &mut Conn) -> Vec<Row> {
            use self::asset_address::dsl::*;
            asset_address
                .select((chain, asset_id, address, value, writes))
                .order(address)
                .load(conn)
                .unwrap()
        }
    }

    #[test]
    fn values_that_stay_are_not_written(database) {
        database.run(&create(system::SYSTEM, CREATE));
        database.run(trigger(system::SYSTEM));
        let conn = &mut database.conn;
        let written = match system::SYSTEM {
            #[cfg(feature = "mysql")]
            System::Mysql => 0,
            _ => 1,
        };

        let rows = [asset_address("0x1", None), asset_address("0x2", Some("1"))];
        assert_eq!(AssetAddress::bulk_upsert(conn, &rows).unwrap(), 1);
        let mut expected = vec![row("0x1", Some("5"), 0), row("0x2", Some("1"), written)];
        assert_eq!(state(conn), expected);

        let rows = [asset_address("0x1", Some("5")), asset_address("0x3", None)];
        assert_eq!(AssetAddress::bulk_upsert(conn, &rows).unwrap(), 1);
        expected.push(row("0x3", None, 0));
        assert_eq!(state(conn), expected);

        assert_eq!(asset_address("0x1", Some("6")).upsert(conn).unwrap(), 1);
        expected[0] = row("0x1", Some("6"), written);
        assert_eq!(state(conn), expected);
    }
}

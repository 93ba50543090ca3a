//! Sui's indexer: how far each pipeline has come, which only moves forward.

use diesel::prelude::*;
use upsert_core::Upsertable;

use crate::support::on_every_database;

diesel::table! {
    watermark (pipeline) {
        pipeline -> Text,
        epoch_hi -> BigInt,
        checkpoint_hi -> BigInt,
        tx_hi -> BigInt,
        ts_hi -> BigInt,
        reader_lo -> BigInt,
        pruner_hi -> BigInt,
    }
}

const CREATE: &str = "CREATE TABLE watermark (pipeline VARCHAR(20) NOT NULL PRIMARY KEY, \
     epoch_hi BIGINT NOT NULL, checkpoint_hi BIGINT NOT NULL, tx_hi BIGINT NOT NULL, \
     ts_hi BIGINT NOT NULL, reader_lo BIGINT NOT NULL, pruner_hi BIGINT NOT NULL); \
     INSERT INTO watermark VALUES ('tx', 1, 10, 100, 1000, 4, 2)";

#[derive(Debug, PartialEq, Queryable, Upsertable)]
#[diesel(table_name = watermark)]
#[upsert(newer_by = checkpoint_hi)]
struct Watermark {
    #[conflict_key]
    pipeline: String,
    #[on_conflict(update)]
    epoch_hi: i64,
    #[on_conflict(update)]
    checkpoint_hi: i64,
    #[on_conflict(update)]
    tx_hi: i64,
    #[on_conflict(update)]
    ts_hi: i64,
    // Readers and pruners move these.
    reader_lo: i64,
    pruner_hi: i64,
}

/// `numbers` are in the order of the columns.
fn watermark(pipeline: &str, numbers: [i64; 6]) -> Watermark {
    Watermark {
        pipeline: pipeline.to_owned(),
        epoch_hi: numbers[0],
        checkpoint_hi: numbers[1],
        tx_hi: numbers[2],
        ts_hi: numbers[3],
        reader_lo: numbers[4],
        pruner_hi: numbers[5],
    }
}

on_every_database! {
    shared {
        fn state(conn: &mut Conn) -> Vec<Watermark> {
            watermark::table.order(watermark::pipeline).load(conn).unwrap()
        }
    }

    #[test]
    fn watermarks_move_forward_only(database) {
        database.run(CREATE);
        let conn = &mut database.conn;

        let watermarks = [
            watermark("tx", [1, 9, 90, 900, 0, 0]),
            watermark("obj", [1, 9, 90, 900, 0, 0]),
        ];
        assert_eq!(Watermark::bulk_upsert(conn, &watermarks).unwrap(), 1);
        let mut expected = [
            watermark("obj", [1, 9, 90, 900, 0, 0]),
            watermark("tx", [1, 10, 100, 1000, 4, 2]),
        ];
        assert_eq!(state(conn), expected);

        // The same is not newer.
        assert_eq!(watermark("tx", [1, 10, 999, 999, 0, 0]).upsert(conn).unwrap(), 0);
        assert_eq!(state(conn), expected);

        assert_eq!(watermark("tx", [2, 12, 120, 1200, 0, 0]).upsert(conn).unwrap(), 1);
        expected[1] = watermark("tx", [2, 12, 120, 1200, 4, 2]);
        assert_eq!(state(conn), expected);
    }
}

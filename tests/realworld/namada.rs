//! Namada's indexer: the state of its crawlers, and flows of tokens.

/// Three models of one table, each with columns of its own.
mod crawler_states {
    use diesel::prelude::*;
    use upsert_core::Upsertable;

    use crate::support::on_every_database;

    diesel::table! {
        crawler_state (name) {
            name -> Text,
            last_block -> Nullable<Integer>,
            first_block_in_epoch -> Nullable<Integer>,
            last_epoch -> Nullable<Integer>,
            ts -> Integer,
        }
    }

    const CREATE: &str = "CREATE TABLE crawler_state (name VARCHAR(20) NOT NULL PRIMARY KEY, \
         last_block INTEGER, first_block_in_epoch INTEGER, last_epoch INTEGER, \
         ts INTEGER NOT NULL); \
         INSERT INTO crawler_state VALUES ('chain', 10, 8, 2, 100)";

    #[derive(Debug, Upsertable)]
    #[diesel(table_name = crawler_state)]
    #[upsert(update_all)]
    struct ChainState {
        #[conflict_key]
        name: String,
        last_block: i32,
        first_block_in_epoch: i32,
        last_epoch: i32,
        ts: i32,
    }

    #[derive(Debug, Upsertable)]
    #[diesel(table_name = crawler_state)]
    #[upsert(update_all)]
    struct BlockState {
        #[conflict_key]
        name: String,
        last_block: i32,
        ts: i32,
    }

    #[derive(Debug, Upsertable)]
    #[diesel(table_name = crawler_state)]
    #[upsert(update_all)]
    struct IntervalState {
        #[conflict_key]
        name: String,
        ts: i32,
    }

    type Row = (String, Option<i32>, Option<i32>, Option<i32>, i32);

    on_every_database! {
        shared {
            fn state(conn: &mut Conn) -> Vec<Row> {
                crawler_state::table.order(crawler_state::name).load(conn).unwrap()
            }
        }

        #[test]
        fn each_crawler_writes_its_own_columns(database) {
            database.run(CREATE);
            let conn = &mut database.conn;
            let chain = || "chain".to_owned();
            let gov = ("gov".to_owned(), None, None, None, 101);

            let states = [
                IntervalState { name: chain(), ts: 101 },
                IntervalState { name: "gov".to_owned(), ts: 101 },
            ];
            assert_eq!(IntervalState::bulk_upsert(conn, &states).unwrap(), 2);
            let row = (chain(), Some(10), Some(8), Some(2), 101);
            assert_eq!(state(conn), [row, gov.clone()]);

            let block = BlockState { name: chain(), last_block: 11, ts: 102 };
            assert_eq!(block.upsert(conn).unwrap(), 1);
            let row = (chain(), Some(11), Some(8), Some(2), 102);
            assert_eq!(state(conn), [row, gov.clone()]);

            let state_of_chain = ChainState {
                name: chain(),
                last_block: 20,
                first_block_in_epoch: 19,
                last_epoch: 3,
                ts: 103,
            };
            assert_eq!(state_of_chain.upsert(conn).unwrap(), 1);
            let row = (chain(), Some(20), Some(19), Some(3), 103);
            assert_eq!(state(conn), [row, gov]);
        }
    }
}

/// Rows with one key are summed.
mod token_flows {
    use diesel::prelude::*;
    use upsert_core::Upsertable;

    use crate::create;
    use crate::support::on_every_database;

    diesel::table! {
        token_flow (id) {
            id -> Integer,
            address -> Text,
            epoch -> Integer,
            deposit -> BigInt,
            withdraw -> BigInt,
        }
    }

    const CREATE: &str = "CREATE TABLE token_flow (id SERIAL PRIMARY KEY, \
         address VARCHAR(45) NOT NULL, epoch INTEGER NOT NULL, deposit BIGINT NOT NULL, \
         withdraw BIGINT NOT NULL, UNIQUE (address, epoch)); \
         INSERT INTO token_flow (address, epoch, deposit, withdraw) VALUES ('a', 1, 10, 0)";

    #[derive(Debug, Upsertable)]
    #[diesel(table_name = token_flow)]
    struct Flow {
        #[conflict_key]
        address: String,
        #[conflict_key]
        epoch: i32,
        #[on_conflict(add)]
        deposit: i64,
        #[on_conflict(add)]
        withdraw: i64,
    }

    fn flow(address: &str, deposit: i64, withdraw: i64) -> Flow {
        Flow {
            address: address.to_owned(),
            epoch: 1,
            deposit,
            withdraw,
        }
    }

    type Row = (String, i32, i64, i64);

    fn row(address: &str, deposit: i64, withdraw: i64) -> Row {
        (address.to_owned(), 1, deposit, withdraw)
    }

    on_every_database! {
        shared {
            fn state(conn: &mut Conn) -> Vec<Row> {
                use self::token_flow::dsl::*;
                token_flow
                    .select((address, epoch, deposit, withdraw))
                    .order((address, epoch))
                    .load(conn)
                    .unwrap()
            }
        }

        #[test]
        fn flows_are_summed(database) {
            database.run(&create(system::SYSTEM, CREATE));
            let conn = &mut database.conn;

            let flows = [flow("a", 5, 2), flow("b", 1, 0)];
            assert_eq!(Flow::bulk_upsert(conn, &flows).unwrap(), 2);
            assert_eq!(state(conn), [row("a", 15, 2), row("b", 1, 0)]);

            let flows = [flow("a", 1, 0), flow("c", 2, 0), flow("a", 0, 3), flow("c", 4, 1)];
            assert_eq!(Flow::bulk_upsert(conn, &flows).unwrap(), 4);
            assert_eq!(state(conn), [row("a", 16, 5), row("b", 1, 0), row("c", 6, 1)]);
        }
    }
}

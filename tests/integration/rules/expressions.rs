//! Expressions, in a table of any schema.

use diesel::connection::SimpleConnection;
use diesel::dsl::now;

use super::*;

diesel::table! {
    upsert_rules.prices (id) {
        id -> Integer,
        amount -> Integer,
        name -> Text,
        changed -> Timestamp,
        note -> Nullable<Text>,
    }
}

diesel::table! {
    limits (id) {
        id -> Integer,
        most -> Integer,
    }
}

diesel::allow_tables_to_appear_in_same_query!(plain_prices, limits);

diesel::table! {
    #[sql_name = "prices"]
    plain_prices (id) {
        id -> Integer,
        amount -> Integer,
        name -> Text,
        changed -> Timestamp,
        note -> Nullable<Text>,
    }
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = prices)]
#[upsert(update_if = amount.lt(100), touch(changed = now))]
struct Price {
    id: i32,
    #[on_conflict(add)]
    amount: i32,
    #[on_conflict(max)]
    name: &'static str,
    #[on_conflict(fill)]
    note: Option<&'static str>,
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = plain_prices)]
#[upsert(touch(changed = now))]
struct Touched {
    id: i32,
    #[on_conflict(update)]
    name: &'static str,
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = plain_prices)]
struct Amount {
    id: i32,
    #[on_conflict(add)]
    amount: i32,
}

fn create_prices(system: System, table: &str) -> String {
    let time = Kind::At.sql(system);
    format!(
        "CREATE TABLE {table} (id INTEGER NOT NULL PRIMARY KEY, \
         amount INTEGER NOT NULL DEFAULT 0, name VARCHAR(20) NOT NULL DEFAULT 'none', \
         changed {time} NOT NULL DEFAULT '2026-03-29 02:30:00', note VARCHAR(20))"
    )
}

/// A time that Berlin does not have.
fn half_past_two() -> NaiveDateTime {
    let day = NaiveDate::from_ymd_opt(2026, 3, 29).unwrap();
    day.and_hms_opt(2, 30, 0).unwrap()
}

on_every_database! {
    shared {
        /// The schema `upsert_rules`, which nobody else has at the time.
        struct Schema(Conn);

        impl Schema {
            fn create(database: &mut system::TestDatabase) -> Self {
                let mut conn = database.connect();
                let sql = match system::SYSTEM {
                    System::Sqlite => {
                        database.run("ATTACH ':memory:' AS upsert_rules");
                        ""
                    }
                    #[cfg(feature = "postgres")]
                    System::Postgres => {
                        "SELECT pg_advisory_lock(7812); SET client_min_messages = warning; \
                         DROP SCHEMA IF EXISTS upsert_rules CASCADE; CREATE SCHEMA upsert_rules"
                    }
                    #[cfg(feature = "mysql")]
                    System::Mysql => {
                        "DO GET_LOCK('upsert_rules', 60); DROP DATABASE IF EXISTS upsert_rules; \
                         CREATE DATABASE upsert_rules CHARACTER SET utf8mb4"
                    }
                };
                conn.batch_execute(sql).unwrap();
                Self(conn)
            }
        }

        impl Drop for Schema {
            fn drop(&mut self) {
                let sql = match system::SYSTEM {
                    System::Sqlite => "",
                    #[cfg(feature = "postgres")]
                    System::Postgres => "DROP SCHEMA upsert_rules CASCADE",
                    #[cfg(feature = "mysql")]
                    System::Mysql => "DROP DATABASE upsert_rules",
                };
                let _ = self.0.batch_execute(sql);
            }
        }
    }

    #[test]
    fn a_table_in_a_schema(database) {
        let _schema = Schema::create(&mut database);
        database.run(&create_prices(system::SYSTEM, "upsert_rules.prices"));
        // One of that name that is not meant.
        database.run(&create_prices(system::SYSTEM, "prices"));
        let conn = &mut database.conn;
        let price = |amount, name, note| Price { id: 1, amount, name, note };
        let rows = [
            price(1, "b", None),
            price(2, "a", Some("x")),
            price(97, "c", Some("y")),
            price(1, "d", None),
        ];
        let row = |conn: &mut Conn| {
            prices::table
                .select((prices::amount, prices::name, prices::note))
                .first::<(i32, String, Option<String>)>(conn)
                .unwrap()
        };
        for chunk_size in [1, 2, 100] {
            diesel::delete(prices::table).execute(conn).unwrap();
            assert_eq!(wait(upsert(&rows).chunk_size(chunk_size).execute(conn)).unwrap(), 3);
            assert_eq!(row(conn), (100, "c".to_owned(), Some("x".to_owned())));
        }
        let row_of_nothing = [price(0, "a", None)];
        let call = upsert(&row_of_nothing)
            .update_if(excluded(prices::amount).lt(prices::amount))
            .set(prices::note, prices::name.concat("!").nullable())
            .skip_unchanged(true);
        assert_eq!(wait(call.execute(conn)).unwrap(), 1);
        assert_eq!(row(conn), (100, "c".to_owned(), Some("c!".to_owned())));
        assert_eq!(plain_prices::table.count().get_result(conn), Ok(0_i64));
    }

    #[test]
    fn the_time_of_a_change(database) {
        database.run(&create_prices(system::SYSTEM, "prices"));
        match system::SYSTEM {
            System::Sqlite => {}
            #[cfg(feature = "postgres")]
            System::Postgres => database.run("SET TimeZone = 'Europe/Berlin'"),
            #[cfg(feature = "mysql")]
            System::Mysql => database.run("SET time_zone = '+02:00'"),
        }
        let conn = &mut database.conn;
        let changed = |conn: &mut Conn| {
            let changed: NaiveDateTime =
                plain_prices::table.select(plain_prices::changed).first(conn).unwrap();
            changed
        };
        let row = |name| [Touched { id: 1, name }];
        assert_eq!(wait(upsert(row("a")).execute(conn)).unwrap(), 1);
        assert_eq!(changed(conn), half_past_two());
        assert_eq!(wait(upsert(row("a")).execute(conn)).unwrap(), 1);
        assert_eq!(changed(conn), half_past_two());
        assert_eq!(wait(upsert(row("a")).skip_unchanged(true).execute(conn)).unwrap(), 0);
        assert_eq!(changed(conn), half_past_two());
        assert_eq!(wait(upsert(row("b")).execute(conn)).unwrap(), 1);
        assert!(changed(conn) != half_past_two());
        // A value that is known now.
        let call = upsert(row("c")).touch(plain_prices::changed, half_past_two());
        assert_eq!(wait(call.execute(conn)).unwrap(), 1);
        assert_eq!(changed(conn), half_past_two());
        let call = upsert(row("d")).skip_unchanged(true);
        assert_eq!(wait(call.execute(conn)).unwrap(), 1);
        assert!(changed(conn) != half_past_two());
        // `set` is compared: the time is another one, if a while has passed.
        let call = upsert(row("d")).set(plain_prices::changed, half_past_two());
        assert_eq!(wait(call.skip_unchanged(true).execute(conn)).unwrap(), 1);
        let call = upsert(row("d")).set(plain_prices::changed, half_past_two());
        assert_eq!(wait(call.skip_unchanged(true).execute(conn)).unwrap(), 0);
        let call = upsert(row("d")).set(plain_prices::changed, now).skip_unchanged(true);
        assert_eq!(wait(call.execute(conn)).unwrap(), 1);
        assert!(changed(conn) != half_past_two());
    }

    #[test]
    fn queries_and_lists_in_expressions(database) {
        database.run(&create_prices(system::SYSTEM, "prices"));
        database.run("CREATE TABLE limits (id INTEGER PRIMARY KEY, most INTEGER NOT NULL)");
        let conn = &mut database.conn;
        diesel::insert_into(limits::table)
            .values(vec![
                (limits::id.eq(1), limits::most.eq(5)),
                (limits::id.eq(2), limits::most.eq(50)),
            ])
            .execute(conn)
            .unwrap();
        let amounts = |conn: &mut Conn| {
            plain_prices::table
                .select(plain_prices::amount)
                .order(plain_prices::id)
                .load::<i32>(conn)
                .unwrap()
        };
        let rows = [(1, 3), (2, 10), (3, 100)].map(|(id, amount)| Amount { id, amount });
        assert_eq!(wait(Amount::bulk_upsert(conn, &rows)).unwrap(), 3);

        // The smallest limit, of all or of the row's own.
        let least = || limits::table.select(diesel::dsl::min(limits::most)).single_value();
        let call = upsert(&rows).update_if(plain_prices::amount.nullable().le(least()));
        assert_eq!(wait(call.execute(conn)).unwrap(), 1);
        assert_eq!(amounts(conn), [6, 10, 100]);
        let own = limits::table
            .filter(limits::id.eq(plain_prices::id))
            .filter(limits::most.gt(plain_prices::amount));
        let call = upsert(&rows).update_if(diesel::dsl::exists(own));
        assert_eq!(wait(call.execute(conn)).unwrap(), 1);
        assert_eq!(amounts(conn), [6, 20, 100]);
        let own = limits::table.select(limits::most).filter(limits::id.eq(plain_prices::id));
        let call = upsert(&rows)
            .set(plain_prices::amount, own.single_value().assume_not_null())
            .update_if(plain_prices::id.lt(3))
            .skip_unchanged(true);
        assert_eq!(wait(call.execute(conn)).unwrap(), 2);
        assert_eq!(amounts(conn), [5, 50, 100]);

        // Lists of many lengths.
        for length in [0, 1, 2, 3, 1, 0] {
            let ids: Vec<_> = (1..=length).collect();
            let call = upsert(&rows).update_if(plain_prices::id.eq_any(ids));
            assert_eq!(wait(call.execute(conn)).unwrap(), usize::try_from(length).unwrap());
        }
        assert_eq!(amounts(conn), [5 + 4 * 3, 50 + 2 * 10, 200]);
    }

    /// The expressions' parameters count too.
    #[test]
    fn as_many_parameters_as_a_statement_takes(database) {
        database.run(&create_prices(system::SYSTEM, "prices"));
        let conn = &mut database.conn;
        let rows: Vec<_> = (0..33_000).map(|id| Amount { id, amount: 1 }).collect();
        let all = usize::MAX;
        assert_eq!(wait(upsert(&rows).chunk_size(all).execute(conn)).unwrap(), rows.len());
        let call = upsert(&rows).chunk_size(all).set(plain_prices::name, "one");
        assert_eq!(wait(call.execute(conn)).unwrap(), rows.len());
        let call = upsert(&rows)
            .set(plain_prices::name, "two")
            .update_if(plain_prices::id.ne(1).and(plain_prices::id.ne(2)))
            .touch(plain_prices::note, plain_prices::name.concat("?").nullable())
            .chunk_size(all);
        assert_eq!(wait(call.execute(conn)).unwrap(), rows.len() - 2);
        let counts: Vec<(String, i64)> = plain_prices::table
            .group_by(plain_prices::name)
            .select((plain_prices::name, diesel::dsl::count_star()))
            .order(plain_prices::name)
            .load(conn)
            .unwrap();
        assert_eq!(counts, [("one".to_owned(), 2), ("two".to_owned(), 32_998)]);
        let touched = plain_prices::table.filter(plain_prices::note.eq("one?")).count();
        assert_eq!(touched.get_result(conn), Ok(32_998_i64));
    }
}

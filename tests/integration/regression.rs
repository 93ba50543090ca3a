//! Faults that reviews found, kept found.

use diesel::prelude::*;

use crate::api::{Upsertable, upsert, wait};
use crate::support::on_every_database;

diesel::table! {
    big (id) {
        id -> BigInt,
        v -> Integer,
    }
}

#[derive(Debug, Upsertable)]
#[diesel(table_name = big)]
#[upsert(update_all)]
struct Big {
    id: i64,
    v: i32,
}

#[derive(Debug, Upsertable)]
#[diesel(table_name = big)]
#[upsert(do_nothing)]
struct NewBig {
    id: i64,
    v: i32,
}

diesel::table! {
    defaults (id) {
        id -> Integer,
        v -> Integer,
    }
}

/// May leave its key to the database.
#[derive(Debug, Upsertable)]
#[diesel(table_name = defaults)]
struct MayHaveKey {
    #[conflict_key(nullable)]
    id: Option<i32>,
    #[on_conflict(update)]
    v: i32,
}

diesel::table! {
    texts (k) {
        k -> Text,
        v -> Integer,
    }
}

#[derive(Debug, Upsertable)]
#[diesel(table_name = texts)]
#[upsert(update_all)]
struct Entry<'a> {
    k: &'a str,
    v: i32,
}

#[derive(Debug, Upsertable)]
#[diesel(table_name = texts)]
struct Counted<'a> {
    #[conflict_key]
    k: &'a str,
    #[on_conflict(add)]
    v: i32,
}

/// 2 to the 53rd, and one more, are one double.
const NEIGHBOURS: [i64; 3] = [9_007_199_254_740_992, 9_007_199_254_740_993, i64::MAX - 1];

on_every_database! {
    #[test]
    fn a_large_key_is_not_rounded(database) {
        database.run("CREATE TABLE big (id BIGINT NOT NULL PRIMARY KEY, v INTEGER NOT NULL)");
        let conn = &mut database.conn;
        for v in 1..4 {
            for id in NEIGHBOURS {
                assert_eq!(wait(Big { id, v }.upsert(conn)).unwrap(), 1);
            }
            let rows = NEIGHBOURS.map(|id| Big { id, v });
            assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 3);
            let rows = NEIGHBOURS.map(|id| NewBig { id, v: 0 });
            assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 0);
            let table: Vec<(i64, i32)> = big::table.order(big::id).load(conn).unwrap();
            assert_eq!(table, NEIGHBOURS.map(|id| (id, v)));
        }
    }

    #[test]
    fn a_key_that_the_database_chooses_may_be_another_rows(database) {
        database.run(
            "CREATE TABLE defaults (id INTEGER NOT NULL DEFAULT 1 PRIMARY KEY, v INTEGER NOT NULL)",
        );
        let conn = &mut database.conn;
        // SQLite does not take the default of an `INTEGER PRIMARY KEY`, but the
        // next number.
        let chosen = if system::SYSTEM == crate::support::System::Sqlite { 2 } else { 1 };
        for chunk_size in [1, 2, 100] {
            diesel::delete(defaults::table).execute(conn).unwrap();
            let rows = [(Some(1), 10), (None, 20)].map(|(id, v)| MayHaveKey { id, v });
            assert_eq!(wait(upsert(&rows).chunk_size(chunk_size).execute(conn)).unwrap(), 2);
            let table: Vec<(i32, i32)> = defaults::table.order(defaults::id).load(conn).unwrap();
            let expected = if chosen == 1 { vec![(1, 20)] } else { vec![(1, 10), (2, 20)] };
            assert_eq!(table, expected, "chunks of {chunk_size}");
        }
    }
}

/// A transaction of SQLite's that reads first cannot write any more when another one
/// has written in between; it does not even wait.
#[test]
fn sqlite_transactions_of_several_connections() {
    use crate::support::sqlite::TestDatabase;

    const THREADS: usize = 4;
    const CALLS: usize = 20;

    let mut database = TestDatabase::new();
    database.run("CREATE TABLE texts (k TEXT PRIMARY KEY, v INTEGER NOT NULL)");
    let keys: Vec<String> = (0..300).map(|i| format!("key {i:03}")).collect();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            let mut conn = database.connect();
            let keys = &keys;
            scope.spawn(move || {
                for _ in 0..CALLS {
                    let rows = keys.iter().map(|k| Counted { k, v: 1 });
                    let written = conn.transaction(|conn| wait(upsert(rows).execute(conn)));
                    assert_eq!(written.unwrap(), keys.len());
                }
            });
        }
    });
    let table: Vec<(String, i32)> = texts::table
        .order(texts::k)
        .load(&mut database.conn)
        .unwrap();
    let sum = i32::try_from(THREADS * CALLS).unwrap();
    let expected: Vec<_> = keys.into_iter().map(|key| (key, sum)).collect();
    assert_eq!(table, expected);
}

#[cfg(feature = "postgres")]
mod on_postgres_only {
    use diesel::expression::AsExpression;
    use diesel::pg::Pg;
    use diesel::query_builder::QueryId;
    use diesel::serialize::{self, Output, ToSql, WriteTuple};
    use diesel::sql_types::{Integer, SqlType};

    use super::*;
    use crate::support::postgres::TestDatabase;

    /// A composite type that a value is cast to on assignment.
    #[derive(Debug, Clone, Copy, SqlType, QueryId)]
    #[diesel(postgres_type(name = "one"))]
    pub struct One;

    diesel::table! {
        use diesel::sql_types::*;
        use super::One;

        ones (id) {
            id -> Integer,
            one -> One,
        }
    }

    #[derive(Debug, Clone, Copy, AsExpression)]
    #[diesel(sql_type = One)]
    struct OneValue(i32);

    impl ToSql<One, Pg> for OneValue {
        fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
            WriteTuple::<(Integer,)>::write_tuple(&(self.0,), out)
        }
    }

    #[derive(Debug, Upsertable)]
    #[diesel(table_name = ones)]
    #[upsert(update_all)]
    struct WithComposite {
        id: i32,
        one: OneValue,
    }

    /// `unnest` takes it apart, and its field would be cast.
    #[test]
    fn a_composite_type() {
        let mut database = TestDatabase::new();
        database.run(
            "CREATE TYPE one AS (a integer); \
             CREATE FUNCTION hundredfold(a integer) RETURNS one LANGUAGE sql AS \
             'SELECT ROW(a * 100)::one'; \
             CREATE CAST (integer AS one) WITH FUNCTION hundredfold(integer) AS ASSIGNMENT; \
             CREATE TABLE ones (id integer PRIMARY KEY, one one)",
        );
        let conn = &mut database.conn;
        for chunk_size in [1, 2, 100] {
            let rows = [1, 2, 3].map(|id| WithComposite {
                id,
                one: OneValue(id + 4),
            });
            let call = upsert(&rows).chunk_size(chunk_size);
            assert_eq!(wait(call.execute(conn)).unwrap(), 3);
            let table: Vec<(i32, i32)> = ones::table
                .select((ones::id, diesel::dsl::sql::<Integer>("(one).a")))
                .order(ones::id)
                .load(conn)
                .unwrap();
            assert_eq!(table, [(1, 5), (2, 6), (3, 7)]);
        }
    }

    diesel::table! {
        words (word) {
            word -> Text,
        }
    }

    #[derive(Debug, Upsertable)]
    #[diesel(table_name = words)]
    #[upsert(do_nothing)]
    struct Word {
        word: &'static str,
    }

    #[test]
    fn a_function_with_the_name_of_postgres_own() {
        let mut database = TestDatabase::new();
        database.run(
            "CREATE TABLE words (word text PRIMARY KEY); \
             CREATE FUNCTION unnest(text[]) RETURNS SETOF text LANGUAGE sql AS \
             $$SELECT 'mine'$$",
        );
        let conn = &mut database.conn;
        let rows = ["a", "b"].map(|word| Word { word });
        assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 2);
        let table: Vec<String> = words::table
            .select(words::word)
            .order(words::word)
            .load(conn)
            .unwrap();
        assert_eq!(table, ["a", "b"]);
    }

    /// Rows with one key may not have one key when they arrive.
    #[test]
    fn a_trigger_that_makes_keys_different() {
        let mut database = TestDatabase::new();
        database.run(
            "CREATE TABLE texts (k text PRIMARY KEY, v INTEGER NOT NULL); \
             CREATE FUNCTION change_key() RETURNS trigger LANGUAGE plpgsql AS \
             $$BEGIN NEW.k := NEW.k || '-' || NEW.v; RETURN NEW; END$$; \
             CREATE TRIGGER change_key BEFORE INSERT ON texts \
             FOR EACH ROW EXECUTE FUNCTION change_key()",
        );
        let conn = &mut database.conn;
        let rows = [("a", 1), ("a", 2), ("b", 2)].map(|(k, v)| Entry { k, v });
        assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 3);
        let table: Vec<String> = texts::table
            .select(texts::k)
            .order(texts::k)
            .load(conn)
            .unwrap();
        assert_eq!(table, ["a-1", "a-2", "b-2"]);
    }

    #[test]
    fn a_class_that_does_not_know_the_collation() {
        let mut database = TestDatabase::new();
        database.run(
            "CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', \
             deterministic = false); \
             CREATE TABLE texts (k text COLLATE ci PRIMARY KEY, v INTEGER NOT NULL)",
        );
        let conn = &mut database.conn;
        let rows = [("x ", 1), ("x", 2), ("X", 3)].map(|(k, v)| Entry { k, v });
        assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 3);
        let table: Vec<(String, i32)> = texts::table.order(texts::v).load(conn).unwrap();
        assert_eq!(table, [("x ".to_owned(), 1), ("x".to_owned(), 3)]);
    }
}

#[cfg(feature = "mysql")]
mod on_mysql_only {
    use super::*;
    use crate::support::mysql::TestDatabase;

    #[test]
    fn a_trigger_that_makes_keys_different() {
        let mut database = TestDatabase::new();
        database.run("CREATE TABLE big (id BIGINT NOT NULL PRIMARY KEY, v INTEGER NOT NULL)");
        database.run(
            "CREATE TRIGGER change_key BEFORE INSERT ON big \
             FOR EACH ROW SET NEW.id = NEW.id * 100 + NEW.v",
        );
        let conn = &mut database.conn;
        let rows = [(1, 1), (1, 2)].map(|(id, v)| Big { id, v });
        assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 2);
        let table: Vec<(i64, i32)> = big::table.order(big::id).load(conn).unwrap();
        assert_eq!(table, [(101, 1), (102, 2)]);
    }

    /// An answer about a table that is not there says nothing of a later one.
    #[test]
    fn a_table_that_comes_after_the_first_call() {
        let mut database = TestDatabase::new();
        let row = Big { id: 1, v: 1 };
        assert!(wait(row.upsert(&mut database.conn)).is_err());
        database.run("CREATE TABLE big (id BIGINT NOT NULL, v INTEGER NOT NULL)");
        let result = wait(row.upsert(&mut database.conn));
        assert!(
            matches!(result, Err(upsert_core::Error::NoUniqueIndex { .. })),
            "{result:?}"
        );
        assert_eq!(big::table.count().get_result(&mut database.conn), Ok(0));
    }
}

//! crates.io: categories, owners, users, rate limits and keywords.

/// A static list is brought into a table that also counts.
mod categories {
    use diesel::prelude::*;
    use diesel::result::{DatabaseErrorKind, Error as DieselError};
    use upsert_core::Upsertable;

    use crate::create;
    use crate::support::on_every_database;

    diesel::table! {
        category (id) {
            id -> Integer,
            slug -> Text,
            name -> Text,
            description -> Text,
            crates_cnt -> Integer,
        }
    }

    const CREATE: &str = "CREATE TABLE category (id SERIAL PRIMARY KEY, \
         slug VARCHAR(40) NOT NULL UNIQUE, name VARCHAR(40) NOT NULL UNIQUE, \
         description VARCHAR(40) NOT NULL DEFAULT '', crates_cnt INTEGER NOT NULL DEFAULT 0); \
         INSERT INTO category (slug, name, description, crates_cnt) VALUES \
         ('db', 'Database', 'old', 7), ('net', 'Network', 'n', 3)";

    #[derive(Debug, Upsertable)]
    #[diesel(table_name = category)]
    struct NewCategory<'a> {
        #[conflict_key]
        slug: &'a str,
        #[on_conflict(update)]
        name: &'a str,
        #[on_conflict(update)]
        description: &'a str,
    }

    fn new_category<'a>(slug: &'a str, name: &'a str, description: &'a str) -> NewCategory<'a> {
        NewCategory {
            slug,
            name,
            description,
        }
    }

    type Row = (i32, String, String, String, i32);

    fn row(id: i32, slug: &str, name: &str, description: &str, crates_cnt: i32) -> Row {
        let [slug, name, description] = [slug, name, description].map(str::to_owned);
        (id, slug, name, description, crates_cnt)
    }

    on_every_database! {
        shared {
            fn state(conn: &mut Conn) -> Vec<Row> {
                category::table.order(category::id).load(conn).unwrap()
            }
        }

        #[test]
        fn categories_are_brought_up_to_date(database) {
            database.run(&create(system::SYSTEM, CREATE));
            let conn = &mut database.conn;

            let categories = [
                new_category("db", "Databases", "new"),
                new_category("web", "Web", "w"),
            ];
            assert_eq!(NewCategory::bulk_upsert(conn, &categories).unwrap(), 2);
            let web: i32 = category::table
                .filter(category::slug.eq("web"))
                .select(category::id)
                .first(conn)
                .unwrap();
            let expected = [
                row(1, "db", "Databases", "new", 7),
                row(2, "net", "Network", "n", 3),
                row(web, "web", "Web", "w", 0),
            ];
            assert_eq!(state(conn), expected);

            // The names of two, exchanged.
            let categories = [
                new_category("db", "Network", "x"),
                new_category("net", "Databases", "y"),
            ];
            let error = NewCategory::bulk_upsert(conn, &categories).unwrap_err();
            let error = DieselError::from(error);
            let DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) = error else {
                panic!("{error:?}");
            };
            assert_eq!(state(conn), expected);
        }
    }
}

/// A row that was marked as deleted is revived, and nothing else is changed.
mod crate_owners {
    use diesel::prelude::*;
    use upsert_core::Upsertable;

    use crate::support::on_every_database;

    diesel::table! {
        crate_owner (crate_id, owner_id, owner_kind) {
            crate_id -> Integer,
            owner_id -> Integer,
            owner_kind -> Integer,
            deleted -> Bool,
            created_by -> Nullable<Integer>,
            email_notifications -> Bool,
        }
    }

    const CREATE: &str = "CREATE TABLE crate_owner (crate_id INTEGER NOT NULL, \
         owner_id INTEGER NOT NULL, owner_kind INTEGER NOT NULL, \
         deleted BOOLEAN NOT NULL DEFAULT false, created_by INTEGER, \
         email_notifications BOOLEAN NOT NULL DEFAULT true, \
         PRIMARY KEY (crate_id, owner_id, owner_kind)); \
         INSERT INTO crate_owner VALUES (1, 5, 0, true, 9, false), (1, 6, 0, false, 9, true)";

    #[derive(Debug, Upsertable)]
    #[diesel(table_name = crate_owner)]
    #[upsert(set(deleted = false))]
    struct NewOwner {
        #[conflict_key]
        crate_id: i32,
        #[conflict_key]
        owner_id: i32,
        #[conflict_key]
        owner_kind: i32,
        created_by: Option<i32>,
    }

    fn new_owner(
        crate_id: i32,
        owner_id: i32,
        owner_kind: i32,
        created_by: Option<i32>,
    ) -> NewOwner {
        NewOwner {
            crate_id,
            owner_id,
            owner_kind,
            created_by,
        }
    }

    type Row = (i32, i32, i32, bool, Option<i32>, bool);

    on_every_database! {
        shared {
            fn state(conn: &mut Conn) -> Vec<Row> {
                use self::crate_owner::dsl::*;
                crate_owner.order((crate_id, owner_id, owner_kind)).load(conn).unwrap()
            }
        }

        #[test]
        fn owners_come_back(database) {
            database.run(CREATE);
            let conn = &mut database.conn;

            assert_eq!(NewOwner::bulk_upsert(conn, [new_owner(1, 5, 0, Some(77))]).unwrap(), 1);
            let mut expected = vec![
                (1, 5, 0, false, Some(9), false),
                (1, 6, 0, false, Some(9), true),
            ];
            assert_eq!(state(conn), expected);

            // The first is not deleted; it is updated none the less.
            let owners = [new_owner(1, 6, 0, Some(77)), new_owner(2, 5, 1, None)];
            assert_eq!(NewOwner::bulk_upsert(conn, &owners).unwrap(), 2);
            expected.push((2, 5, 1, false, None, true));
            assert_eq!(state(conn), expected);
        }
    }
}

/// The unique index has a part of the rows only.
mod users {
    use diesel::prelude::*;
    use upsert_core::Upsertable;

    use crate::create;

    diesel::table! {
        usr (id) {
            id -> Integer,
            gh_id -> Integer,
            login -> Text,
            name -> Nullable<Text>,
            is_admin -> Bool,
        }
    }

    const CREATE: &str = "CREATE TABLE usr (id SERIAL PRIMARY KEY, gh_id INTEGER NOT NULL, \
         login VARCHAR(40) NOT NULL, name VARCHAR(40), is_admin BOOLEAN NOT NULL DEFAULT false); \
         CREATE UNIQUE INDEX usr_gh ON usr (gh_id) WHERE gh_id > 0; \
         INSERT INTO usr (gh_id, login, name, is_admin) VALUES \
         (-1, 'old', 'x', false), (5, 'bob', 'Bob', true)";

    #[derive(Debug, Upsertable)]
    #[diesel(table_name = usr)]
    #[upsert(update_all, target_where = gh_id.gt(0))]
    struct NewUsr<'a> {
        #[conflict_key]
        gh_id: i32,
        login: &'a str,
        name: Option<&'a str>,
    }

    fn new_user<'a>(gh_id: i32, login: &'a str, name: Option<&'a str>) -> NewUsr<'a> {
        NewUsr { gh_id, login, name }
    }

    type Row = (i32, String, Option<String>, bool);

    fn row(gh_id: i32, login: &str, name: Option<&str>, is_admin: bool) -> Row {
        (gh_id, login.to_owned(), name.map(str::to_owned), is_admin)
    }

    // MySQL has no partial indexes.
    macro_rules! tests_on {
        ($system:ident) => {
            mod $system {
                use super::*;
                use crate::support::$system::{Conn, SYSTEM, TestDatabase};

                fn state(conn: &mut Conn) -> Vec<Row> {
                    use super::usr::dsl::*;
                    usr.select((gh_id, login, name, is_admin))
                        .order((gh_id, login))
                        .load(conn)
                        .unwrap()
                }

                fn id_of(conn: &mut Conn, user: i32) -> i32 {
                    let with_id = usr::table.filter(usr::gh_id.eq(user));
                    with_id.select(usr::id).first(conn).unwrap()
                }

                #[test]
                fn users_without_an_account_elsewhere_are_never_the_same() {
                    let mut database = TestDatabase::new();
                    database.run(&create(SYSTEM, CREATE));
                    let conn = &mut database.conn;
                    let bob = id_of(conn, 5);

                    let written = NewUsr::bulk_upsert(conn, [new_user(5, "bobby", None)]).unwrap();
                    assert_eq!(written, 1);
                    assert_eq!(
                        state(conn),
                        [
                            row(-1, "old", Some("x"), false),
                            row(5, "bobby", None, true)
                        ]
                    );
                    assert_eq!(id_of(conn, 5), bob);

                    let users = [
                        new_user(-1, "g1", Some("G")),
                        new_user(-1, "g1", Some("G")),
                        new_user(6, "eve", Some("Eve")),
                    ];
                    assert_eq!(NewUsr::bulk_upsert(conn, &users).unwrap(), 3);
                    let mut expected = vec![
                        row(-1, "g1", Some("G"), false),
                        row(-1, "g1", Some("G"), false),
                        row(-1, "old", Some("x"), false),
                        row(5, "bobby", None, true),
                        row(6, "eve", Some("Eve"), false),
                    ];
                    assert_eq!(state(conn), expected);

                    // One in the index, twice.
                    let users = [
                        new_user(6, "evelyn", Some("E")),
                        new_user(-1, "g2", None),
                        new_user(6, "eva", None),
                    ];
                    assert_eq!(NewUsr::bulk_upsert(conn, &users).unwrap(), 3);
                    expected[4] = row(6, "eva", None, false);
                    expected.insert(2, row(-1, "g2", None, false));
                    assert_eq!(state(conn), expected);
                }
            }
        };
    }

    tests_on!(sqlite);
    #[cfg(feature = "postgres")]
    tests_on!(postgres);
}

/// New values out of the old ones and of what only the call knows.
mod rate_limits {
    use std::sync::Barrier;

    use diesel::expression::IntoSql;
    use diesel::prelude::*;
    use diesel::sql_types::{BigInt, Integer};
    use upsert_core::{Upsertable, upsert};

    use crate::support::on_every_database;

    diesel::table! {
        bucket (user_id, action) {
            user_id -> Integer,
            action -> Integer,
            tokens -> Integer,
            last_refill -> BigInt,
        }
    }

    const CREATE: &str = "CREATE TABLE bucket (user_id INTEGER NOT NULL, \
         action INTEGER NOT NULL, tokens INTEGER NOT NULL, last_refill BIGINT NOT NULL, \
         PRIMARY KEY (user_id, action)); \
         INSERT INTO bucket VALUES (1, 0, 5, 1000)";

    /// `tokens` and `last_refill` are those of a new bucket; each call says
    /// what becomes of one that exists.
    #[derive(Debug, Upsertable)]
    #[diesel(table_name = bucket)]
    #[upsert(update_all)]
    struct Bucket {
        #[conflict_key]
        user_id: i32,
        #[conflict_key]
        action: i32,
        tokens: i32,
        last_refill: i64,
    }

    // Their types go from the column's to the wider one and back.
    #[diesel::declare_sql_function]
    extern "SQL" {
        fn greatest(a: Integer, b: Integer) -> BigInt;
        fn least(a: BigInt, b: BigInt) -> Integer;
        fn floor(a: BigInt) -> BigInt;
    }

    /// Gives SQLite the functions that others have.
    trait ProvideFunctions {
        fn provide_functions(&mut self);
    }

    impl ProvideFunctions for SqliteConnection {
        fn provide_functions(&mut self) {
            greatest_utils::register_impl(self, |a: i32, b: i32| i64::from(a.max(b))).unwrap();
            least_utils::register_impl(self, |a: i64, b: i64| a.min(b) as i32).unwrap();
            // Its quotient of integers is one.
            floor_utils::register_impl(self, |a: i64| a).unwrap();
        }
    }

    #[cfg(feature = "postgres")]
    impl ProvideFunctions for PgConnection {
        fn provide_functions(&mut self) {}
    }

    #[cfg(feature = "mysql")]
    impl ProvideFunctions for MysqlConnection {
        fn provide_functions(&mut self) {}
    }

    const RATE: i64 = 60;

    on_every_database! {
        shared {
            fn state(conn: &mut Conn) -> Vec<(i32, i32, i32, i64)> {
                bucket::table.order(bucket::user_id).load(conn).unwrap()
            }

            /// Takes a token out of the bucket of each user.
            fn take(conn: &mut Conn, users: &[i32], burst: i32, now: i64) -> usize {
                let buckets: Vec<_> = users
                    .iter()
                    .map(|&user_id| Bucket { user_id, action: 0, tokens: burst, last_refill: now })
                    .collect();
                let elapsed = now.into_sql::<BigInt>() - bucket::last_refill;
                let refilled = floor(elapsed / RATE);
                upsert(&buckets)
                    .set(
                        bucket::tokens,
                        least(i64::from(burst), greatest(0, bucket::tokens - 1) + refilled),
                    )
                    .set(bucket::last_refill, bucket::last_refill + refilled * RATE)
                    .execute(conn)
                    .unwrap()
            }
        }

        #[test]
        fn buckets_are_emptied_and_refilled(database) {
            database.run(CREATE);
            let conn = &mut database.conn;
            conn.provide_functions();

            assert_eq!(take(conn, &[1], 5, 1000), 1);
            assert_eq!(state(conn), [(1, 0, 4, 1000)]);

            assert_eq!(take(conn, &[1, 2], 5, 1130), 2);
            assert_eq!(state(conn), [(1, 0, 5, 1120), (2, 0, 5, 1130)]);

            assert_eq!(take(conn, &[1], 5, 1131), 1);
            assert_eq!(state(conn), [(1, 0, 4, 1120), (2, 0, 5, 1130)]);

            // One user twice takes two.
            assert_eq!(take(conn, &[2, 1, 2], 5, 1135), 3);
            assert_eq!(state(conn), [(1, 0, 3, 1120), (2, 0, 3, 1130)]);
        }

        #[test]
        fn two_at_once_take_a_token_each(database) {
            database.run(CREATE);
            database.run("UPDATE bucket SET tokens = 100");
            let barrier = Barrier::new(2);
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    let mut conn = database.connect();
                    conn.provide_functions();
                    let barrier = &barrier;
                    scope.spawn(move || {
                        barrier.wait();
                        for _ in 0..20 {
                            assert_eq!(take(&mut conn, &[1], 100, 1000), 1);
                        }
                    });
                }
            });
            assert_eq!(state(&mut database.conn), [(1, 0, 60, 1000)]);
        }
    }
}

/// Rows that exist are found, not written.
mod keywords {
    use std::collections::HashMap;

    use diesel::prelude::*;
    use upsert_core::Upsertable;

    use crate::create;
    use crate::support::on_every_database;

    diesel::table! {
        keywords (id) {
            id -> Integer,
            keyword -> Text,
            crates_cnt -> Integer,
        }
    }

    const CREATE: &str = "CREATE TABLE keywords (id SERIAL PRIMARY KEY, \
         keyword VARCHAR(40) NOT NULL UNIQUE, crates_cnt INTEGER NOT NULL DEFAULT 0); \
         INSERT INTO keywords (keyword, crates_cnt) VALUES ('serde', 9)";

    #[derive(Debug, Upsertable)]
    #[diesel(table_name = keywords)]
    #[upsert(do_nothing)]
    struct NewKeyword<'a> {
        #[conflict_key]
        keyword: &'a str,
    }

    const NAMES: [&str; 3] = ["serde", "json", "serde"];

    on_every_database! {
        shared {
            fn state(conn: &mut Conn) -> Vec<(i32, String, i32)> {
                keywords::table.order(keywords::id).load(conn).unwrap()
            }

            /// The id of each keyword, old or new.
            fn ids(conn: &mut Conn, names: &[&str]) -> Vec<i32> {
                let found: HashMap<String, i32> = keywords::table
                    .filter(keywords::keyword.eq_any(names))
                    .select((keywords::keyword, keywords::id))
                    .load::<(String, i32)>(conn)
                    .unwrap()
                    .into_iter()
                    .collect();
                names.iter().map(|&name| found[name]).collect()
            }
        }

        #[test]
        fn keywords_are_found_or_created(database) {
            database.run(&create(system::SYSTEM, CREATE));
            let conn = &mut database.conn;

            let rows = NAMES.map(|keyword| NewKeyword { keyword });
            assert_eq!(NewKeyword::bulk_upsert(conn, &rows).unwrap(), 1);
            let found = ids(conn, &NAMES);
            let json = found[1];
            assert_eq!(found, [1, json, 1]);
            assert_eq!(state(conn), [(1, "serde".to_owned(), 9), (json, "json".to_owned(), 0)]);
        }
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn a_keyword_that_exists_is_not_written() {
        use diesel::dsl::sql;
        use diesel::sql_types::Text;

        let mut database = crate::support::postgres::TestDatabase::new();
        database.run(CREATE);
        let conn = &mut database.conn;
        // The transaction that wrote or locked the row last.
        let transactions = |conn: &mut PgConnection| {
            let serde = keywords::table.find(1);
            let columns = (sql::<Text>("xmin::text"), sql::<Text>("xmax::text"));
            serde.select(columns).first::<(String, String)>(conn)
        };
        let before = transactions(conn).unwrap();
        let rows = NAMES.map(|keyword| NewKeyword { keyword });
        assert_eq!(NewKeyword::bulk_upsert(conn, &rows).unwrap(), 1);
        assert_eq!(transactions(conn).unwrap(), before);
    }
}

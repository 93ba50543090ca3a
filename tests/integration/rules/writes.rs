//! Whether a row is written.

use super::words::*;
use super::*;

#[cfg(feature = "postgres")]
mod on_postgres_only {
    use std::io::Write;

    use diesel::data_types::PgInterval;
    use diesel::expression::AsExpression;
    use diesel::pg::Pg;
    use diesel::query_builder::QueryId;
    use diesel::serialize::{self, IsNull, Output, ToSql};
    use diesel::sql_types::SqlType;

    use super::*;
    use crate::support::postgres::{Conn, TestDatabase};

    #[derive(Debug, PartialEq, QueryableByName)]
    struct Version {
        #[diesel(sql_type = diesel::sql_types::Integer)]
        id: i32,
        #[diesel(sql_type = diesel::sql_types::Text)]
        version: String,
    }

    /// Where each row is, and which transaction wrote it.
    fn versions(conn: &mut Conn, table: &str) -> Vec<Version> {
        diesel::sql_query(format!(
            "SELECT id, xmin::text || ' ' || ctid::text AS version FROM {table} ORDER BY id"
        ))
        .load(conn)
        .unwrap()
    }

    #[test]
    fn a_row_that_is_left_keeps_its_place() {
        let mut database = TestDatabase::new();
        database.run(&create_labels("text"));
        let conn = &mut database.conn;
        let old = [label(1, "a"), label(2, "b"), label(3, "c")];
        assert_eq!(wait(Label::bulk_upsert(conn, &old)).unwrap(), 3);
        let before = versions(conn, "labels");
        let rows = [label(1, "a"), label(2, "B"), label(3, "c")];
        assert_eq!(wait(Label::bulk_upsert(conn, &rows)).unwrap(), 1);
        let after = versions(conn, "labels");
        assert_eq!(after[0], before[0]);
        assert_ne!(after[1], before[1]);
        assert_eq!(after[2], before[2]);
        // By a guard.
        let call = upsert(&rows)
            .skip_unchanged(false)
            .update_if(labels::id.gt(2));
        assert_eq!(wait(call.execute(conn)).unwrap(), 1);
        let guarded = versions(conn, "labels");
        assert_eq!(guarded[..2], after[..2]);
        assert_ne!(guarded[2], after[2]);
        // Rows that nothing touches are written all the same.
        assert_eq!(
            wait(upsert(&rows).skip_unchanged(false).execute(conn)).unwrap(),
            3
        );
        let written = versions(conn, "labels");
        assert!((0..3).all(|i| written[i] != guarded[i]), "{written:?}");
    }

    #[derive(Debug, SqlType, QueryId)]
    #[diesel(postgres_type(oid = 600, array_oid = 1017))]
    pub struct Point;

    #[derive(Debug, SqlType, QueryId)]
    #[diesel(postgres_type(oid = 718, array_oid = 719))]
    pub struct Circle;

    #[derive(Debug, Clone, Copy, AsExpression)]
    #[diesel(sql_type = Point)]
    struct At(f64, f64);

    impl ToSql<Point, Pg> for At {
        fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
            for number in [self.0, self.1] {
                out.write_all(&number.to_be_bytes())?;
            }
            Ok(IsNull::No)
        }
    }

    #[derive(Debug, Clone, Copy, AsExpression)]
    #[diesel(sql_type = Circle)]
    struct Around(f64, f64, f64);

    impl ToSql<Circle, Pg> for Around {
        fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
            for number in [self.0, self.1, self.2] {
                out.write_all(&number.to_be_bytes())?;
            }
            Ok(IsNull::No)
        }
    }

    #[derive(Debug, Clone, Copy, AsExpression)]
    #[diesel(sql_type = diesel::sql_types::Json)]
    struct Json(&'static str);

    impl ToSql<diesel::sql_types::Json, Pg> for Json {
        fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
            out.write_all(self.0.as_bytes())?;
            Ok(IsNull::No)
        }
    }

    diesel::table! {
        use diesel::sql_types::*;
        use crate::rules::writes::on_postgres_only::{Circle, Point};

        odd_types (id) {
            id -> Integer,
            body -> Nullable<Json>,
            place -> Nullable<Point>,
            area -> Nullable<Circle>,
            span -> Nullable<Interval>,
            list -> Nullable<Array<Double>>,
            seen -> Integer,
        }
    }

    /// `json` and `point` have no `=`; `circle` and `interval` have one that
    /// holds different values equal.
    #[derive(Debug, Clone, Default, Upsertable)]
    #[diesel(table_name = odd_types)]
    #[upsert(update_all)]
    struct Odd {
        id: i32,
        body: Option<Json>,
        place: Option<At>,
        area: Option<Around>,
        span: Option<PgInterval>,
        list: Option<Vec<f64>>,
        #[on_conflict(touch = seen + 1)]
        seen: i32,
    }

    fn odd_changes() -> Vec<Odd> {
        let empty = Odd {
            id: 1,
            ..Odd::default()
        };
        let mut rows = vec![empty.clone()];
        for body in [r#"{"a":1}"#, r#"{"a": 1}"#, r#"{"a": 1.0}"#, "null"] {
            rows.push(Odd {
                body: Some(Json(body)),
                ..empty.clone()
            });
        }
        for place in [At(1.0, 2.0), At(1.0, 2.000_000_000_1), At(2.0, 1.0)] {
            rows.push(Odd {
                place: Some(place),
                ..empty.clone()
            });
        }
        // Equal by their area, all of them.
        for area in [Around(0.0, 0.0, 1.0), Around(5.0, 0.0, 1.0)] {
            rows.push(Odd {
                area: Some(area),
                ..empty.clone()
            });
        }
        for span in [
            PgInterval::new(0, 0, 1),
            PgInterval::new(0, 30, 0),
            PgInterval::new(30 * 86_400_000_000, 0, 0),
        ] {
            rows.push(Odd {
                span: Some(span),
                ..empty.clone()
            });
        }
        for list in [vec![], vec![0.0], vec![-0.0], vec![0.0, 0.0]] {
            rows.push(Odd {
                list: Some(list),
                ..empty.clone()
            });
        }
        rows
    }

    #[test]
    fn types_without_equality() {
        let mut database = TestDatabase::new();
        database.run(
            "CREATE TABLE odd_types (id integer PRIMARY KEY, body json, place point, area circle, \
             span interval, list double precision[], seen integer NOT NULL DEFAULT 0)",
        );
        let conn = &mut database.conn;
        let rows = odd_changes();
        let seen = |conn: &mut Conn| {
            let seen: i32 = odd_types::table
                .select(odd_types::seen)
                .first(conn)
                .unwrap();
            usize::try_from(seen).unwrap()
        };
        for skip in [true, false] {
            diesel::delete(odd_types::table).execute(conn).unwrap();
            for (i, row) in rows.iter().enumerate() {
                let call = upsert([row]).skip_unchanged(skip);
                assert_eq!(wait(call.execute(conn)).unwrap(), 1, "{row:?}");
                assert_eq!(seen(conn), i, "{row:?}");
                let call = upsert([row]).skip_unchanged(skip);
                assert_eq!(
                    wait(call.execute(conn)).unwrap(),
                    usize::from(!skip),
                    "{row:?}"
                );
                assert_eq!(seen(conn), i, "{row:?} again");
            }
        }
    }

    #[test]
    fn types_without_equality_are_touched() {
        let mut database = TestDatabase::new();
        database.run(
            "CREATE TABLE odd_types (id integer PRIMARY KEY, body json, place point, area circle, \
             span interval, list double precision[], seen integer NOT NULL DEFAULT 0)",
        );
        let conn = &mut database.conn;
        let row = Odd {
            id: 1,
            body: Some(Json("1")),
            place: Some(At(1.0, 1.0)),
            area: Some(Around(1.0, 1.0, 1.0)),
            ..Odd::default()
        };
        assert_eq!(wait(row.upsert(conn)).unwrap(), 1);
        for (i, skip) in [(1, false), (2, true)] {
            for (step, written) in [(0, usize::from(!skip)), (i, 1)] {
                let call = upsert([&row])
                    .set(odd_types::seen, odd_types::seen + step)
                    .rule(odd_types::span, rule::Touch)
                    .touch(odd_types::body, Some(Json("2")))
                    .touch(odd_types::place, Some(At(2.0, 2.0)))
                    .touch(odd_types::area, excluded(odd_types::area))
                    .touch(odd_types::list, Some(vec![f64::from(i)]))
                    .skip_unchanged(skip);
                assert_eq!(wait(call.execute(conn)).unwrap(), written);
                let touched = odd_types::table
                    .filter(odd_types::list.eq(vec![f64::from(i)]))
                    .count()
                    .get_result::<i64>(conn);
                assert_eq!(touched, Ok(i64::from(step > 0)), "{step}, {skip}");
            }
        }
        let text: String = diesel::select(diesel::dsl::sql::<diesel::sql_types::Text>(
            "(SELECT body::text || place::text || seen::text FROM odd_types)",
        ))
        .get_result(conn)
        .unwrap();
        assert_eq!(text, "2(2,2)3");
    }

    /// A month and thirty days are equal, but not the same.
    #[test]
    fn an_interval_that_is_set() {
        let mut database = TestDatabase::new();
        database.run(
            "CREATE TABLE odd_types (id integer PRIMARY KEY, body json, place point, area circle, \
             span interval, list double precision[], seen integer NOT NULL DEFAULT 0)",
        );
        let conn = &mut database.conn;
        for (months, days, written) in [(1, 0, 1), (0, 30, 1), (0, 30, 0), (1, 0, 1)] {
            let span = PgInterval::new(0, days, months);
            let row = Odd {
                id: 1,
                span: Some(span),
                ..Odd::default()
            };
            let call = upsert([&row])
                .skip_unchanged(true)
                .set(odd_types::span, excluded(odd_types::span));
            assert_eq!(wait(call.execute(conn)).unwrap(), written, "{span:?}");
            let stored: Option<PgInterval> = odd_types::table
                .select(odd_types::span)
                .first(conn)
                .unwrap();
            assert_eq!(stored, Some(span));
        }
    }

    // --- What unchanged rows cost -------------------------------------------

    diesel::table! {
        entries (id) {
            id -> Integer,
            name -> Text,
            amount -> BigInt,
            note -> Nullable<Text>,
            seen -> Integer,
        }
    }

    #[derive(Debug, Upsertable)]
    #[diesel(table_name = entries)]
    #[upsert(update_all)]
    struct Entry {
        id: i32,
        name: String,
        amount: i64,
        note: Option<String>,
        #[on_conflict(touch = seen + 1)]
        seen: i32,
    }

    #[derive(Debug, QueryableByName)]
    struct Number {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        number: i64,
    }

    fn number(conn: &mut Conn, sql: &str) -> i64 {
        let sql = format!("SELECT ({sql})::bigint AS number");
        let row: Number = diesel::sql_query(sql).get_result(conn).unwrap();
        row.number
    }

    #[test]
    fn unchanged_rows_write_little() {
        const SIZE: &str = "pg_relation_size('entries')";
        const WAL: &str = "pg_current_wal_insert_lsn() - '0/0'";

        let mut database = TestDatabase::new();
        database.run(
            "CREATE TABLE entries (id integer PRIMARY KEY, name text NOT NULL, \
             amount bigint NOT NULL, note text, seen integer NOT NULL)",
        );
        let conn = &mut database.conn;
        let rows: Vec<_> = (0..50_000)
            .map(|id| Entry {
                id,
                name: format!("The name of entry {id}"),
                amount: i64::from(id) * 1_000_003,
                note: (id % 3 > 0).then(|| format!("A note on entry {id}, which is longer")),
                seen: 0,
            })
            .collect();
        assert_eq!(wait(Entry::bulk_upsert(conn, &rows)).unwrap(), rows.len());

        // The first time a page is written after a checkpoint, the whole page
        // goes to the log, so both have run once before they are measured. What
        // other tests log in between can only be more.
        let (mut plain, mut skipping) = (i64::MAX, i64::MAX);
        for _ in 0..4 {
            let start = number(conn, WAL);
            assert_eq!(wait(Entry::bulk_upsert(conn, &rows)).unwrap(), rows.len());
            plain = plain.min(number(conn, WAL) - start);

            let size = number(conn, SIZE);
            let written = wait(upsert(&rows).skip_unchanged(true).execute(conn)).unwrap();
            assert_eq!(written, 0);
            for _ in 0..2 {
                let start = number(conn, WAL);
                let written = wait(upsert(&rows).skip_unchanged(true).execute(conn)).unwrap();
                assert_eq!(written, 0);
                skipping = skipping.min(number(conn, WAL) - start);
            }
            assert_eq!(number(conn, SIZE), size);
        }
        assert!(
            4 * skipping <= plain,
            "{skipping} bytes of log for unchanged rows, {plain} where they are written",
        );
        let touched = entries::table.filter(entries::seen.gt(0)).count();
        assert_eq!(touched.get_result(conn), Ok(0_i64));
    }
}

/// Who changed what, as triggers see it.
mod triggers {
    use super::*;

    diesel::table! {
        journal (row_id) {
            row_id -> Integer,
            event -> Text,
        }
    }

    const CREATE_JOURNAL: &str =
        "CREATE TABLE journal (row_id INTEGER NOT NULL, event VARCHAR(20) NOT NULL)";

    fn create_triggers(system: System) -> Vec<String> {
        let mut statements = vec![CREATE_JOURNAL.to_owned()];
        for time in ["BEFORE", "AFTER"] {
            match system {
                System::Sqlite => statements.push(format!(
                    "CREATE TRIGGER {time}_update {time} UPDATE ON labels FOR EACH ROW \
                     BEGIN INSERT INTO journal VALUES (OLD.id, '{time}'); END"
                )),
                #[cfg(feature = "postgres")]
                System::Postgres => statements.push(format!(
                    "CREATE FUNCTION {time}_update() RETURNS trigger LANGUAGE plpgsql AS \
                     $$BEGIN INSERT INTO journal VALUES (OLD.id, '{time}'); RETURN NEW; END$$; \
                     CREATE TRIGGER {time}_update {time} UPDATE ON labels \
                     FOR EACH ROW EXECUTE FUNCTION {time}_update()"
                )),
                #[cfg(feature = "mysql")]
                System::Mysql => statements.push(format!(
                    "CREATE TRIGGER {time}_update {time} UPDATE ON labels FOR EACH ROW \
                     INSERT INTO journal VALUES (OLD.id, '{time}')"
                )),
            }
        }
        statements
    }

    on_every_database! {
        shared {
            fn take_events(conn: &mut Conn) -> Vec<(i32, String)> {
                let events = journal::table
                    .select((journal::row_id, journal::event))
                    .order((journal::row_id, journal::event.desc()))
                    .load(conn)
                    .unwrap();
                diesel::delete(journal::table).execute(conn).unwrap();
                events
            }

            fn words(conn: &mut Conn) -> Vec<(i32, Option<String>)> {
                labels::table
                    .select((labels::id, labels::word))
                    .order(labels::id)
                    .load(conn)
                    .unwrap()
            }
        }

        /// On MySQL they fire for every row that exists, and find it as it was.
        #[test]
        fn do_not_fire_for_rows_that_are_left(database) {
            database.run(&create_labels("VARCHAR(20)"));
            for statement in create_triggers(system::SYSTEM) {
                database.run(&statement);
            }
            let conn = &mut database.conn;
            let old = [label(1, "a"), label(2, "b"), label(3, "c")];
            assert_eq!(wait(Label::bulk_upsert(conn, &old)).unwrap(), 3);
            assert_eq!(take_events(conn), []);

            let rows = [label(1, "a"), label(2, "B"), label(3, "c"), label(4, "d")];
            assert_eq!(wait(Label::bulk_upsert(conn, &rows)).unwrap(), 2);
            let fired = |id| [(id, "BEFORE".to_owned()), (id, "AFTER".to_owned())];
            let events = take_events(conn);
            match system::SYSTEM {
                #[cfg(feature = "mysql")]
                System::Mysql => {}
                _ => assert_eq!(events, fired(2)),
            }
            let expected = [(1, "a"), (2, "B"), (3, "c"), (4, "d")]
                .map(|(id, word)| (id, Some(word.to_owned())));
            assert_eq!(words(conn), expected);

            // By a guard.
            let rows = [(1, "x"), (2, "y")].map(|(id, word)| AnyLabel { id, word: Some(word) });
            let call = upsert(&rows).update_if(labels::word.ne("a"));
            assert_eq!(wait(call.execute(conn)).unwrap(), 1);
            let events = take_events(conn);
            match system::SYSTEM {
                #[cfg(feature = "mysql")]
                System::Mysql => {}
                _ => assert_eq!(events, fired(2)),
            }
            assert_eq!(words(conn)[0], (1, Some("a".to_owned())));
            assert_eq!(words(conn)[1], (2, Some("y".to_owned())));

            // Without either, unchanged rows fire.
            let written = wait(upsert(&rows[1..]).execute(conn)).unwrap();
            assert_eq!(written, 1);
            assert_eq!(take_events(conn), fired(2));
        }
    }
}

//! Settings of the connection.

use super::*;

#[cfg(feature = "mysql")]
mod on_mysql_only {
    use upsert_core::CommitOutcome;

    use super::super::words::*;
    use super::*;
    use crate::support::mysql::{Conn, TestDatabase};

    diesel::table! {
        counts (id) {
            id -> Integer,
            tiny -> Unsigned<SmallInt>,
            total -> Unsigned<BigInt>,
            most -> Unsigned<BigInt>,
            version -> Unsigned<Integer>,
        }
    }

    #[derive(Debug, Clone, PartialEq, Upsertable, Queryable)]
    #[diesel(table_name = counts)]
    #[upsert(not_older_by = version)]
    struct Count {
        id: i32,
        #[on_conflict(add)]
        tiny: u16,
        #[on_conflict(add)]
        total: u64,
        #[on_conflict(max)]
        most: u64,
        #[on_conflict(update)]
        version: u32,
    }

    #[test]
    fn unsigned_numbers() {
        let mut database = TestDatabase::new();
        database.run(
            "CREATE TABLE counts (id INTEGER PRIMARY KEY, tiny SMALLINT UNSIGNED NOT NULL, \
             total BIGINT UNSIGNED NOT NULL, most BIGINT UNSIGNED NOT NULL, \
             version INTEGER UNSIGNED NOT NULL)",
        );
        let conn = &mut database.conn;
        let count = |tiny, total, most, version| Count {
            id: 1,
            tiny,
            total,
            most,
            version,
        };
        let high = 1_u64 << 63;
        let table = |conn: &mut Conn| counts::table.first::<Count>(conn).unwrap();
        assert_eq!(
            wait(count(65_534, high, 1, 1 << 31).upsert(conn)).unwrap(),
            1
        );
        let rows = [
            count(1, high - 1, high + 1, (1 << 31) + 1),
            count(9, 9, u64::MAX, 1 << 31),
            count(0, 0, high, u32::MAX),
        ];
        assert_eq!(wait(Count::bulk_upsert(conn, &rows)).unwrap(), 2);
        let expected = count(65_535, u64::MAX, high + 1, u32::MAX);
        assert_eq!(table(conn), expected);
        for row in [count(1, 0, 0, u32::MAX), count(0, 1, 0, u32::MAX)] {
            let result = wait(row.upsert(conn));
            assert!(matches!(result, Err(Error::Statement { .. })), "{result:?}");
            assert_eq!(table(conn), expected);
        }
    }

    fn check_mode(mode: &str) {
        let mut database = TestDatabase::new();
        database.run(&format!("SET sql_mode = CONCAT(@@sql_mode, ',{mode}')"));
        database.run(&create(System::Mysql, "cells", false));
        let conn = &mut database.conn;
        let cells = |id: i32, text: &str| Proposed {
            id,
            cells: COLUMNS.map(|(_, kind)| {
                Some(match kind {
                    Kind::Big | Kind::Small | Kind::At => id.into(),
                    Kind::Ratio => f64::from(id).into(),
                    Kind::Word => text.into(),
                })
            }),
        };
        let rows: Vec<_> = [
            (1, "a"),
            (2, "b"),
            (1, "A"),
            (1, "A"),
            (2, "it's \\ \""),
            (1, "x"),
        ]
        .map(|(id, text)| cells(id, text))
        .into();
        // `BEGIN`, which Diesel sends before several statements, begins a block there.
        let is_one = mode == "ORACLE";
        let texts = |conn: &mut Conn| {
            loose::table
                .select((
                    loose::id,
                    loose::big,
                    loose::word,
                    loose::word2,
                    loose::note,
                ))
                .order(loose::id)
                .load::<(
                    i32,
                    Option<i64>,
                    Option<String>,
                    Option<String>,
                    Option<String>,
                )>(conn)
                .unwrap()
        };
        let text = |text: &str| Some(text.to_owned());

        let mut call = upsert(rows.iter().map(LooseWide::from));
        if is_one {
            call = call.chunk_size(rows.len());
        }
        assert_eq!(wait(call.execute(conn)).unwrap(), 6, "{mode}");
        let expected = [
            (1, Some(4), text("a"), text("a"), text("x")),
            (2, Some(4), text("b"), text("b"), text("it's \\ \"")),
        ];
        assert_eq!(texts(conn), expected, "{mode}");

        diesel::delete(loose::table).execute(conn).unwrap();
        let mut call = upsert(rows.iter().map(SkipWord::from))
            .set(loose::note, loose::word.concat("\\'"))
            .update_if(excluded(loose::word).ne("x"));
        if is_one {
            call = call.chunk_size(rows.len());
        }
        assert_eq!(wait(call.execute(conn)).unwrap(), 5, "{mode}");
        // The fourth row changes the note, because the word was changed before.
        let expected = [
            (1, Some(7), text("A"), text("default"), text("A\\'")),
            (
                2,
                Some(7),
                text("it's \\ \""),
                text("default"),
                text("b\\'"),
            ),
        ];
        assert_eq!(texts(conn), expected, "{mode}");
    }

    #[test]
    fn sql_modes() {
        for mode in [
            "ANSI_QUOTES",
            "NO_BACKSLASH_ESCAPES",
            "PIPES_AS_CONCAT",
            "HIGH_NOT_PRECEDENCE",
            "IGNORE_SPACE",
            "SIMULTANEOUS_ASSIGNMENT",
            "NO_UNSIGNED_SUBTRACTION",
            "REAL_AS_FLOAT",
            "ANSI",
            "ORACLE",
        ] {
            check_mode(mode);
        }
    }

    #[test]
    fn oracle_mode_has_no_begin_for_several_statements() {
        let mut database = TestDatabase::new();
        database.run("SET sql_mode = 'ORACLE,STRICT_ALL_TABLES'");
        database.run(&create_labels("VARCHAR(40)"));
        let conn = &mut database.conn;
        let call = upsert([label(1, "a"), label(2, "b")]).chunk_size(1);
        let error = wait(call.execute(conn)).unwrap_err();
        assert_eq!(error.commit_outcome(), CommitOutcome::Nothing, "{error:?}");
        let ids = || labels::table.select(labels::id).order(labels::id);
        assert_eq!(ids().load::<i32>(conn).unwrap(), [0; 0]);
        let call = upsert([label(1, "a"), label(2, "b")]).chunk_size(2);
        assert_eq!(wait(call.execute(conn)).unwrap(), 2);
        assert_eq!(ids().load::<i32>(conn).unwrap(), [1, 2]);
    }
}

#[cfg(feature = "postgres")]
mod on_postgres_only {
    use super::super::words::*;
    use super::*;
    use crate::support::postgres::TestDatabase;

    /// Functions, operators and types of the same names, found first.
    #[test]
    fn a_hostile_search_path() {
        let mut database = TestDatabase::new();
        database.run(
            "CREATE FUNCTION wrong(record, record) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS \
             'BEGIN RETURN false; END'; \
             CREATE OPERATOR *<> (LEFTARG = record, RIGHTARG = record, FUNCTION = wrong); \
             CREATE TYPE record AS (x integer); \
             SELECT set_config('search_path', current_schema || ', pg_catalog', false)",
        );
        database.run(&create_labels("text"));
        let conn = &mut database.conn;
        for (word, written) in [("a", 1), ("a", 0), ("b", 1), ("b", 0)] {
            assert_eq!(
                wait(label(1, word).upsert(conn)).unwrap(),
                written,
                "{word}"
            );
        }
    }

    /// Texts of numbers that differ may be the same, with few digits.
    #[test]
    fn sums_that_are_written_alike() {
        diesel::table! {
            ratios (id) {
                id -> Integer,
                ratio -> Double,
                half -> Nullable<Float>,
            }
        }
        #[derive(Debug, Clone, Upsertable)]
        #[diesel(table_name = ratios)]
        #[upsert(skip_unchanged)]
        struct Summed {
            #[conflict_key]
            id: i32,
            #[on_conflict(add)]
            ratio: f64,
            #[on_conflict(set = half + excluded(half))]
            half: Option<f32>,
        }
        let mut database = TestDatabase::new();
        database.run("SET extra_float_digits = -15");
        database.run(
            "CREATE TABLE ratios (id INTEGER PRIMARY KEY, ratio float8 NOT NULL, half float4)",
        );
        let conn = &mut database.conn;
        let sum = |ratio, half| Summed { id: 1, ratio, half };
        for (row, written, expected) in [
            (sum(-1.5, None), 1, (-1.5, None)),
            (sum(-0.5, None), 1, (-2.0, None)),
            (sum(0.0, Some(1.0)), 0, (-2.0, None)),
        ] {
            assert_eq!(wait(row.upsert(conn)).unwrap(), written);
            let found = ratios::table.select((ratios::ratio, ratios::half));
            assert_eq!(found.first::<(f64, Option<f32>)>(conn).unwrap(), expected);
        }
        diesel::update(ratios::table)
            .set(ratios::half.eq(-1.5_f32))
            .execute(conn)
            .unwrap();
        assert_eq!(wait(sum(0.0, Some(-0.5)).upsert(conn)).unwrap(), 1);
        assert_eq!(
            ratios::table.select(ratios::half).first(conn),
            Ok(Some(-2.0_f32))
        );
    }

    /// A statement that is planned once for any parameters.
    #[test]
    fn generic_plans() {
        let mut database = TestDatabase::new();
        database.run("SET plan_cache_mode = force_generic_plan");
        database.run(&create_labels("text"));
        let conn = &mut database.conn;
        for (i, word) in ["a", "b", "a", "b", "a", "b", "a", "b"]
            .into_iter()
            .enumerate()
        {
            let limit = i32::try_from(i).unwrap();
            let call = upsert([label(1, word)])
                .set(labels::seen, labels::seen + limit)
                .update_if(labels::seen.ge(limit - 1));
            wait(call.execute(conn)).unwrap();
        }
        let seen: i32 = labels::table.select(labels::seen).first(conn).unwrap();
        assert_eq!(seen, (1..8).sum::<i32>());
    }
}

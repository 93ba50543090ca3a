//! Sums at the ends of their types.

use super::*;

diesel::table! {
    sums (id) {
        id -> Integer,
        tiny -> SmallInt,
        small -> Integer,
        big -> BigInt,
        single -> Float,
        ratio -> Double,
    }
}

diesel::table! {
    #[sql_name = "sums"]
    loose_sums (id) {
        id -> Integer,
        tiny -> Nullable<SmallInt>,
        small -> Nullable<Integer>,
        big -> Nullable<BigInt>,
        single -> Nullable<Float>,
        ratio -> Nullable<Double>,
    }
}

const CREATE_SUMS: &str = "CREATE TABLE sums (id INTEGER NOT NULL PRIMARY KEY, \
     tiny SMALLINT, small INTEGER, big BIGINT, single FLOAT(20), ratio DOUBLE PRECISION)";

#[derive(Debug, Clone, Default, Upsertable, Queryable)]
#[diesel(table_name = sums)]
struct Sum {
    #[conflict_key]
    id: i32,
    #[on_conflict(add)]
    tiny: i16,
    #[on_conflict(add)]
    small: i32,
    #[on_conflict(add)]
    big: i64,
    #[on_conflict(add)]
    single: f32,
    #[on_conflict(add)]
    ratio: f64,
}

#[derive(Debug, Clone, Default, Upsertable, Queryable)]
#[diesel(table_name = loose_sums)]
struct LooseSum {
    #[conflict_key]
    id: i32,
    #[on_conflict(add)]
    tiny: Option<i16>,
    #[on_conflict(add)]
    small: Option<i32>,
    #[on_conflict(add)]
    big: Option<i64>,
    #[on_conflict(add)]
    single: Option<f32>,
    #[on_conflict(add)]
    ratio: Option<f64>,
}

/// Two numbers of a type, and whether their sum is none of it.
#[derive(Debug, Clone, Copy)]
enum Addition {
    Tiny(i16, i16),
    Small(i32, i32),
    Big(i64, i64),
    Single(f32, f32),
    Ratio(f64, f64),
}

impl Addition {
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for (a, b) in [
            (i16::MAX, 1),
            (i16::MAX, 0),
            (i16::MAX - 1, 1),
            (i16::MIN, -1),
            (i16::MIN, i16::MIN),
            (i16::MIN, i16::MAX),
            (i16::MIN + 1, -1),
        ] {
            all.push(Self::Tiny(a, b));
        }
        for (a, b) in [
            (i32::MAX, 1),
            (i32::MAX, 0),
            (i32::MAX - 1, 1),
            (i32::MIN, -1),
            (i32::MIN, i32::MIN),
            (i32::MIN, i32::MAX),
            (i32::MAX, i32::MAX),
            (i32::MIN + 1, -1),
        ] {
            all.push(Self::Small(a, b));
        }
        for (a, b) in [
            (i64::MAX, 1),
            (i64::MAX, 0),
            (i64::MAX - 1, 1),
            (i64::MIN, -1),
            (i64::MIN, i64::MIN),
            (i64::MIN, i64::MAX),
            (i64::MAX, i64::MAX),
            (i64::MIN + 1, -1),
            (9_007_199_254_740_993, 2),
            (4_611_686_018_427_387_904, 4_611_686_018_427_387_904),
            (4_611_686_018_427_387_904, 4_611_686_018_427_387_903),
        ] {
            all.push(Self::Big(a, b));
        }
        for (a, b) in [
            (f32::MAX, f32::MAX),
            (f32::MIN, f32::MIN),
            (f32::MAX, f32::MIN),
            (f32::MAX, 1.0),
            (16_777_216.0, 1.0),
            (f32::MIN_POSITIVE, f32::MIN_POSITIVE),
        ] {
            all.push(Self::Single(a, b));
        }
        for (a, b) in [
            (f64::MAX, f64::MAX),
            (f64::MIN, f64::MIN),
            (f64::MAX, 1e292),
            (f64::MAX, f64::MIN),
            (f64::MAX, 1.0),
            (9_007_199_254_740_992.0, 1.0),
            (f64::MIN_POSITIVE, f64::MIN_POSITIVE),
            (f64::MIN_POSITIVE, -f64::MIN_POSITIVE),
            (0.1, 0.2),
            (1e300, 1e-300),
        ] {
            all.push(Self::Ratio(a, b));
        }
        all
    }

    /// The two rows, and the third if there is a sum.
    fn rows(self) -> (Sum, Sum, Option<Sum>) {
        let (mut old, mut new, mut sum) = (Sum::default(), Sum::default(), Sum::default());
        (old.id, new.id, sum.id) = (1, 1, 1);
        let fits = match self {
            Self::Tiny(a, b) => {
                (old.tiny, new.tiny, sum.tiny) = (a, b, a.wrapping_add(b));
                a.checked_add(b).is_some()
            }
            Self::Small(a, b) => {
                (old.small, new.small, sum.small) = (a, b, a.wrapping_add(b));
                a.checked_add(b).is_some()
            }
            Self::Big(a, b) => {
                (old.big, new.big, sum.big) = (a, b, a.wrapping_add(b));
                a.checked_add(b).is_some()
            }
            Self::Single(a, b) => {
                (old.single, new.single, sum.single) = (a, b, a + b);
                sum.single.is_finite()
            }
            Self::Ratio(a, b) => {
                (old.ratio, new.ratio, sum.ratio) = (a, b, a + b);
                sum.ratio.is_finite()
            }
        };
        (old, new, fits.then_some(sum))
    }
}

fn shown(sum: &LooseSum) -> String {
    let shown = format!("{sum:?}").replace("Some(0)", "None");
    shown
        .replace("Some(0.0)", "None")
        .replace("Some(-0.0)", "None")
}

impl From<Sum> for LooseSum {
    /// Zero is NULL.
    fn from(sum: Sum) -> Self {
        Self {
            id: sum.id,
            tiny: (sum.tiny != 0).then_some(sum.tiny),
            small: (sum.small != 0).then_some(sum.small),
            big: (sum.big != 0).then_some(sum.big),
            single: (sum.single != 0.0).then_some(sum.single),
            ratio: (sum.ratio != 0.0).then_some(sum.ratio),
        }
    }
}

on_every_database! {
    shared {
        /// Zero, minus zero and NULL are not told apart.
        fn sums(conn: &mut Conn) -> Vec<String> {
            let sums = loose_sums::table.order(loose_sums::id);
            let sums: Vec<LooseSum> = sums.load(conn).unwrap();
            sums.iter().map(shown).collect()
        }

        /// The sum, or an error and the table as it was.
        fn check_sums<R>(conn: &mut Conn)
        where
            R: From<Sum>
                + Upsertable<Converted: Send + Sync>
                + BindFields<<Conn as Connection>::Backend>
                + Sync,
        {
            let [second, third] = [2, 3].map(|id| Sum { id, tiny: 1, ..Sum::default() });
            for addition in Addition::all() {
                let (old, new, sum) = addition.rows();
                for chunk_size in [1, 2, 3] {
                    let context = format!("{addition:?}, chunks of {chunk_size}");
                    diesel::delete(sums::table).execute(conn).unwrap();
                    let rows = [old.clone(), second.clone()].map(R::from);
                    assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 2, "{context}");
                    let before = sums(conn);
                    let rows = [third.clone(), new.clone()].map(R::from);
                    let result = wait(upsert(&rows).chunk_size(chunk_size).execute(conn));
                    if let Some(sum) = sum.clone() {
                        assert_eq!(result.unwrap(), 2, "{context}");
                        let expected = [sum, second.clone(), third.clone()];
                        let expected = expected.map(|sum| shown(&sum.into()));
                        assert_eq!(sums(conn), expected, "{context}");
                    } else {
                        let is_error = matches!(result, Err(Error::Statement { .. }));
                        assert!(is_error, "{context}: {result:?}");
                        assert_eq!(sums(conn), before, "{context}");
                    }
                }
            }
        }
    }

    #[test]
    fn sums_at_the_ends_of_their_types(database) {
        database.run(CREATE_SUMS);
        check_sums::<Sum>(&mut database.conn);
    }

    #[test]
    fn sums_of_nullable_columns_at_the_ends_of_their_types(database) {
        database.run(CREATE_SUMS);
        check_sums::<LooseSum>(&mut database.conn);
    }

    /// What is added gets lost, so nothing changes.
    #[test]
    fn a_sum_that_is_rounded_to_the_old_value(database) {
        database.run(CREATE_SUMS);
        let conn = &mut database.conn;
        let row = |single, ratio| Sum { id: 1, single, ratio, ..Sum::default() };
        assert_eq!(wait(row(16_777_216.0, 9_007_199_254_740_992.0).upsert(conn)).unwrap(), 1);
        let again = [row(0.0, 1.0)];
        assert_eq!(wait(upsert(&again).skip_unchanged(true).execute(conn)).unwrap(), 0);
        let again = [row(1.0, 0.0)];
        let written = wait(upsert(&again).skip_unchanged(true).execute(conn)).unwrap();
        // SQLite holds more digits of it.
        assert_eq!(written, usize::from(system::SYSTEM == System::Sqlite));
        let single: Option<f32> = loose_sums::table
            .select(loose_sums::single)
            .first(conn)
            .unwrap();
        assert_eq!(single, Some(16_777_216.0));
    }

    /// On the way, not at the end.
    #[test]
    fn a_sum_that_overflows_and_comes_back(database) {
        database.run(CREATE_SUMS);
        let conn = &mut database.conn;
        let sum = |big| Sum { id: 1, big, ..Sum::default() };
        for chunk_size in [1, 2, 3, 100] {
            diesel::delete(sums::table).execute(conn).unwrap();
            let rows = [sum(i64::MAX), sum(1), sum(-1)];
            let result = wait(upsert(&rows).chunk_size(chunk_size).execute(conn));
            assert!(matches!(result, Err(Error::Statement { .. })), "{result:?}");
            assert_eq!(sums::table.count().get_result(conn), Ok(0_i64));
            let rows = [sum(i64::MAX), sum(-1), sum(1)];
            assert_eq!(wait(upsert(&rows).chunk_size(chunk_size).execute(conn)).unwrap(), 3);
        }
    }

    /// A row that its guard keeps out is not added up, also where the
    /// guard is NULL, and where it is asked whether the row changes.
    #[test]
    fn a_sum_that_a_guard_keeps_out(database) {
        database.run(CREATE_SUMS);
        let conn = &mut database.conn;
        let sum = |id, big, small| LooseSum {
            id,
            big: Some(big),
            small,
            ..LooseSum::default()
        };
        let rows = [sum(1, i64::MAX, Some(1)), sum(2, i64::MAX, None), sum(3, 1, Some(1))];
        let again = [
            sum(1, 1, None),
            sum(2, 1, Some(0)),
            sum(2, 2, None),
            sum(1, i64::MAX, Some(1)),
            sum(3, 1, Some(2)),
            sum(3, i64::MAX, Some(2)),
        ];
        for (skip, touches) in [(false, false), (true, false), (false, true), (true, true)] {
            for chunk_size in [1, 2, 100] {
                diesel::delete(sums::table).execute(conn).unwrap();
                assert_eq!(wait(LooseSum::bulk_upsert(conn, &rows)).unwrap(), 3);
                let call = upsert(&again)
                    .rule(loose_sums::small, rule::Update)
                    .update_if(loose_sums::small.lt(excluded(loose_sums::small)))
                    .skip_unchanged(skip)
                    .chunk_size(chunk_size);
                let written = if touches {
                    wait(call.rule(loose_sums::ratio, rule::Touch).execute(conn))
                } else {
                    wait(call.execute(conn))
                };
                assert_eq!(written.unwrap(), 1, "skips: {skip}, touches: {touches}");
                let big: Vec<Option<i64>> = loose_sums::table
                    .select(loose_sums::big)
                    .order(loose_sums::id)
                    .load(conn)
                    .unwrap();
                assert_eq!(big, [Some(i64::MAX), Some(i64::MAX), Some(2)]);
            }
        }
    }
}

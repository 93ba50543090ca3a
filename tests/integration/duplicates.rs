//! Rows with the same key in one call, also where only the database knows that
//! keys are the same.
//!
//! Whatever the order and the size of the statements, the table has to end as
//! if the rows had been upserted one by one, in the order of the input. Here
//! that is done, one row a call, and compared.

use std::collections::BTreeMap;
use std::fmt::Debug;

use diesel::connection::Connection;
use diesel::prelude::*;
use upsert_core::{BindFields, Duplicates, Error};

use crate::api::{Upsertable, register_collation, upsert, wait};
use crate::support::{Random, on_every_database};

/// The columns beside the key.
const REST: &str = "v INTEGER NOT NULL, kept INTEGER NOT NULL, level INTEGER NOT NULL DEFAULT 7";

/// What a model does with a row that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Model {
    /// Updates one column, keeps another: both the first and the last row with
    /// a key matter.
    UpdateSome,
    /// The last row alone decides what the table holds, but the key, which
    /// stays as the first row wrote it.
    UpdateAll,
    DoNothing,
    /// Updates a column that some rows do not supply.
    UpdateOptional,
    /// Has no other updated column: a row that does not supply it updates
    /// nothing.
    UpdateOptionalAlone,
}

const MODELS: [Model; 5] = [
    Model::UpdateSome,
    Model::UpdateAll,
    Model::DoNothing,
    Model::UpdateOptional,
    Model::UpdateOptionalAlone,
];

#[derive(Debug, Clone)]
struct Proposed<K> {
    k: K,
    v: i32,
    kept: i32,
    level: Option<i32>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Options {
    chunk_size: Option<usize>,
    duplicates: Duplicates,
}

/// The table as it is, in the order of `v` and `kept`, which no two rows share.
/// Keys are shown, because some have no order.
type State = BTreeMap<(i32, i32), (String, i32)>;

/// A table `keyed` whose key has some type.
trait Keyed<C> {
    type Key: Debug + Clone;

    fn call(
        conn: &mut C,
        model: Model,
        rows: &[Proposed<Self::Key>],
        options: Options,
    ) -> upsert_core::Result<usize>;

    fn state(conn: &mut C) -> State;

    fn clear(conn: &mut C);
}

macro_rules! keyed {
    ($name:ident: $key:ty as [$($sql:tt)*] on $($(#[$meta:meta])* $conn:ty),*) => {
        mod $name {
            use super::*;

            diesel::table! {
                keyed (k) {
                    k -> $($sql)*,
                    v -> Integer,
                    kept -> Integer,
                    level -> Integer,
                }
            }

            #[derive(Upsertable)]
            #[diesel(table_name = keyed)]
            struct UpdateSome<'a> {
                #[conflict_key]
                k: &'a $key,
                #[on_conflict(update)]
                v: i32,
                kept: i32,
            }

            #[derive(Upsertable)]
            #[diesel(table_name = keyed)]
            #[upsert(update_all)]
            struct UpdateAll<'a> {
                #[conflict_key]
                k: &'a $key,
                v: i32,
                kept: i32,
            }

            #[derive(Upsertable)]
            #[diesel(table_name = keyed)]
            #[upsert(do_nothing)]
            struct DoNothing<'a> {
                #[conflict_key]
                k: &'a $key,
                v: i32,
                kept: i32,
            }

            #[derive(Upsertable)]
            #[diesel(table_name = keyed)]
            struct UpdateOptional<'a> {
                #[conflict_key]
                k: &'a $key,
                #[on_conflict(update)]
                v: i32,
                kept: i32,
                #[on_conflict(update)]
                level: Option<i32>,
            }

            #[derive(Upsertable)]
            #[diesel(table_name = keyed)]
            struct UpdateOptionalAlone<'a> {
                #[conflict_key]
                k: &'a $key,
                v: i32,
                kept: i32,
                #[on_conflict(update)]
                level: Option<i32>,
            }

            pub(super) struct Table;

            $($(#[$meta])* impl Keyed<$conn> for Table {
                type Key = $key;

                fn call(
                    conn: &mut $conn,
                    model: Model,
                    rows: &[Proposed<$key>],
                    options: Options,
                ) -> upsert_core::Result<usize> {
                    fn execute<R>(
                        conn: &mut $conn,
                        rows: &[R],
                        options: Options,
                    ) -> upsert_core::Result<usize>
                    where
                        R: Upsertable<Converted: Send + Sync>
                            + BindFields<<$conn as Connection>::Backend>
                            + Sync,
                    {
                        let call = upsert(rows).on_duplicate(options.duplicates);
                        match options.chunk_size {
                            Some(rows) => wait(call.chunk_size(rows).execute(conn)),
                            None => wait(call.execute(conn)),
                        }
                    }

                    match model {
                        Model::UpdateSome => {
                            let rows: Vec<_> = rows
                                .iter()
                                .map(|Proposed { k, v, kept, .. }| UpdateSome {
                                    k,
                                    v: *v,
                                    kept: *kept,
                                })
                                .collect();
                            execute(conn, &rows, options)
                        }
                        Model::UpdateAll => {
                            let rows: Vec<_> = rows
                                .iter()
                                .map(|Proposed { k, v, kept, .. }| UpdateAll {
                                    k,
                                    v: *v,
                                    kept: *kept,
                                })
                                .collect();
                            execute(conn, &rows, options)
                        }
                        Model::DoNothing => {
                            let rows: Vec<_> = rows
                                .iter()
                                .map(|Proposed { k, v, kept, .. }| DoNothing {
                                    k,
                                    v: *v,
                                    kept: *kept,
                                })
                                .collect();
                            execute(conn, &rows, options)
                        }
                        Model::UpdateOptional => {
                            let rows: Vec<_> = rows
                                .iter()
                                .map(|Proposed { k, v, kept, level }| UpdateOptional {
                                    k,
                                    v: *v,
                                    kept: *kept,
                                    level: *level,
                                })
                                .collect();
                            execute(conn, &rows, options)
                        }
                        Model::UpdateOptionalAlone => {
                            let rows: Vec<_> = rows
                                .iter()
                                .map(|Proposed { k, v, kept, level }| UpdateOptionalAlone {
                                    k,
                                    v: *v,
                                    kept: *kept,
                                    level: *level,
                                })
                                .collect();
                            execute(conn, &rows, options)
                        }
                    }
                }

                fn state(conn: &mut $conn) -> State {
                    let rows: Vec<($key, i32, i32, i32)> = keyed::table.load(conn).unwrap();
                    let count = rows.len();
                    let state: State = rows
                        .into_iter()
                        .map(|(k, v, kept, level)| ((v, kept), (format!("{k:?}"), level)))
                        .collect();
                    assert_eq!(state.len(), count, "two rows have the same values");
                    state
                }

                fn clear(conn: &mut $conn) {
                    diesel::delete(keyed::table).execute(conn).unwrap();
                }
            })*
        }
    };
}

keyed! {
    text: String as [Text] on
        crate::support::sqlite::Conn,
        #[cfg(feature = "postgres")] crate::support::postgres::Conn,
        #[cfg(feature = "mysql")] crate::support::mysql::Conn
}
keyed! {
    double: f64 as [Double] on
        crate::support::sqlite::Conn,
        #[cfg(feature = "postgres")] crate::support::postgres::Conn,
        #[cfg(feature = "mysql")] crate::support::mysql::Conn
}
keyed! {
    integer: i32 as [Integer] on
        crate::support::sqlite::Conn,
        #[cfg(feature = "postgres")] crate::support::postgres::Conn,
        #[cfg(feature = "mysql")] crate::support::mysql::Conn
}

/// The inputs, as positions in a list of keys: all pairs of the first three
/// keys, some triples of them, and longer ones of all keys.
fn inputs(keys: usize) -> Vec<Vec<usize>> {
    let few = keys.min(3);
    let pairs = (0..few).flat_map(|a| (0..few).map(move |b| vec![a, b]));
    let mut inputs: Vec<Vec<usize>> = pairs.collect();
    let mut random = Random::new(1);
    for _ in 0..8 {
        inputs.push((0..3).map(|_| random.below(few)).collect());
    }
    for length in [4, 4, 5, 5, 6, 7, 8, 9, 10, 12, 13] {
        inputs.push((0..length).map(|_| random.below(keys)).collect());
    }
    // Each key once.
    for _ in 0..5 {
        let mut input: Vec<_> = (0..keys).collect();
        random.shuffle(&mut input);
        inputs.push(input);
    }
    inputs
}

/// The input that a policy lets through; `None` where it is refused.
fn select(input: &[usize], duplicates: Duplicates) -> Option<Vec<usize>> {
    let is_first = |i: &usize| !input[..*i].contains(&input[*i]);
    let is_last = |i: &usize| !input[i + 1..].contains(&input[*i]);
    let all = 0..input.len();
    match duplicates {
        Duplicates::KeepFirst => Some(all.filter(is_first).collect()),
        Duplicates::KeepLast => Some(all.filter(is_last).collect()),
        Duplicates::Reject => all.clone().all(|i| is_first(&i)).then(|| all.collect()),
        _ => Some(all.collect()),
    }
}

/// Checks calls with the keys `keys`, all of which are encoded differently.
#[track_caller]
fn check<T, C>(conn: &mut C, keys: &[T::Key])
where
    C: Connection,
    T: Keyed<C>,
{
    check_inputs::<T, C>(conn, keys, &inputs(keys.len()));
}

#[track_caller]
fn check_inputs<T, C>(conn: &mut C, keys: &[T::Key], inputs: &[Vec<usize>])
where
    C: Connection,
    T: Keyed<C>,
{
    let mut random = Random::new(2);
    let mut failures = Vec::new();
    let mut calls = 0;
    for input in inputs.iter().step_by(crate::api::SHARE as usize) {
        for model in MODELS {
            let existing = keys.get(random.below(2 * keys.len())).map(|k| Proposed {
                k: k.clone(),
                v: -1,
                kept: -1,
                level: None,
            });
            // All rows without a level, all with one, or some.
            let (with, of) = [(0, 1), (1, 1), (1, 2)][random.below(3)];
            let rows: Vec<_> = (0..)
                .zip(input)
                .map(|(i, key)| Proposed {
                    k: keys[*key].clone(),
                    v: i,
                    kept: 100 + i,
                    level: (random.below(of) < with).then_some(1000 + i),
                })
                .collect();
            let mut options: Vec<_> = [None, Some(1), Some(2), Some(3)]
                .into_iter()
                .map(|chunk_size| (chunk_size, Duplicates::InOrder))
                .collect();
            let policies = [
                Duplicates::KeepFirst,
                Duplicates::KeepLast,
                Duplicates::Reject,
            ];
            options.push((None, policies[random.below(3)]));
            let trial = Trial {
                model,
                input,
                existing: existing.as_slice(),
                rows: &rows,
            };
            calls += options.len();
            failures.extend(trial.run::<T, C>(conn, &options));
        }
    }
    let shown: Vec<_> = failures.iter().take(6).map(String::as_str).collect();
    assert!(
        failures.is_empty(),
        "{} of {calls} calls went wrong:\n{}",
        failures.len(),
        shown.join("\n"),
    );
}

/// Some rows, to be sent in several ways.
struct Trial<'t, K> {
    model: Model,
    /// The rows' keys, as positions in the list of keys.
    input: &'t [usize],
    existing: &'t [Proposed<K>],
    rows: &'t [Proposed<K>],
}

impl<K: Debug + Clone> Trial<'_, K> {
    /// What went wrong, in words.
    fn run<T, C>(&self, conn: &mut C, options: &[(Option<usize>, Duplicates)]) -> Vec<String>
    where
        C: Connection,
        T: Keyed<C, Key = K>,
    {
        let before = if self.reset::<T, C>(conn) {
            T::state(conn)
        } else {
            State::new()
        };
        let mut failures = Vec::new();
        let mut in_order = None;
        for (chunk_size, duplicates) in options.iter().copied() {
            let options = Options {
                chunk_size,
                duplicates,
            };
            let selected = select(self.input, duplicates);
            let expected = selected.as_ref().map(|selected| {
                if duplicates == Duplicates::InOrder {
                    in_order
                        .get_or_insert_with(|| self.one_by_one::<T, C>(conn, selected))
                        .clone()
                } else {
                    self.one_by_one::<T, C>(conn, selected)
                }
            });
            self.reset::<T, C>(conn);
            let result = T::call(conn, self.model, self.rows, options);
            let state = T::state(conn);
            let failure = match (result, expected) {
                (Ok(count), Some((written, expected))) if state == expected => {
                    if count == written {
                        continue;
                    }
                    format!("the table is right, but {count} rows are counted, not {written}")
                }
                (Ok(_), Some((_, expected))) => {
                    format!("the table is {state:?} instead of {expected:?}")
                }
                (Ok(_), None) => "repeated keys are not rejected".to_owned(),
                (Err(Error::RepeatedKey { .. }), None) if state == before => continue,
                (Err(error), _) if state == before => format!("fails with {error}"),
                (Err(error), _) => format!("fails with {error}, and the table is {state:?}"),
            };
            let input: Vec<_> = self
                .rows
                .iter()
                .map(|row| (&row.k, row.v, row.level))
                .collect();
            let existing: Vec<_> = self.existing.iter().map(|row| &row.k).collect();
            failures.push(format!(
                "{:?}, {options:?}, existing {existing:?}, input {input:?}: {failure}",
                self.model,
            ));
        }
        failures
    }

    /// Leaves the existing row only, and says whether there is one.
    fn reset<T, C>(&self, conn: &mut C) -> bool
    where
        T: Keyed<C, Key = K>,
    {
        T::clear(conn);
        T::call(conn, Model::UpdateAll, self.existing, Options::default()).unwrap() > 0
    }

    /// How many rows are written one by one, and the table after that.
    fn one_by_one<T, C>(&self, conn: &mut C, selected: &[usize]) -> (usize, State)
    where
        C: Connection,
        T: Keyed<C, Key = K>,
    {
        // In one transaction, only because many take long.
        conn.transaction(|conn| {
            self.reset::<T, C>(conn);
            let mut written = 0;
            for i in selected {
                let row = std::slice::from_ref(&self.rows[*i]);
                written += T::call(conn, self.model, row, Options::default())?;
            }
            Ok::<_, Error>((written, T::state(conn)))
        })
        .unwrap()
    }
}

fn texts(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

// --- What a policy does with keys that are encoded the same -----------------

diesel::table! {
    pairs (a, b) {
        a -> Integer,
        b -> Text,
        v -> Integer,
        kept -> Integer,
    }
}

const CREATE_PAIRS: &str = "CREATE TABLE pairs (a INTEGER NOT NULL, b VARCHAR(20) NOT NULL, \
     v INTEGER NOT NULL, kept INTEGER NOT NULL, PRIMARY KEY (a, b))";

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = pairs)]
struct Pair {
    #[conflict_key]
    a: i32,
    #[conflict_key]
    b: &'static str,
    #[on_conflict(update)]
    v: i32,
    kept: i32,
}

/// Four rows with `(1, "x")`, two with `(2, "y")`, and one that is alone.
const PAIRS: [Pair; 7] = [
    Pair {
        a: 2,
        b: "y",
        v: 0,
        kept: 0,
    },
    Pair {
        a: 1,
        b: "x",
        v: 1,
        kept: 1,
    },
    Pair {
        a: 1,
        b: "y",
        v: 2,
        kept: 2,
    },
    Pair {
        a: 1,
        b: "x",
        v: 3,
        kept: 3,
    },
    Pair {
        a: 2,
        b: "y",
        v: 4,
        kept: 4,
    },
    Pair {
        a: 1,
        b: "x",
        v: 5,
        kept: 5,
    },
    Pair {
        a: 1,
        b: "x",
        v: 6,
        kept: 6,
    },
];

// --- Keys with NULL ---------------------------------------------------------

diesel::table! {
    nullable_keys (v) {
        part -> Nullable<Integer>,
        k -> Text,
        v -> Integer,
        kept -> Integer,
    }
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = nullable_keys)]
struct NullableKey {
    #[conflict_key(nullable)]
    part: Option<i32>,
    #[conflict_key]
    k: &'static str,
    #[on_conflict(update)]
    v: i32,
    kept: i32,
}

type NullableRow = (Option<i32>, String, i32, i32);

fn nullable_keys(keys: &[(Option<i32>, &'static str)]) -> Vec<NullableKey> {
    (0..)
        .zip(keys)
        .map(|(i, (part, k))| NullableKey {
            part: *part,
            k,
            v: i,
            kept: i,
        })
        .collect()
}

on_every_database! {
    shared {
        fn pairs(conn: &mut Conn) -> Vec<(i32, String, i32, i32)> {
            pairs::table.order((pairs::a, pairs::b)).load(conn).unwrap()
        }

        fn nullable_rows(conn: &mut Conn) -> Vec<NullableRow> {
            nullable_keys::table
                .order(nullable_keys::v)
                .load(conn)
                .unwrap()
        }
    }

    #[test]
    fn rows_with_one_key_by_policy(database) {
        database.run(CREATE_PAIRS);
        let conn = &mut database.conn;
        let row = |a, b: &str, v, kept| (a, b.to_owned(), v, kept);
        let expected = [
            (
                Duplicates::InOrder,
                7,
                [row(1, "x", 6, 1), row(1, "y", 2, 2), row(2, "y", 4, 0)],
            ),
            (
                Duplicates::KeepFirst,
                3,
                [row(1, "x", 1, 1), row(1, "y", 2, 2), row(2, "y", 0, 0)],
            ),
            (
                Duplicates::KeepLast,
                3,
                [row(1, "x", 6, 6), row(1, "y", 2, 2), row(2, "y", 4, 4)],
            ),
        ];
        for (policy, written, rows) in expected {
            for chunk_size in [1, 2, 3, 100] {
                diesel::delete(pairs::table).execute(conn).unwrap();
                let call = upsert(&PAIRS).on_duplicate(policy).chunk_size(chunk_size);
                assert_eq!(wait(call.execute(conn)).unwrap(), written, "{policy:?}, {chunk_size}");
                assert_eq!(pairs(conn), rows, "{policy:?}, {chunk_size}");
            }
        }
        // Once more on rows that exist.
        assert_eq!(wait(upsert(&PAIRS).execute(conn)).unwrap(), 7);
        assert_eq!(pairs(conn), [row(1, "x", 6, 6), row(1, "y", 2, 2), row(2, "y", 4, 4)]);
    }

    #[test]
    fn repeated_keys_are_rejected(database) {
        database.run(CREATE_PAIRS);
        let conn = &mut database.conn;
        let recorder = crate::support::Recorder::of(conn);
        let error = wait(
            upsert(&PAIRS)
                .on_duplicate(Duplicates::Reject)
                .execute(conn),
        )
        .unwrap_err();
        assert_eq!(recorder.take(), [], "something was sent");
        let Error::RepeatedKey { place, groups } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(*groups, [vec![0, 4], vec![1, 3, 5, 6]]);
        assert_eq!(place.table, "pairs");
        assert_eq!(place.target, ["a", "b"]);
        assert_eq!(place.rows, [0, 4, 1, 3, 5, 6]);
        assert_eq!(
            error.to_string(),
            "2 conflict keys are repeated in the input for `pairs` on conflict (a, b): the rows \
             0, 4; 1, 3, 5, 6: remove the repeated rows, or choose another policy with \
             `on_duplicate(..)`",
        );
        assert_eq!(pairs(conn), []);

        // Without the repeated ones there is nothing to reject.
        let written = wait(upsert(&PAIRS[..3]).on_duplicate(Duplicates::Reject).execute(conn));
        assert_eq!(written.unwrap(), 3);
        let row = |a, b: &str, v| (a, b.to_owned(), v, v);
        assert_eq!(pairs(conn), [row(1, "x", 1), row(1, "y", 2), row(2, "y", 0)]);

        // A long list is cut.
        let many: Vec<_> = (0..60).map(|i| Pair { a: i % 5, ..PAIRS[0].clone() }).collect();
        let error = wait(upsert(&many).on_duplicate(Duplicates::Reject).execute(conn)).unwrap_err();
        let Error::RepeatedKey { groups, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(groups.len(), 5);
        assert_eq!(groups[4], (4..60).step_by(5).collect::<Vec<_>>());
        assert!(
            error.to_string().contains(
                "the rows 0, 5, 10, 15, 20, 25, 30, 35, ..; 1, 6, 11, 16, 21, 26, 31, 36, ..; 2, 7, \
                 12, 17, 22, 27, 32, 37, ..; ..: remove",
            ),
            "{error}",
        );
    }

    #[test]
    fn a_key_with_null_is_the_same_as_no_other(database) {
        database.run("CREATE TABLE nullable_keys (part INTEGER, k VARCHAR(20) NOT NULL, \
             v INTEGER NOT NULL, kept INTEGER NOT NULL, UNIQUE (part, k))");
        let conn = &mut database.conn;
        let rows = nullable_keys(&[
            (None, "a"),
            (Some(1), "a"),
            (None, "a"),
            (Some(1), "a"),
            (None, "b"),
            (Some(2), "a"),
            (None, "a"),
        ]);
        let row = |part, k: &str, v, kept| (part, k.to_owned(), v, kept);
        let expected = [
            row(None, "a", 0, 0),
            row(None, "a", 2, 2),
            row(Some(1), "a", 3, 1),
            row(None, "b", 4, 4),
            row(Some(2), "a", 5, 5),
            row(None, "a", 6, 6),
        ];
        for chunk_size in [1, 2, 3, 100] {
            diesel::delete(nullable_keys::table).execute(conn).unwrap();
            assert_eq!(wait(upsert(&rows).chunk_size(chunk_size).execute(conn)).unwrap(), 7);
            assert_eq!(nullable_rows(conn), expected, "{chunk_size}");
        }
        for policy in [Duplicates::KeepFirst, Duplicates::KeepLast] {
            diesel::delete(nullable_keys::table).execute(conn).unwrap();
            assert_eq!(wait(upsert(&rows).on_duplicate(policy).execute(conn)).unwrap(), 6);
            let mut expected = expected.clone();
            expected[2] = if policy == Duplicates::KeepFirst {
                row(Some(1), "a", 1, 1)
            } else {
                row(Some(1), "a", 3, 3)
            };
            expected.sort_by_key(|row| row.2);
            assert_eq!(nullable_rows(conn), expected, "{policy:?}");
        }
        let error = wait(upsert(&rows).on_duplicate(Duplicates::Reject).execute(conn)).unwrap_err();
        assert!(
            matches!(&error, Error::RepeatedKey { groups, .. } if *groups == [[1, 3]]),
            "{error:?}",
        );
        // Every run inserts them anew.
        diesel::delete(nullable_keys::table).execute(conn).unwrap();
        for _ in 0..2 {
            assert_eq!(wait(upsert(&rows).execute(conn)).unwrap(), 7);
        }
        let parts = nullable_rows(conn).into_iter().map(|row| row.0);
        assert_eq!(parts.filter(Option::is_none).count(), 8);
    }

    #[test]
    fn integer_keys(database) {
        database.run(&format!("CREATE TABLE keyed (k INTEGER NOT NULL PRIMARY KEY, {REST})"));
        check::<integer::Table, _>(&mut database.conn, &[1, -1, 0, 256, i32::MIN, i32::MAX]);
    }

    #[test]
    fn text_keys(database) {
        database.run(&format!("CREATE TABLE keyed (k VARCHAR(20) NOT NULL PRIMARY KEY, {REST})"));
        check::<text::Table, _>(
            &mut database.conn,
            &texts(&["b", "a", "", "ab", "B\u{1}", "é", "日本"]),
        );
    }

    #[test]
    fn zero_and_minus_zero(database) {
        database.run(&format!(
            "CREATE TABLE keyed (k DOUBLE PRECISION NOT NULL PRIMARY KEY, {REST})",
        ));
        check::<double::Table, _>(&mut database.conn, &[0.0, -0.0, 1.0, -1.5]);
    }
}

// --- SQLite -----------------------------------------------------------------

fn check_sqlite_text(column: &str, keys: &[&str]) {
    let mut database = crate::support::sqlite::TestDatabase::new();
    database.run(&format!(
        "CREATE TABLE keyed (k {column} NOT NULL PRIMARY KEY, {REST})"
    ));
    check::<text::Table, _>(&mut database.conn, &texts(keys));
}

#[test]
fn sqlite_nocase() {
    check_sqlite_text(
        "TEXT COLLATE NOCASE",
        &["b", "B", "a", "bA", "Ba", "BA", "b "],
    );
    check_sqlite_text(
        "TEXT COLLATE NOCASE",
        &["é", "É", "e", "E", "b\u{0}", "B\u{0}"],
    );
}

#[test]
fn sqlite_rtrim() {
    check_sqlite_text(
        "TEXT COLLATE RTRIM",
        &["b ", "b", "a", "b  ", "B", " b", " b   "],
    );
    check_sqlite_text("TEXT COLLATE RTRIM", &["", " ", "é  ", "é", "\t", "\t "]);
}

/// The conflict target is the index, which has a collation of its own.
#[test]
fn sqlite_nocase_in_the_index_only() {
    let mut database = crate::support::sqlite::TestDatabase::new();
    database.run(&format!(
        "CREATE TABLE keyed (k TEXT COLLATE NOCASE NOT NULL, {REST}); \
         CREATE UNIQUE INDEX keyed_k ON keyed (k)",
    ));
    check::<text::Table, _>(&mut database.conn, &texts(&["b", "B", "a", "A"]));
}

/// A column of the type `STRING` has the affinity NUMERIC, a well-known trap:
/// text that looks like a number is stored as one.
#[test]
fn sqlite_text_in_a_column_of_numeric_affinity() {
    check_sqlite_text("STRING", &["1.0", "1", "2", "01", "1e0", "x", "X"]);
}

/// An application's own collation.
#[test]
fn sqlite_collation_of_the_application() {
    let mut database = crate::support::sqlite::TestDatabase::new();
    register_collation(&mut database.conn, "WITHOUT_DASHES", |a, b| {
        let plain = |text: &str| text.replace('-', "");
        plain(a).cmp(&plain(b))
    });
    database.run(&format!(
        "CREATE TABLE keyed (k TEXT COLLATE WITHOUT_DASHES NOT NULL PRIMARY KEY, {REST})",
    ));
    check::<text::Table, _>(&mut database.conn, &texts(&["bc", "b-c", "a", "-bc"]));
    // The check of the whole file, at the end, would need it too.
    database.run("DROP TABLE keyed");
}

// --- PostgreSQL -------------------------------------------------------------

#[cfg(feature = "postgres")]
mod on_postgres_only {
    use std::collections::Bound;

    use chrono::{NaiveDate, NaiveDateTime};
    use diesel::data_types::PgNumeric;

    use super::*;
    use crate::support::postgres::{Conn, ExtensionLock, TestDatabase};

    keyed!(numeric: PgNumeric as [Numeric] on Conn);
    keyed!(timestamp: NaiveDateTime as [Timestamp] on Conn);
    keyed!(range: (Bound<i32>, Bound<i32>) as [Int4range] on Conn);
    keyed!(doubles: Vec<f64> as [Array<Double>] on Conn);

    fn create(database: &mut TestDatabase, column: &str) {
        database.run(&format!(
            "CREATE TABLE keyed (k {column} NOT NULL PRIMARY KEY, {REST})"
        ));
    }

    fn check_text(column: &str, keys: &[&str]) {
        let mut database = TestDatabase::new();
        create(&mut database, column);
        check::<text::Table, _>(&mut database.conn, &texts(keys));
    }

    /// In the schema of the test: `ci` ignores case, `ai` accents too.
    fn create_collations(database: &mut TestDatabase) {
        database.run(
            "CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', \
             deterministic = false); \
             CREATE COLLATION ai (provider = icu, locale = 'und-u-ks-level1', \
             deterministic = false)",
        );
    }

    #[test]
    fn citext() {
        let mut lock = ExtensionLock::take();
        let mut database = TestDatabase::new();
        lock.create("citext", &mut database);
        create(&mut database, "citext");
        let keys = texts(&["b", "B", "a", "bA", "Ba", "BA", "é", "É"]);
        check::<text::Table, _>(&mut database.conn, &keys);
    }

    #[test]
    fn a_domain_over_citext() {
        let mut lock = ExtensionLock::take();
        let mut database = TestDatabase::new();
        lock.create("citext", &mut database);
        database.run("CREATE DOMAIN email AS citext CHECK (length(VALUE) > 0)");
        create(&mut database, "email");
        check::<text::Table, _>(&mut database.conn, &texts(&["b", "B", "a", "c"]));
    }

    #[test]
    fn collations_that_ignore_case_and_accents() {
        let keys = texts(&["b", "B", "a", "é", "É", "e", "e\u{301}"]);
        for column in ["text COLLATE ci", "text COLLATE ai", "email"] {
            let mut database = TestDatabase::new();
            create_collations(&mut database);
            database.run("CREATE DOMAIN email AS text COLLATE ci");
            create(&mut database, column);
            check::<text::Table, _>(&mut database.conn, &keys);
        }
    }

    /// PostgreSQL takes an index for a conflict target whatever its collation,
    /// so the column's own says nothing.
    #[test]
    fn a_collation_of_the_index() {
        for (column, index) in [("text", "ci"), ("text COLLATE ci", "\"C\"")] {
            let mut database = TestDatabase::new();
            create_collations(&mut database);
            database.run(&format!(
                "CREATE TABLE keyed (k {column} NOT NULL, {REST}); \
                 CREATE UNIQUE INDEX keyed_k ON keyed (k COLLATE {index})",
            ));
            check::<text::Table, _>(&mut database.conn, &texts(&["b", "B", "a", "c"]));
        }
    }

    #[test]
    fn char_padding() {
        check_text("char(4)", &["b ", "b", "a", "b  ", "", " ", "B"]);
    }

    #[test]
    fn a_domain_over_char() {
        let mut database = TestDatabase::new();
        database.run("CREATE DOMAIN code AS char(4)");
        create(&mut database, "code");
        check::<text::Table, _>(&mut database.conn, &texts(&["b ", "b", "a", "b  "]));
    }

    /// Spaces over the length of a `varchar(n)` are cut off, silently.
    #[test]
    fn varchar_cuts_spaces() {
        check_text("varchar(2)", &["bc ", "bc", "a", "bc  ", "b", "b ", "b  "]);
    }

    /// Anything over 63 bytes of a `name` is cut off, silently.
    #[test]
    fn name_cuts_text() {
        let long = "x".repeat(63);
        let keys = [format!("{long}b"), format!("{long}a"), "a".to_owned(), long];
        let mut database = TestDatabase::new();
        create(&mut database, "name");
        check::<text::Table, _>(&mut database.conn, &keys);
    }

    /// `value` with `decimals` digits behind the point.
    fn number(value: i64, decimals: u16) -> PgNumeric {
        let power = 10_i64.pow(decimals.into());
        let (whole, fraction) = (value / power, value % power);
        // Groups of four digits.
        let fraction = fraction * 10_000 / power;
        PgNumeric::Positive {
            weight: 0,
            scale: decimals,
            digits: vec![
                i16::try_from(whole).unwrap(),
                i16::try_from(fraction).unwrap(),
            ],
        }
    }

    #[test]
    fn numeric_rounding_and_scale() {
        // 1.04, 1.0, 2.0, 1.00, 0.96, 0.94
        let keys = [
            number(104, 2),
            number(10, 1),
            number(20, 1),
            number(100, 2),
            number(96, 2),
            number(94, 2),
        ];
        for column in ["numeric(6,1)", "numeric"] {
            let mut database = TestDatabase::new();
            create(&mut database, column);
            check::<numeric::Table, _>(&mut database.conn, &keys);
        }
    }

    fn time(milliseconds: u32) -> NaiveDateTime {
        let day = NaiveDate::from_ymd_opt(2026, 3, 1).unwrap();
        day.and_hms_milli_opt(12, 0, milliseconds / 1000, milliseconds % 1000)
            .unwrap()
    }

    fn times() -> [NaiveDateTime; 6] {
        // The first, second, fourth and fifth round to one second, the others
        // to the next.
        [
            time(1400),
            time(1000),
            time(1600),
            time(800),
            time(1499),
            time(2400),
        ]
    }

    #[test]
    fn timestamp_rounding() {
        let mut database = TestDatabase::new();
        create(&mut database, "timestamp(0)");
        check::<timestamp::Table, _>(&mut database.conn, &times());
    }

    #[test]
    fn a_domain_over_timestamp() {
        let mut database = TestDatabase::new();
        database.run("CREATE DOMAIN second AS timestamp(0)");
        create(&mut database, "second");
        check::<timestamp::Table, _>(&mut database.conn, &times());
    }

    /// Nanoseconds are cut off when they are bound, so these are three keys.
    #[test]
    fn nanoseconds() {
        let time = |nanoseconds| {
            let day = NaiveDate::from_ymd_opt(2026, 3, 1).unwrap();
            day.and_hms_nano_opt(12, 0, 0, nanoseconds).unwrap()
        };
        let mut database = TestDatabase::new();
        create(&mut database, "timestamp");
        let keys = [time(1_000), time(2_000), time(0)];
        check::<timestamp::Table, _>(&mut database.conn, &keys);

        let conn = &mut database.conn;
        let propose = |v, nanoseconds| Proposed {
            k: time(nanoseconds),
            v,
            kept: v,
            level: None,
        };
        let rows = [propose(1, 1_900), propose(2, 1_100), propose(3, 2_000)];
        <timestamp::Table as Keyed<Conn>>::clear(conn);
        let options = Options::default();
        let written = timestamp::Table::call(conn, Model::UpdateSome, &rows, options);
        assert_eq!(written.unwrap(), 3);
        let state = timestamp::Table::state(conn);
        let keys: Vec<_> = state.keys().copied().collect();
        assert_eq!(keys, [(2, 1), (3, 3)]);
    }

    /// Ranges of whole numbers have one form in the table: `[1, 3)`.
    #[test]
    fn ranges_in_different_forms() {
        use Bound::{Excluded, Included};

        let mut database = TestDatabase::new();
        create(&mut database, "int4range");
        let keys = [
            (Included(1), Included(2)),
            (Included(1), Excluded(3)),
            (Included(5), Excluded(6)),
            (Excluded(0), Included(2)),
        ];
        check::<range::Table, _>(&mut database.conn, &keys);
    }

    #[test]
    fn arrays_of_numbers() {
        let mut database = TestDatabase::new();
        create(&mut database, "double precision[]");
        let keys = [vec![0.0, 1.0], vec![-0.0, 1.0], vec![2.0], vec![]];
        check::<doubles::Table, _>(&mut database.conn, &keys);
    }

    fn create_trigger(database: &mut TestDatabase, new_key: &str) {
        database.run(&format!(
            "CREATE FUNCTION change_key() RETURNS trigger LANGUAGE plpgsql AS \
             $$BEGIN NEW.k := {new_key}; RETURN NEW; END$$; \
             CREATE TRIGGER change_key BEFORE INSERT ON keyed \
             FOR EACH ROW EXECUTE FUNCTION change_key()",
        ));
    }

    #[test]
    fn a_trigger_that_changes_text() {
        let mut database = TestDatabase::new();
        create(&mut database, "text");
        create_trigger(&mut database, "lower(NEW.k)");
        check::<text::Table, _>(
            &mut database.conn,
            &texts(&["b", "B", "a", "bA", "Ba", "BA"]),
        );
    }

    #[test]
    fn a_trigger_that_changes_integers() {
        let mut database = TestDatabase::new();
        create(&mut database, "integer");
        create_trigger(&mut database, "abs(NEW.k)");
        check::<integer::Table, _>(&mut database.conn, &[2, -2, 1, -1, 0]);
    }

    /// A partition has its parent's triggers, and may have its own.
    #[test]
    fn a_trigger_of_a_partition() {
        let mut database = TestDatabase::new();
        database.run(&format!(
            "CREATE TABLE keyed (k text NOT NULL PRIMARY KEY, {REST}) PARTITION BY HASH (k); \
             CREATE TABLE part PARTITION OF keyed FOR VALUES WITH (MODULUS 1, REMAINDER 0); \
             CREATE FUNCTION change_key() RETURNS trigger LANGUAGE plpgsql AS \
             $$BEGIN NEW.k := lower(NEW.k); RETURN NEW; END$$; \
             CREATE TRIGGER change_key BEFORE INSERT ON part \
             FOR EACH ROW EXECUTE FUNCTION change_key()",
        ));
        check::<text::Table, _>(&mut database.conn, &texts(&["b", "B", "a", "c"]));
    }

    /// The rows with NULL all go out, and fill statements in which the others
    /// then stand apart.
    #[test]
    fn nulls_among_keys_that_only_the_database_holds_equal() {
        let mut database = TestDatabase::new();
        create_collations(&mut database);
        database.run(
            "CREATE TABLE nullable_keys (part INTEGER, k text COLLATE ci NOT NULL, \
             v INTEGER NOT NULL, kept INTEGER NOT NULL, UNIQUE (part, k))",
        );
        let conn = &mut database.conn;
        for nulls in 0..6 {
            let mut keys = vec![(Some(1), "b"), (Some(1), "B")];
            keys.extend(vec![(None, "n"); nulls]);
            let rows = nullable_keys(&keys);
            for chunk_size in [1, 2, 3, 4, 100] {
                diesel::delete(nullable_keys::table).execute(conn).unwrap();
                let written = wait(upsert(&rows).chunk_size(chunk_size).execute(conn)).unwrap();
                assert_eq!(written, rows.len());
                let rows: Vec<NullableRow> = nullable_keys::table
                    .filter(nullable_keys::part.is_not_null())
                    .load(conn)
                    .unwrap();
                assert_eq!(
                    rows,
                    [(Some(1), "b".to_owned(), 1, 0)],
                    "{nulls} rows with NULL, chunks of {chunk_size}",
                );
                let all = nullable_keys::table
                    .count()
                    .get_result::<i64>(conn)
                    .unwrap();
                assert_eq!(usize::try_from(all), Ok(nulls + 1));
            }
        }
    }

    /// Inside of a transaction PostgreSQL's refusal must not end it.
    #[test]
    fn inside_of_a_transaction() {
        let mut database = TestDatabase::new();
        create_collations(&mut database);
        create(&mut database, "text COLLATE ci");
        let conn = &mut database.conn;
        conn.begin_test_transaction().unwrap();
        // Few: rows that are deleted in a transaction are in its way to the end.
        let inputs = [
            vec![0, 1],
            vec![2, 1, 0],
            vec![1, 1, 0, 3, 0],
            vec![3, 0, 2, 1, 0, 1],
        ];
        check_inputs::<text::Table, _>(conn, &texts(&["b", "B", "a", "c"]), &inputs);
    }
}

// --- MySQL and MariaDB ------------------------------------------------------

#[cfg(feature = "mysql")]
mod on_mysql_only {
    use chrono::{NaiveDate, NaiveDateTime};

    use super::*;
    use crate::support::mysql::{Conn, TestDatabase};

    keyed!(datetime: NaiveDateTime as [Datetime] on Conn);
    keyed!(bytes: Vec<u8> as [Binary] on Conn);

    fn create(database: &mut TestDatabase, column: &str) {
        database.run(&format!(
            "CREATE TABLE keyed (k {column} NOT NULL PRIMARY KEY, {REST})"
        ));
    }

    fn check_text(column: &str, keys: &[&str]) {
        let mut database = TestDatabase::new();
        create(&mut database, column);
        check::<text::Table, _>(&mut database.conn, &texts(keys));
    }

    #[test]
    fn case() {
        check_text("varchar(20)", &["b", "B", "a", "bA", "Ba", "BA", "c"]);
    }

    #[test]
    fn accents() {
        check_text("varchar(20)", &["e", "é", "a", "É", "E", "ê", "ß", "s"]);
    }

    #[test]
    fn trailing_spaces() {
        check_text("varchar(20)", &["b ", "b", "a", "b  ", "B ", "", " "]);
        check_text(
            "varchar(20) COLLATE utf8mb4_bin",
            &["b ", "b", "a", "b  ", "B", "", " "],
        );
        check_text(
            "varchar(20) COLLATE utf8mb4_nopad_bin",
            &["b ", "b", "a", "b  ", "B"],
        );
        check_text(
            "char(4) COLLATE utf8mb4_nopad_bin",
            &["b ", "b", "a", "b  ", "B"],
        );
    }

    /// General collations hold all characters outside of the first 65536
    /// equal.
    #[test]
    fn emoji() {
        check_text(
            "varchar(20) COLLATE utf8mb4_general_ci",
            &["😁", "😀", "a", "?"],
        );
    }

    /// Characters that a collation ignores.
    #[test]
    fn ignored_characters() {
        check_text(
            "varchar(20) COLLATE utf8mb4_unicode_ci",
            &["b\u{1}", "b", "a", "\u{1}b", "b\u{0}", "\u{ad}B"],
        );
    }

    /// In Lithuanian, a group of letters is sorted as one of them.
    #[test]
    fn groups_of_letters() {
        check_text(
            "varchar(20) COLLATE utf8mb4_lithuanian_ci",
            &["ch", "c", "a", "CH", "d"],
        );
    }

    /// Some old character sets hold ASCII characters equal that have nothing
    /// to do with each other.
    #[test]
    fn old_character_sets() {
        for (collation, keys) in [
            (
                "CHARACTER SET gbk COLLATE gbk_chinese_ci",
                ["~", "y", "a", "Y"],
            ),
            (
                "CHARACTER SET big5 COLLATE big5_chinese_ci",
                ["e", "`", "a", "E"],
            ),
            (
                "CHARACTER SET cp1251 COLLATE cp1251_ukrainian_ci",
                ["b`", "b", "a", "b ` "],
            ),
            (
                "CHARACTER SET macce COLLATE macce_general_ci",
                ["n", "m", "a", "N"],
            ),
        ] {
            check_text(&format!("varchar(20) {collation}"), &keys);
        }
    }

    fn time(milliseconds: u32) -> NaiveDateTime {
        let day = NaiveDate::from_ymd_opt(2026, 3, 1).unwrap();
        day.and_hms_milli_opt(12, 0, milliseconds / 1000, milliseconds % 1000)
            .unwrap()
    }

    /// The column has seconds; the fraction is cut off, or rounded.
    #[test]
    fn datetime_of_seconds() {
        let mut database = TestDatabase::new();
        create(&mut database, "datetime");
        let keys = [
            time(1400),
            time(1000),
            time(2000),
            time(1600),
            time(1100),
            time(2400),
        ];
        check::<datetime::Table, _>(&mut database.conn, &keys);
        database.run("SET sql_mode = CONCAT(@@sql_mode, ',TIME_ROUND_FRACTIONAL')");
        check::<datetime::Table, _>(&mut database.conn, &keys);
        // All are seconds.
        let keys = [time(3000), time(1000), time(2000), time(0)];
        check::<datetime::Table, _>(&mut database.conn, &keys);
    }

    /// `binary(n)` is filled up with zeros.
    #[test]
    fn binary_padding() {
        let mut database = TestDatabase::new();
        create(&mut database, "binary(4)");
        let keys = [
            b"b\0".to_vec(),
            b"b".to_vec(),
            b"a".to_vec(),
            b"b\0\0\0".to_vec(),
        ];
        check::<bytes::Table, _>(&mut database.conn, &keys);
    }

    #[test]
    fn varbinary() {
        let mut database = TestDatabase::new();
        create(&mut database, "varbinary(4)");
        let keys = [
            b"b ".to_vec(),
            b"b".to_vec(),
            b"B".to_vec(),
            b"b\0".to_vec(),
            vec![],
        ];
        check::<bytes::Table, _>(&mut database.conn, &keys);
    }

    fn create_trigger(database: &mut TestDatabase, new_key: &str) {
        database.run(&format!(
            "CREATE TRIGGER change_key BEFORE INSERT ON keyed \
             FOR EACH ROW SET NEW.k = {new_key}",
        ));
    }

    #[test]
    fn a_trigger_that_changes_case() {
        let mut database = TestDatabase::new();
        create(&mut database, "varchar(20) COLLATE utf8mb4_nopad_bin");
        create_trigger(&mut database, "LOWER(NEW.k)");
        check::<text::Table, _>(
            &mut database.conn,
            &texts(&["b", "B", "a", "bA", "Ba", "BA"]),
        );
    }

    #[test]
    fn a_trigger_that_changes_more_than_case() {
        let mut database = TestDatabase::new();
        create(&mut database, "varchar(20)");
        create_trigger(&mut database, "REPLACE(NEW.k, '-', '')");
        check::<text::Table, _>(&mut database.conn, &texts(&["bc", "b-c", "a", "-bc"]));
    }

    #[test]
    fn a_trigger_that_changes_integers() {
        let mut database = TestDatabase::new();
        create(&mut database, "integer");
        create_trigger(&mut database, "ABS(NEW.k)");
        check::<integer::Table, _>(&mut database.conn, &[2, -2, 1, -1, 0]);
    }

    /// Without the strict mode, text that is too long is cut, and a number out
    /// of range becomes the nearest one.
    #[test]
    fn without_strict_mode() {
        let mut database = TestDatabase::new();
        database.run("SET sql_mode = ''");
        create(&mut database, "varchar(1)");
        check::<text::Table, _>(&mut database.conn, &texts(&["bb", "ba", "a", "b"]));
        database.run("DROP TABLE keyed");
        create(&mut database, "tinyint");
        check::<integer::Table, _>(&mut database.conn, &[300, 200, 1, 127]);
    }
}

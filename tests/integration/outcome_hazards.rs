//! `outcome`, `returning` and `returning_old` on tables, indexes, triggers and
//! neighbours that make it hard to tell what became of a row.
//!
//! A [`Case`] is one call, made in every way there is: the plain call, which is
//! the judge of what the table ends as, and the ways that tell. What each tells
//! is compared row by row, with rows named by the key that is stored, and the
//! whole table is compared after each. The answer may be an error, but never
//! another row or another action.

use upsert_core::{Action, Change};

mod atomicity;
mod concurrency;
#[cfg(feature = "mysql")]
mod mysql;
mod names;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod races;
mod sqlite;

/// What a call does with existing rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// `v` is overwritten.
    Update,
    /// `do_nothing`
    Nothing,
    /// `skip_unchanged`
    Changed,
    /// `update_if`: where the stored `v` is smaller.
    Smaller,
    /// Both guards.
    SmallerChanged,
}

/// What of a call is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Execute,
    Outcome,
    Rows,
    RowsAndActions,
    Changes,
}

impl Way {
    const TELLING: [Self; 4] = [
        Self::Outcome,
        Self::Rows,
        Self::RowsAndActions,
        Self::Changes,
    ];
}

/// The `id` and `v` of a row.
type Seen = (i32, i32);

/// What a call tells of a row.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    action: Option<Action>,
    old: Option<Seen>,
    new: Option<Seen>,
}

impl From<Action> for Told {
    fn from(action: Action) -> Self {
        Self {
            action: Some(action),
            ..Self::default()
        }
    }
}

impl From<Seen> for Told {
    fn from(new: Seen) -> Self {
        Self {
            new: Some(new),
            ..Self::default()
        }
    }
}

impl From<(Action, Seen)> for Told {
    fn from((action, new): (Action, Seen)) -> Self {
        Self {
            action: Some(action),
            new: Some(new),
            old: None,
        }
    }
}

impl From<Change<Seen>> for Told {
    fn from(change: Change<Seen>) -> Self {
        Self {
            action: Some(change.action),
            old: change.old,
            new: Some(change.new),
        }
    }
}

/// A call, and what it has to tell.
#[derive(Debug, Clone)]
struct Case<K> {
    name: &'static str,
    /// Makes the table `items`, and its rows.
    setup: String,
    /// Makes the rows again, where that is enough.
    again: Option<String>,
    /// How keys are read as text.
    key: &'static str,
    how: How,
    input: Vec<(K, i32)>,
    /// One row after the other, as `Updated a=1 a=2`: the action, the old row
    /// and the new one, `-` for none. Or what an error says, behind a `!`.
    outcome: String,
    /// The same for `returning`, if it differs.
    rows: Option<String>,
    /// And for `returning_old`.
    changes: Option<String>,
    /// The table after it, as `a=1 b=2`.
    table: String,
}

impl<K: Clone> Case<K> {
    fn new(name: &'static str, setup: impl Into<String>, how: How, input: &[(K, i32)]) -> Self {
        Self {
            name,
            setup: setup.into(),
            again: None,
            key: "CAST(k AS CHAR(40))",
            how,
            input: input.to_vec(),
            outcome: String::new(),
            rows: None,
            changes: None,
            table: String::new(),
        }
    }

    #[cfg_attr(not(feature = "mysql"), allow(dead_code))]
    fn again(mut self, again: &str) -> Self {
        self.again = Some(again.to_owned());
        self
    }

    fn key(mut self, key: &'static str) -> Self {
        self.key = key;
        self
    }

    fn tells(mut self, outcome: &str, table: &str) -> Self {
        outcome.clone_into(&mut self.outcome);
        table.clone_into(&mut self.table);
        self
    }

    fn rows(mut self, rows: &str) -> Self {
        self.rows = Some(rows.to_owned());
        self
    }

    fn changes(mut self, changes: &str) -> Self {
        self.changes = Some(changes.to_owned());
        self
    }

    /// `returning` and `returning_old` fail with this.
    fn rows_fail(self, error: &str) -> Self {
        self.rows(error).changes(error)
    }

    fn expected(&self, way: Way) -> &str {
        let special = match way {
            Way::Execute | Way::Outcome => None,
            Way::Rows | Way::RowsAndActions => self.rows.as_ref(),
            Way::Changes => self.changes.as_ref(),
        };
        special.unwrap_or(&self.outcome)
    }

    /// What is told of the expected rows in this way.
    fn told(&self, way: Way) -> Vec<String> {
        let rows = self.expected(way).split("; ");
        let parts = rows.map(|row| {
            let mut words = row.split(' ');
            let mut next = || words.next().unwrap_or("?").to_owned();
            let (action, old, new) = (next(), next(), next());
            match way {
                Way::Execute | Way::Outcome => format!("{action} - -"),
                Way::Rows => format!("- - {new}"),
                Way::RowsAndActions => format!("{action} - {new}"),
                Way::Changes => format!("{action} {old} {new}"),
            }
        });
        parts.collect()
    }
}

/// A call with the stored keys `a` and `b`, two that are equal to them, and two
/// that are equal to each other; the table has them as `names`.
fn equal_keys<K: Clone>(
    name: &'static str,
    setup: &str,
    keys: [K; 6],
    names: [&str; 3],
) -> Vec<Case<K>> {
    let [a, b, a2, b2, c, c2] = keys;
    let input = [(c, 3), (a, 2), (b, 5), (b2, 6), (c2, 4), (a2, 2)];
    let spell = |text: &str| {
        let [a, b, c] = names;
        let words = text.split(' ').map(|word| match word.split_once('=') {
            Some(("a", rest)) => format!("{a}={rest}"),
            Some(("b", rest)) => format!("{b}={rest}"),
            Some(("c", rest)) => format!("{c}={rest}"),
            _ => word.to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    };
    let insert = setup.rfind("INSERT INTO items").unwrap();
    let insert = setup[insert..].split("; ").next().unwrap();
    let again = format!("DELETE FROM items; {insert}");
    let calls = [
        (
            How::Update,
            "Inserted - c=3; Updated a=1 a=2; Updated b=5 b=5; Updated b=5 b=6; \
             Updated c=3 c=4; Updated a=2 a=2",
            "a=2 b=6 c=4",
        ),
        (
            How::Nothing,
            "Inserted - c=3; Skipped a=1 a=1; Skipped b=5 b=5; Skipped b=5 b=5; \
             Skipped c=3 c=3; Skipped a=1 a=1",
            "a=1 b=5 c=3",
        ),
        (
            How::SmallerChanged,
            "Inserted - c=3; Updated a=1 a=2; Skipped b=5 b=5; Updated b=5 b=6; \
             Updated c=3 c=4; Skipped a=2 a=2",
            "a=2 b=6 c=4",
        ),
    ];
    let cases = calls.into_iter().map(|(how, tells, table)| {
        let case = Case::new(name, setup, how, &input).again(&again);
        case.tells(&spell(tells), &spell(table))
    });
    cases.collect()
}

/// An error, and what is behind it.
fn in_full(error: &upsert_core::Error) -> String {
    let mut text = format!("{error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// The calls of a model of `items`, whose key is a type of its own, in every
/// way, and a function that checks a case with them.
macro_rules! keyed {
    ($name:ident: $rust:ty as [$($sql:tt)+]) => {
        keyed!($name: $rust as [$($sql)+], conflict_key);
    };
    ($name:ident: $rust:ty as [$($sql:tt)+], $key:meta) => {
        pub(in crate::outcome_hazards) mod $name {
            #[allow(unused_imports)]
            use super::*;

            diesel::table! {
                use diesel::sql_types::*;
                #[allow(unused_imports)]
                use super::*;
                items (id) {
                    id -> Integer,
                    k -> $($sql)+,
                    v -> Integer,
                }
            }

            #[derive(Debug, Clone, upsert_core::Upsertable)]
            #[diesel(table_name = items)]
            struct Item {
                #[$key]
                k: $rust,
                #[on_conflict(update)]
                v: i32,
            }

            pub(in crate::outcome_hazards) fn call(
                conn: &mut Conn,
                input: &[($rust, i32)],
                how: How,
                way: Way,
                chunk_size: usize,
            ) -> upsert_core::Result<Vec<Told>> {
                use upsert_core::excluded;
                let input = input.iter().cloned();
                let rows: Vec<Item> = input.map(|(k, v)| Item { k, v }).collect();
                let call = || upsert(&rows).chunk_size(chunk_size);
                let is_smaller = items::v.lt(excluded(items::v));
                match how {
                    How::Update => tell!(call(), way, conn),
                    How::Nothing => tell!(call().do_nothing(), way, conn),
                    How::Changed => tell!(call().skip_unchanged(true), way, conn),
                    How::Smaller => tell!(call().update_if(is_smaller), way, conn),
                    How::SmallerChanged => {
                        tell!(call().update_if(is_smaller).skip_unchanged(true), way, conn)
                    }
                }
            }

            #[allow(dead_code)]
            pub(in crate::outcome_hazards) fn check(cases: &mut Cases, case: &Case<$rust>) {
                cases.check(case, call);
            }
        }
    };
}
use keyed;

/// Makes a call, of a model of the `items` that are in scope, in a way.
macro_rules! tell {
    ($call:expr, $way:expr, $conn:expr) => {{
        let conn: &mut Conn = $conn;
        let call = $call;
        match $way {
            Way::Execute => wait(call.execute(conn)).map(|written| vec![Told::default(); written]),
            Way::Outcome => wait(call.outcome(conn))
                .map(|outcome| outcome.into_iter().map(Told::from).collect()),
            Way::Rows => wait(
                call.returning((items::id, items::v))
                    .get_results::<Seen, _>(conn),
            )
            .map(|rows| rows.into_iter().map(Told::from).collect()),
            Way::RowsAndActions => wait(
                call.returning((items::id, items::v))
                    .outcome::<Seen, _>(conn),
            )
            .map(|rows| rows.into_iter().map(Told::from).collect()),
            Way::Changes => wait(
                call.returning_old((items::id, items::v))
                    .get_results::<Seen, _>(conn),
            )
            .map(|rows| rows.into_iter().map(Told::from).collect()),
        }
    }};
}
use tell;

/// `Conn`, `TestDatabase` and what checks a case on them.
macro_rules! cases_on {
    ($system:ident) => {
        #[allow(unused_imports)]
        use diesel::connection::SimpleConnection;
        use diesel::prelude::*;

        use crate::api::{upsert, wait};
        #[allow(unused_imports)]
        use crate::outcome_hazards::{
            Case, How, Seen, Told, Way, equal_keys, in_full, keyed, tell,
        };
        use crate::support::$system::{Conn, TestDatabase};

        #[derive(QueryableByName)]
        struct Line {
            #[diesel(sql_type = diesel::sql_types::Integer)]
            id: i32,
            #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::Text>)]
            k: Option<String>,
            #[diesel(sql_type = diesel::sql_types::Integer)]
            v: i32,
        }

        /// The rows of the table, each as `a=1`, with their numbers.
        pub(in crate::outcome_hazards) fn table(conn: &mut Conn, key: &str) -> Vec<(i32, String)> {
            let lines: Vec<Line> =
                diesel::sql_query(format!("SELECT id, {key} AS k, v FROM items"))
                    .load(conn)
                    .unwrap();
            let lines = lines.into_iter().map(|line| {
                let k = line.k.unwrap_or_else(|| "NULL".to_owned());
                (line.id, format!("{}={}", k.replace(' ', "_"), line.v))
            });
            let mut lines: Vec<_> = lines.collect();
            lines.sort_by_key(|(_, line)| (line.to_lowercase(), line.clone()));
            lines
        }

        /// One call of a model.
        type Call<K> =
            fn(&mut Conn, &[(K, i32)], How, Way, usize) -> upsert_core::Result<Vec<Told>>;

        /// A database, and the cases that failed on it.
        pub(in crate::outcome_hazards) struct Cases {
            pub(super) database: TestDatabase,
            reader: Conn,
            failures: Vec<String>,
            /// What has set up the table.
            setup: String,
        }

        impl Cases {
            pub(super) fn new() -> Self {
                let database = TestDatabase::new();
                let mut reader = database.connect();
                if crate::support::$system::SYSTEM.is_postgres() {
                    // Keys are compared as texts.
                    let settings = "SET DateStyle = 'ISO'; SET bytea_output = 'hex'";
                    reader.batch_execute(settings).unwrap();
                }
                Self {
                    reader,
                    database,
                    failures: Vec::new(),
                    setup: String::new(),
                }
            }

            fn check<K: Clone>(&mut self, case: &Case<K>, call: Call<K>) {
                for way in [Way::Execute].into_iter().chain(Way::TELLING) {
                    for (chunk_size, in_transaction) in [(1000, false), (2, true)] {
                        let chunks = (chunk_size, in_transaction);
                        if let Err(failure) = self.check_way(case, call, way, chunks) {
                            self.failures.push(format!(
                                "{}, {:?}: {way:?}, chunks of {chunk_size}, in the caller's \
                                 transaction: {in_transaction}\n{failure}",
                                case.name, case.how,
                            ));
                        }
                    }
                }
            }

            fn check_way<K: Clone>(
                &mut self,
                case: &Case<K>,
                call: Call<K>,
                way: Way,
                (chunk_size, in_transaction): (usize, bool),
            ) -> Result<(), String> {
                match &case.again {
                    Some(again) if self.setup == case.setup => self.database.run(again),
                    _ => self.database.run(&case.setup),
                }
                self.setup.clone_from(&case.setup);
                let before = table(&mut self.reader, case.key);
                let conn = &mut self.database.conn;
                let called = |conn: &mut Conn| call(conn, &case.input, case.how, way, chunk_size);
                let result = if in_transaction {
                    let result = conn.transaction(|conn| {
                        let result = called(conn);
                        // The caller can go on, whatever happened.
                        conn.batch_execute("SELECT 1")?;
                        diesel::QueryResult::Ok(result)
                    });
                    result.map_err(|error| format!("the caller's transaction: {error}"))?
                } else {
                    called(conn)
                };
                let after = table(&mut self.reader, case.key);
                let expected = case.expected(way);
                if let Some(message) = expected.strip_prefix('!') {
                    let error = match result {
                        Err(error) => in_full(&error),
                        Ok(told) => return Err(format!("no error but {}", name(&told, &after))),
                    };
                    same(error.contains(message), true).map_err(|_| error)?;
                    return same(&before, &after);
                }
                let told = result.map_err(|error| in_full(&error))?;
                let lines: Vec<_> = after.iter().map(|(_, line)| line.as_str()).collect();
                let mut expected: Vec<_> = case.table.split_whitespace().collect();
                expected.sort_by_key(|line| (line.to_lowercase(), line.to_owned()));
                same(lines.join(" "), expected.join(" "))?;
                let expected = case.told(way);
                if way == Way::Execute {
                    let is_written =
                        |it: &&String| it.starts_with("Inserted") || it.starts_with("Updated");
                    return same(told.len(), expected.iter().filter(is_written).count());
                }
                same(name(&told, &after), expected.join("; "))
            }
        }

        impl Drop for Cases {
            fn drop(&mut self) {
                if !std::thread::panicking() {
                    assert!(self.failures.is_empty(), "\n{}", self.failures.join("\n"));
                }
            }
        }

        fn same<T: std::fmt::Debug + PartialEq>(left: T, right: T) -> Result<(), String> {
            if left == right {
                Ok(())
            } else {
                Err(format!("  is        {left:?}\n  should be {right:?}"))
            }
        }

        /// What was told of the rows, with the keys that the table has for their
        /// numbers.
        pub(in crate::outcome_hazards) fn name(told: &[Told], table: &[(i32, String)]) -> String {
            let row = |seen: Option<Seen>| {
                seen.map_or("-".to_owned(), |(id, v)| {
                    let mut rows = table.iter();
                    let line = rows
                        .find(|(it, _)| *it == id)
                        .map_or("?=", |(_, line)| line);
                    let (k, _) = line.rsplit_once('=').unwrap();
                    format!("{k}={v}")
                })
            };
            let told = told.iter().map(|told| {
                let action = told
                    .action
                    .map_or("-".to_owned(), |action| format!("{action:?}"));
                format!("{action} {} {}", row(told.old), row(told.new))
            });
            told.collect::<Vec<_>>().join("; ")
        }
    };
}
use cases_on;

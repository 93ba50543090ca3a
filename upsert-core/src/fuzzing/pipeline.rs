//! Whole calls on SQLite.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Debug;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::Error as DieselError;

use super::Source;
use crate::{Action, Duplicates, Error, OnError};

const CREATE: &str = "CREATE TABLE items (a INTEGER NOT NULL, b NOT NULL, \
     total BIGINT NOT NULL, most INTEGER, least INTEGER, note TEXT, first TEXT, \
     level INTEGER NOT NULL DEFAULT 7 CHECK (level <> 13), origin TEXT, \
     version INTEGER NOT NULL, PRIMARY KEY (a, b))";

/// A level that the table refuses.
const REFUSED: i32 = 13;

/// What a row may do to one that exists.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// A rule for each column.
    Ruled,
    /// It replaces all of it.
    Replaced,
    /// It replaces it if it is newer.
    Newer,
    /// It replaces some of it, where that changes.
    Changed,
    /// Nothing.
    New,
}

/// How the rows of a call are sent.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Abort,
    Name,
    Skip,
    Outcome,
    /// With a commit after so many rows.
    Stream(usize),
}

#[derive(Debug)]
struct Call<K> {
    kind: Kind,
    way: Way,
    chunk_size: Option<usize>,
    duplicates: Duplicates,
    /// In a transaction of the caller's.
    in_transaction: bool,
    /// Which is rolled back.
    is_rolled_back: bool,
    rows: Vec<(K, Row)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    total: i64,
    most: Option<i32>,
    least: Option<i32>,
    note: Option<String>,
    first: Option<String>,
    /// `None` is the DEFAULT, or the existing row's.
    level: Option<i32>,
    origin: Option<String>,
    version: i32,
}

type Table<K> = BTreeMap<K, Row>;

/// What a call returns.
#[derive(Debug)]
enum Answer {
    Written(usize),
    Outcome(Vec<Action>),
    /// And the positions of the rows that were left out.
    Skipped(usize, Vec<usize>),
}

impl Row {
    fn draw(source: &mut Source<'_>) -> Self {
        const TEXTS: &[&str] = &["", "a", "A", "é"];
        Self {
            total: i64::from(source.byte()) - 128,
            most: source.option(|it| i32::from(it.byte() % 4)),
            least: source.option(|it| i32::from(it.byte() % 4)),
            note: source.option(|it| it.pick(TEXTS).to_owned()),
            first: source.option(|it| it.pick(TEXTS).to_owned()),
            level: source.option(|it| i32::from(it.byte() % 16)),
            origin: source.option(|it| it.pick(TEXTS).to_owned()),
            version: i32::from(source.byte() % 4),
        }
    }

    fn is_refused(&self) -> bool {
        self.level == Some(REFUSED)
    }

    /// What a call does to a row that exists, and what becomes of that.
    fn update(&self, old: &mut Self, kind: Kind) -> Action {
        let level = self.level.or(old.level);
        match kind {
            Kind::Ruled => {
                old.total += self.total;
                old.most = old.most.max(self.most);
                // `None` is the smallest.
                old.least = [old.least, self.least].into_iter().flatten().min();
                old.note = self.note.clone().or(old.note.take());
                old.first = old.first.take().or(self.first.clone());
                old.version = self.version;
                old.level = level;
            }
            Kind::Newer if self.version <= old.version => return Action::Skipped,
            Kind::Replaced | Kind::Newer => {
                *old = self.clone();
                old.level = level;
            }
            Kind::Changed => {
                if (&old.note, old.level) == (&self.note, level) {
                    return Action::Unchanged;
                }
                old.note.clone_from(&self.note);
                old.level = level;
                old.version = self.version;
            }
            Kind::New => return Action::Skipped,
        }
        Action::Updated
    }
}

impl<K: Ord + Clone + Debug> Call<K> {
    fn draw(source: &mut Source<'_>, key: fn(&mut Source<'_>) -> K) -> Self {
        const KINDS: &[Kind] = &[
            Kind::Ruled,
            Kind::Replaced,
            Kind::Newer,
            Kind::Changed,
            Kind::New,
        ];
        const POLICIES: &[Duplicates] = &[
            Duplicates::InOrder,
            Duplicates::InOrder,
            Duplicates::KeepFirst,
            Duplicates::KeepLast,
            Duplicates::Reject,
        ];
        let every = 1 + source.below(12);
        let ways = [
            Way::Abort,
            Way::Name,
            Way::Skip,
            Way::Outcome,
            Way::Stream(every),
        ];
        let way = source.pick(&ways);
        Self {
            kind: source.pick(KINDS),
            way,
            chunk_size: source.option(|it| it.below(12)),
            duplicates: match way {
                // No row is chosen that might have to be left out.
                Way::Skip if source.flag() => Duplicates::Reject,
                Way::Stream(_) | Way::Skip => Duplicates::InOrder,
                _ => source.pick(POLICIES),
            },
            // Those of a stream are its own.
            in_transaction: source.flag() && !matches!(way, Way::Stream(_)),
            is_rolled_back: source.flag(),
            rows: (0..source.below(24))
                .map(|_| (key(source), Row::draw(source)))
                .collect(),
        }
    }

    /// The positions of the rows that the duplicate policy lets through.
    fn selected(&self) -> Option<Vec<usize>> {
        let same = |a: &usize, b: &usize| self.rows[*a].0 == self.rows[*b].0;
        let all = 0..self.rows.len();
        let is_first = |row: &usize| !(0..*row).any(|other| same(&other, row));
        let is_last = |row: &usize| !(row + 1..self.rows.len()).any(|other| same(&other, row));
        match self.duplicates {
            Duplicates::KeepFirst => Some(all.filter(is_first).collect()),
            Duplicates::KeepLast => Some(all.filter(is_last).collect()),
            Duplicates::Reject if !all.clone().all(|row| is_first(&row)) => None,
            Duplicates::Reject | Duplicates::InOrder => Some(all.collect()),
        }
    }

    /// What becomes of rows one by one, those that are refused left out.
    fn one_by_one(&self, rows: &[usize], table: &mut Table<K>) -> Vec<Action> {
        let mut actions = vec![Action::Skipped; self.rows.len()];
        for position in rows {
            let (key, row) = &self.rows[*position];
            if row.is_refused() {
                continue;
            }
            actions[*position] = if let Some(old) = table.get_mut(key) {
                row.update(old, self.kind)
            } else {
                let mut new = row.clone();
                new.level = row.level.or(Some(7));
                table.insert(key.clone(), new);
                Action::Inserted
            };
        }
        actions
    }

    /// Compares what a call has answered with what it should have, and returns the table as
    /// it should be.
    fn check(&self, before: &Table<K>, answer: Result<Answer, Error>) -> Table<K> {
        let mut table = before.clone();
        let Some(selected) = self.selected() else {
            let is_refused = matches!(answer, Err(Error::RepeatedKey { .. }));
            assert!(is_refused, "{answer:?} to {self:?}");
            return table;
        };
        let is_refused = |row: &usize| self.rows[*row].1.is_refused();
        let refused: Vec<usize> = selected.iter().copied().filter(is_refused).collect();
        let actions = self.one_by_one(&selected, &mut table);
        let written = actions.iter().filter(|it| it.is_written()).count();
        match (self.way, answer) {
            (Way::Skip, Ok(Answer::Skipped(found, left_out))) => {
                assert_eq!((found, left_out), (written, refused));
            }
            (Way::Name, Err(Error::FailedRows { failed, .. })) if !refused.is_empty() => {
                let found: Vec<usize> = failed.iter().map(|it| it.row).collect();
                assert_eq!(found, refused);
                return before.clone();
            }
            (Way::Abort | Way::Outcome, Err(Error::Statement { .. })) if !refused.is_empty() => {
                return before.clone();
            }
            (Way::Stream(_), Err(error)) if !refused.is_empty() => {
                let committed = match error {
                    Error::Interrupted { committed, .. } => committed,
                    _ => 0,
                };
                let mut table = before.clone();
                self.one_by_one(&selected[..committed], &mut table);
                return table;
            }
            (Way::Outcome, Ok(Answer::Outcome(found))) if refused.is_empty() => {
                assert_eq!(found, actions);
            }
            (Way::Abort | Way::Name | Way::Stream(_), Ok(Answer::Written(found))) => {
                // A row is not sent whose key another row has that decides, so that the
                // database does not refuse it.
                let same = |row: usize, other: usize| self.rows[row].0 == self.rows[other].0;
                let is_unsent = |row: &usize| {
                    let mut others = selected.iter();
                    match self.kind {
                        Kind::Replaced => others.any(|other| other > row && same(*other, *row)),
                        Kind::New => others.any(|other| other < row && same(*other, *row)),
                        _ => false,
                    }
                };
                assert!(refused.is_empty() || self.way != Way::Name, "{self:?}");
                assert!(refused.iter().all(is_unsent), "{self:?}");
                let replaced = if self.kind == Kind::Replaced {
                    refused.len()
                } else {
                    0
                };
                assert_eq!(found, written + replaced);
            }
            (_, answer) => panic!("{answer:?} to {self:?}"),
        }
        table
    }
}

/// A module for keys of one type: numbers are compared as they are, texts by their class.
macro_rules! of_key {
    ($module:ident, $sql_type:ident, $key:ty) => {
        mod $module {
            use super::*;
            use crate::{Upsertable, upsert, upsert_stream};

            diesel::table! {
                items (a, b) {
                    a -> Integer,
                    b -> $sql_type,
                    total -> BigInt,
                    most -> Nullable<Integer>,
                    least -> Nullable<Integer>,
                    note -> Nullable<Text>,
                    first -> Nullable<Text>,
                    level -> Integer,
                    origin -> Nullable<Text>,
                    version -> Integer,
                }
            }

            pub(super) type Key = (i32, $key);

            #[derive(Upsertable)]
            #[diesel(table_name = items)]
            #[upsert(crate = crate)]
            struct Ruled<'r> {
                #[conflict_key]
                a: i32,
                #[conflict_key]
                b: &'r $key,
                #[on_conflict(add)]
                total: i64,
                #[on_conflict(max)]
                most: Option<i32>,
                #[on_conflict(min)]
                least: Option<i32>,
                #[on_conflict(coalesce)]
                note: Option<&'r str>,
                #[on_conflict(fill)]
                first: Option<&'r str>,
                #[on_conflict(update)]
                level: Option<i32>,
                origin: Option<&'r str>,
                #[on_conflict(update)]
                version: i32,
            }

            #[derive(Upsertable)]
            #[diesel(table_name = items)]
            #[upsert(crate = crate, update_all)]
            struct Replaced<'r> {
                #[conflict_key]
                a: i32,
                #[conflict_key]
                b: &'r $key,
                total: i64,
                most: Option<i32>,
                least: Option<i32>,
                note: Option<&'r str>,
                first: Option<&'r str>,
                level: Option<i32>,
                origin: Option<&'r str>,
                version: i32,
            }

            #[derive(Upsertable)]
            #[diesel(table_name = items)]
            #[upsert(crate = crate, update_all, newer_by = version)]
            struct Newer<'r> {
                #[conflict_key]
                a: i32,
                #[conflict_key]
                b: &'r $key,
                total: i64,
                most: Option<i32>,
                least: Option<i32>,
                note: Option<&'r str>,
                first: Option<&'r str>,
                level: Option<i32>,
                origin: Option<&'r str>,
                version: i32,
            }

            #[derive(Upsertable)]
            #[diesel(table_name = items)]
            #[upsert(crate = crate, skip_unchanged)]
            struct Changed<'r> {
                #[conflict_key]
                a: i32,
                #[conflict_key]
                b: &'r $key,
                total: i64,
                most: Option<i32>,
                least: Option<i32>,
                #[on_conflict(update)]
                note: Option<&'r str>,
                first: Option<&'r str>,
                #[on_conflict(update)]
                level: Option<i32>,
                origin: Option<&'r str>,
                #[on_conflict(touch)]
                version: i32,
            }

            #[derive(Upsertable)]
            #[diesel(table_name = items)]
            #[upsert(crate = crate, do_nothing)]
            struct New<'r> {
                #[conflict_key]
                a: i32,
                #[conflict_key]
                b: &'r $key,
                total: i64,
                most: Option<i32>,
                least: Option<i32>,
                note: Option<&'r str>,
                first: Option<&'r str>,
                level: Option<i32>,
                origin: Option<&'r str>,
                version: i32,
            }

            macro_rules! rows {
                ($model:ident, $call:expr) => {
                    $call.rows.iter().map(|((a, b), row)| $model {
                        a: *a,
                        b,
                        total: row.total,
                        most: row.most,
                        least: row.least,
                        note: row.note.as_deref(),
                        first: row.first.as_deref(),
                        level: row.level,
                        origin: row.origin.as_deref(),
                        version: row.version,
                    })
                };
            }

            macro_rules! send {
                ($model:ident, $call:expr, $conn:expr) => {{
                    let rows = rows!($model, $call);
                    if let Way::Stream(every) = $call.way {
                        let stream = upsert_stream(rows).commit_every(every);
                        let stream = match $call.chunk_size {
                            Some(size) => stream.chunk_size(size),
                            None => stream,
                        };
                        return stream.execute($conn).map(Answer::Written);
                    }
                    let upsert = upsert(rows).on_duplicate($call.duplicates);
                    let upsert = match $call.chunk_size {
                        Some(size) => upsert.chunk_size(size),
                        None => upsert,
                    };
                    match $call.way {
                        Way::Outcome => {
                            let outcome = upsert.outcome($conn)?;
                            Ok(Answer::Outcome(outcome.actions().to_vec()))
                        }
                        Way::Skip => {
                            let mut failed = Vec::new();
                            let upsert = upsert.on_error(OnError::Skip(&mut failed));
                            let written = upsert.execute($conn)?;
                            let failed = failed.iter().map(|it| it.row).collect();
                            Ok(Answer::Skipped(written, failed))
                        }
                        Way::Name => {
                            let upsert = upsert.on_error(OnError::Name);
                            upsert.execute($conn).map(Answer::Written)
                        }
                        _ => upsert.execute($conn).map(Answer::Written),
                    }
                }};
            }

            pub(super) fn send(
                call: &Call<Key>,
                conn: &mut SqliteConnection,
            ) -> Result<Answer, Error> {
                match call.kind {
                    Kind::Ruled => send!(Ruled, call, conn),
                    Kind::Replaced => send!(Replaced, call, conn),
                    Kind::Newer => send!(Newer, call, conn),
                    Kind::Changed => send!(Changed, call, conn),
                    Kind::New => send!(New, call, conn),
                }
            }

            pub(super) fn table(conn: &mut SqliteConnection) -> Table<Key> {
                type Tuple = (
                    i32,
                    $key,
                    i64,
                    Option<i32>,
                    Option<i32>,
                    Option<String>,
                    Option<String>,
                    i32,
                    Option<String>,
                    i32,
                );
                let rows: Vec<Tuple> = items::table.load(conn).expect("the table");
                let pairs = rows.into_iter().map(|it| {
                    let (a, b, total, most, least, note, first, level, origin, version) = it;
                    let row = Row {
                        total,
                        most,
                        least,
                        note,
                        first,
                        level: Some(level),
                        origin,
                        version,
                    };
                    ((a, b), row)
                });
                pairs.collect()
            }
        }
    };
}

of_key!(numbers, Integer, i32);
of_key!(texts, Text, String);

fn number(source: &mut Source<'_>) -> numbers::Key {
    (
        i32::from(source.byte() % 2),
        i32::from(source.byte() % 4) - 1,
    )
}

fn text(source: &mut Source<'_>) -> texts::Key {
    const TEXTS: &[&str] = &["", "x", "X", "x ", "y", "é", "\0", "'"];
    (i32::from(source.byte() % 2), source.pick(TEXTS).to_owned())
}

/// Whatever calls are made, the table ends as if their rows had been upserted one by one, and
/// they say what became of them.
pub fn pipeline(data: &[u8]) {
    thread_local! {
        static CONNECTION: RefCell<Option<SqliteConnection>> = const { RefCell::new(None) };
    }
    // That of a case that has failed is not put back: it may be in a transaction.
    let conn = CONNECTION.with_borrow_mut(Option::take);
    let mut conn = conn.unwrap_or_else(|| {
        let mut conn = SqliteConnection::establish(":memory:").expect("a database");
        conn.batch_execute(CREATE).expect("a table");
        conn
    });
    conn.batch_execute("DELETE FROM items").expect("a table");
    let source = &mut Source(data);
    if source.flag() {
        run(source, number, numbers::send, numbers::table, &mut conn);
    } else {
        run(source, text, texts::send, texts::table, &mut conn);
    }
    CONNECTION.set(Some(conn));
}

fn run<K: Ord + Clone + Debug>(
    source: &mut Source<'_>,
    key: fn(&mut Source<'_>) -> K,
    send: fn(&Call<K>, &mut SqliteConnection) -> Result<Answer, Error>,
    table: fn(&mut SqliteConnection) -> Table<K>,
    conn: &mut SqliteConnection,
) {
    let mut expected = Table::new();
    for _ in 0..=source.below(3) {
        let call = Call::draw(source, key);
        if !call.in_transaction {
            expected = call.check(&expected, send(&call, conn));
            assert_eq!(table(conn), expected, "{call:?}");
            continue;
        }
        let mut inside = expected.clone();
        let result = conn.transaction(|conn| {
            inside = call.check(&expected, send(&call, conn));
            assert_eq!(table(conn), inside, "{call:?}");
            if call.is_rolled_back {
                return Err(DieselError::RollbackTransaction);
            }
            Ok(())
        });
        assert_eq!(result.is_err(), call.is_rolled_back);
        if !call.is_rolled_back {
            expected = inside;
        }
        assert_eq!(table(conn), expected, "{call:?}");
    }
}

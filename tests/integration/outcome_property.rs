//! What a call tells of its rows is what became of them, on every database.
//!
//! The model in memory of [`rules`](crate::rules) says for each row what becomes
//! of it, and how it was before and is after. Every way of asking has to say
//! the same, and the whole table has to be as the model leaves it.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use diesel::expression::{AppearsOnTable, SelectableExpression, ValidGrouping, is_aggregate};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use proptest::prelude::*;
use upsert_core::{Action, BindFields, Change, Duplicates, Error, Writes, excluded, rule};

use crate::api::{Upsert, Upsertable, upsert, wait};
use crate::rules::Checked;
use crate::rules::models::*;
use crate::rules::oracle::*;
use crate::rules::targets::*;
use crate::support::{System, on_every_database};

/// All columns of the table, whether a model holds them to be nullable or not.
#[derive(Debug, Clone, Copy, QueryId)]
struct AllCells;

type AllColumns = <loose::table as Table>::AllColumns;

impl Expression for AllCells {
    type SqlType = <AllColumns as Expression>::SqlType;
}

impl ValidGrouping<()> for AllCells {
    type IsAggregate = is_aggregate::No;
}

impl<QS> SelectableExpression<QS> for AllCells {}

impl<QS> AppearsOnTable<QS> for AllCells {}

impl<DB> QueryFragment<DB> for AllCells
where
    DB: diesel::backend::Backend,
    AllColumns: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        const COLUMNS: AllColumns = loose::all_columns;
        COLUMNS.walk_ast(out)
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// `execute`
    Count,
    /// `outcome`
    Actions,
    /// `returning(..).get_results`
    Rows,
    /// `returning(..).outcome`
    Both,
    /// `returning_old(..)`
    Changes,
}

/// What is told of a row, as far as it is asked for.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    action: Option<Action>,
    old: Option<Row>,
    new: Option<Row>,
}

impl Told {
    fn new(asked: Asked, change: Change<Row>) -> Self {
        let Change { action, old, new } = change;
        Self {
            action: (asked != Asked::Rows).then_some(action),
            old: old.filter(|_| asked == Asked::Changes),
            new: (asked != Asked::Actions).then_some(new),
        }
    }
}

#[derive(Debug)]
enum Answer {
    Count(usize),
    Rows(Vec<Told>),
}

/// How a call is made.
#[derive(Debug, Clone, Copy)]
struct Way {
    asked: Asked,
    duplicates: Duplicates,
    /// How many transactions of the caller it is in.
    transactions: usize,
}

fn ways(policies: bool) -> impl Strategy<Value = Way> {
    let asked = proptest::sample::select(vec![
        Asked::Actions,
        Asked::Rows,
        Asked::Both,
        Asked::Changes,
    ]);
    let duplicates = proptest::sample::select(vec![
        Duplicates::InOrder,
        Duplicates::InOrder,
        Duplicates::KeepFirst,
        Duplicates::KeepLast,
        Duplicates::Reject,
    ]);
    let transactions = prop_oneof![4 => Just(0), 1 => Just(1), 1 => Just(2_usize)];
    (asked, duplicates, transactions).prop_map(move |(asked, duplicates, transactions)| Way {
        asked,
        duplicates: if policies {
            duplicates
        } else {
            Duplicates::InOrder
        },
        transactions,
    })
}

/// The key of a row as it is sent, or `None` if it has none.
fn key(oracle: &Oracle, row: &Proposed) -> Option<Vec<String>> {
    let columns = oracle.target.columns();
    if columns.is_empty() {
        return (row.id < NUMBERED).then(|| vec![row.id.to_string()]);
    }
    let text = |at: &usize| match &row.cells[*at] {
        None | Some(Cell::Null) => None,
        // Tells zero and minus zero apart.
        Some(cell) => Some(format!("{cell:?}")),
    };
    columns.iter().map(text).collect()
}

/// The rows that the policy lets through, or `None` if it lets none.
fn selected(oracle: &Oracle, rows: &[Proposed], duplicates: Duplicates) -> Option<Vec<bool>> {
    let keys: Vec<_> = rows.iter().map(|row| key(oracle, row)).collect();
    let same = |a: usize, b: usize| keys[a].is_some() && keys[a] == keys[b];
    let is_first = |i: usize| !(0..i).any(|other| same(other, i));
    let is_last = |i: usize| !(i + 1..rows.len()).any(|other| same(other, i));
    let all = 0..rows.len();
    match duplicates {
        Duplicates::KeepFirst => Some(all.map(is_first).collect()),
        Duplicates::KeepLast => Some(all.map(is_last).collect()),
        Duplicates::Reject if !all.clone().all(is_first) => None,
        _ => Some(all.map(|_| true).collect()),
    }
}

#[derive(Debug)]
enum Expected {
    Told(Rows, usize, Vec<Told>),
    Repeated,
    Overflow,
    NoRow,
}

/// Is a row that cannot be found by its key not told of?
fn is_lost(system: System, oracle: &Oracle, way: Way, row: &Proposed, action: Action) -> bool {
    if matches!(way.asked, Asked::Count | Asked::Actions) || key(oracle, row).is_some() {
        return false;
    }
    let is_supplied = |at: &usize| row.cells[*at].is_some();
    let supplies_key = match oracle.target {
        Target::Id => row.id < NUMBERED,
        target => target.columns().iter().all(is_supplied),
    };
    match (action, system) {
        (Action::Inserted, System::Sqlite) => oracle
            .create
            .iter()
            .any(|sql| sql.contains("WITHOUT ROWID")),
        #[cfg(feature = "postgres")]
        (Action::Inserted, System::Postgres) => false,
        #[cfg(feature = "postgres")]
        (Action::Updated, System::Postgres) => !supplies_key && way.asked == Asked::Changes,
        #[cfg(feature = "mysql")]
        (Action::Inserted, System::Mysql) => row.id < NUMBERED,
        _ => !supplies_key,
    }
}

/// What the model makes of a call.
fn expected(system: System, oracle: &Oracle, case: &Case, way: Way) -> Expected {
    let Some(selected) = selected(oracle, &case.rows, way.duplicates) else {
        return Expected::Repeated;
    };
    let sent = case.rows.iter().zip(&selected);
    let sent = sent.filter_map(|(row, selected)| selected.then_some(row));
    let Ok((mut table, changes)) = oracle.apply_all(system, &case.existing, sent.clone()) else {
        return Expected::Overflow;
    };
    let mut both = sent.zip(&changes);
    if both.any(|(row, change)| is_lost(system, oracle, way, row, change.action)) {
        return Expected::NoRow;
    }
    let written = changes.iter().filter(|it| it.action.is_written()).count();
    let mut changes = changes.into_iter();
    let told = case.rows.iter().zip(selected).map(|(row, selected)| {
        let change = if selected {
            changes.next().unwrap()
        } else {
            let (id, cells) = oracle.find(&mut table, row).unwrap();
            let kept = (id, cells.clone());
            Change {
                action: Action::Skipped,
                old: Some(kept.clone()),
                new: kept,
            }
        };
        Told::new(way.asked, change)
    });
    let told = told.collect();
    Expected::Told(table, written, told)
}

/// Gives the rows that the database has numbered the numbers that the model
/// has for them.
fn renumber(answer: &mut [Told], table: &mut Rows, expected: &[Told], model: &Rows) {
    let mut numbers = BTreeMap::new();
    for (told, expected) in answer.iter().zip(expected) {
        if let (Some((id, _)), Some((number, _))) = (&told.new, &expected.new) {
            if *number >= NUMBERED {
                numbers.entry(*id).or_insert(*number);
            }
        }
    }
    for (id, cells) in table.iter() {
        let is_free = |number: &i32, numbers: &BTreeMap<i32, i32>| {
            *number >= NUMBERED && !numbers.values().any(|it| it == number)
        };
        if !numbers.contains_key(id) && !model.contains_key(id) {
            let mut rows = model.iter();
            let found = rows.find(|(number, it)| is_free(number, &numbers) && *it == cells);
            if let Some((number, _)) = found {
                numbers.insert(*id, *number);
            }
        }
    }
    let number = |id: i32| numbers.get(&id).copied().unwrap_or(id);
    for told in answer {
        for row in told.new.iter_mut().chain(&mut told.old) {
            row.0 = number(row.0);
        }
    }
    let rows = std::mem::take(table);
    for (id, cells) in rows {
        let before = table.insert(number(id), cells);
        assert_eq!(before, None, "two rows have one number");
    }
}

/// Rows that the database numbers, unless they say their number.
#[derive(Debug, Upsertable)]
#[diesel(table_name = loose)]
#[upsert(skip_unchanged)]
struct Numbered {
    #[conflict_key(nullable)]
    id: Option<i32>,
    #[on_conflict(update)]
    small: Option<i32>,
    #[on_conflict(fill)]
    word: Option<String>,
}

impl From<&Proposed> for Numbered {
    fn from(row: &Proposed) -> Self {
        Self {
            id: (row.id < NUMBERED).then_some(row.id),
            small: FromCell::from_cell(row.cell("small")),
            word: FromCell::from_cell(row.cell("word")),
        }
    }
}

impl Checked for Numbered {
    fn oracle() -> Oracle {
        Oracle {
            numbers: true,
            skip_unchanged: true,
            ..Oracle::loose(&[(SMALL, Rule::Update), (WORD, Rule::Fill)])
        }
    }
}

/// Rows that the database numbers, and that are found by something else.
#[derive(Debug, Upsertable)]
#[diesel(table_name = loose)]
#[upsert(newer_by = at, update_if = big.is_null().or(excluded(big).ge(big)), skip_unchanged)]
struct Found {
    id: Option<i32>,
    #[conflict_key(nullable)]
    small: Option<i32>,
    #[conflict_key(nullable)]
    word2: Option<String>,
    #[on_conflict(max)]
    at: Option<NaiveDateTime>,
    #[on_conflict(update)]
    big: Option<i64>,
    #[on_conflict(touch = seen + 1)]
    seen: Option<i32>,
}

impl From<&Proposed> for Found {
    fn from(row: &Proposed) -> Self {
        Self {
            id: (row.id < NUMBERED).then_some(row.id),
            small: FromCell::from_cell(row.cell("small")),
            word2: FromCell::from_cell(row.cell("word2")),
            at: FromCell::from_cell(row.cell("at")),
            big: FromCell::from_cell(row.cell("big")),
            seen: FromCell::from_cell(row.cell("seen")),
        }
    }
}

impl Checked for Found {
    fn oracle() -> Oracle {
        let columns = [
            (SMALL, Rule::Keep),
            (WORD2, Rule::Keep),
            (AT, Rule::Max),
            (BIG, Rule::Update),
            (
                SEEN,
                Rule::TouchTo(|old, _| Some(plus(&old[SEEN], &Cell::Int(1)))),
            ),
        ];
        let oracle = Oracle::loose(&columns)
            .guard(|old, new| new.cells[AT].as_ref().unwrap().is_newer(&old[AT], false))
            .guard(|old, new| {
                let big = new.cells[BIG].as_ref().unwrap();
                old[BIG].is_null() || !big.is_null() && !is_larger(Some(&old[BIG]), big)
            })
            .skip_unchanged(true)
            .target(Target::Pair)
            .tame(&[SEEN]);
        Oracle {
            numbers: true,
            ..oracle
        }
    }
}

/// The key's column has a default, which rows may get.
#[derive(Debug, Upsertable)]
#[diesel(table_name = strict)]
struct Defaulted {
    id: i32,
    #[conflict_key(nullable)]
    small: Option<i32>,
    #[on_conflict(add)]
    big: i64,
    #[on_conflict(update)]
    word: Option<String>,
}

impl From<&Proposed> for Defaulted {
    fn from(row: &Proposed) -> Self {
        Self {
            id: row.id,
            small: FromCell::from_cell(row.cell("small")),
            big: FromCell::from_cell(row.cell("big")),
            word: FromCell::from_cell(row.cell("word")),
        }
    }
}

impl Checked for Defaulted {
    fn oracle() -> Oracle {
        Oracle::strict(&[(SMALL, Rule::Keep), (BIG, Rule::Add), (WORD, Rule::Update)])
            .optional(&[SMALL, WORD])
            .target(Target::Small)
    }
}

on_every_database! {
    shared {
        type Backend = <Conn as Connection>::Backend;

        pub(crate) fn ask<R, O>(
            call: Upsert<'_, R, R, O>,
            asked: Asked,
            conn: &mut Conn,
        ) -> upsert_core::Result<Answer>
        where
            R: Upsertable<Converted: Send + Sync> + BindFields<Backend> + Send + Sync,
            Backend: Writes<O>,
        {
            let told = |action, old, new| Told { action, old, new };
            let told = match asked {
                Asked::Count => return wait(call.execute(conn)).map(Answer::Count),
                Asked::Actions => {
                    let outcome = wait(call.outcome(conn))?;
                    let actions = outcome.into_iter();
                    actions.map(|action| told(Some(action), None, None)).collect()
                }
                Asked::Rows => {
                    let rows = wait(call.returning(AllCells).get_results::<Loaded, _>(conn))?;
                    rows.into_iter().map(|row| told(None, None, Some(row_of(row)))).collect()
                }
                Asked::Both => {
                    let rows = wait(call.returning(AllCells).outcome::<Loaded, _>(conn))?;
                    let rows = rows.into_iter();
                    rows.map(|(action, row)| told(Some(action), None, Some(row_of(row)))).collect()
                }
                Asked::Changes => {
                    let call = call.returning_old(AllCells);
                    let changes = wait(call.get_results::<Loaded, _>(conn))?.into_iter();
                    changes
                        .map(|Change { action, old, new }| {
                            told(Some(action), old.map(row_of), Some(row_of(new)))
                        })
                        .collect()
                }
            };
            Ok(Answer::Rows(told))
        }

        /// Makes a call within as many transactions as `way` says, the innermost
        /// of which outlives an error.
        fn in_transactions<T>(
            conn: &mut Conn,
            depth: usize,
            call: &mut dyn FnMut(&mut Conn) -> T,
        ) -> T {
            if depth == 0 {
                return call(conn);
            }
            conn.transaction(|conn| Ok::<_, Error>(in_transactions(conn, depth - 1, call)))
                .unwrap()
        }

        fn check<R>(database: &mut system::TestDatabase, share: u32)
        where
            R: Checked + Upsertable<Converted: Send + Sync> + BindFields<Backend> + Send + Sync,
        {
            check_calls(database, share, &R::oracle(), true, |conn, rows, chunk_size, way| {
                let call = upsert(rows.iter().map(|row| R::from(row)));
                ask(call.chunk_size(chunk_size).on_duplicate(way.duplicates), way.asked, conn)
            });
        }

        /// Checks calls with one in `share` of the cases.
        pub(crate) fn check_calls<F>(
            database: &mut system::TestDatabase,
            share: u32,
            oracle: &Oracle,
            policies: bool,
            call: F,
        )
        where
            F: Fn(&mut Conn, &[Proposed], usize, Way) -> upsert_core::Result<Answer>,
        {
            for sql in oracle.create(system::SYSTEM) {
                database.run(&sql);
            }
            let conn = &mut database.conn;
            let strategy = (cases(oracle), ways(policies));
            run(system::CASES / share, &strategy, |(case, way)| {
                check_call(conn, oracle, &case, way, &call)?;
                if way.asked == Asked::Actions {
                    check_call(conn, oracle, &case, Way { asked: Asked::Count, ..way }, &call)?;
                }
                Ok(())
            });
            if oracle.create.is_none() {
                database.run("DROP TABLE cells");
            }
        }

        fn check_call<F>(
            conn: &mut Conn,
            oracle: &Oracle,
            case: &Case,
            way: Way,
            call: &F,
        ) -> Result<(), TestCaseError>
        where
            F: Fn(&mut Conn, &[Proposed], usize, Way) -> upsert_core::Result<Answer>,
        {
            conn.seed(&case.existing);
            let expected = expected(system::SYSTEM, oracle, case, way);
            let mut answer = in_transactions(conn, way.transactions, &mut |conn| {
                call(conn, &case.rows, case.chunk_size, way)
            });
            let mut table = conn.load_cells();
            if let (Expected::Told(model, _, told), true) = (&expected, oracle.numbers) {
                let answer: &mut [Told] = match &mut answer {
                    Ok(Answer::Rows(answer)) => answer,
                    _ => &mut [],
                };
                renumber(answer, &mut table, told, model);
            }
            match (expected, answer) {
                (Expected::Told(model, written, _), Ok(Answer::Count(count))) => {
                    prop_assert_eq!(table, model);
                    prop_assert_eq!(count, written);
                }
                (Expected::Told(model, written, told), Ok(Answer::Rows(answer))) => {
                    prop_assert_eq!(&answer, &told, "{:?} of {:?} is {:?}", way, case, model);
                    prop_assert_eq!(table, model);
                    let mut actions = answer.iter().map(|it| it.action);
                    if way.asked != Asked::Rows {
                        let count = actions.by_ref().filter(|it| it.unwrap().is_written()).count();
                        prop_assert_eq!(count, written);
                    }
                }
                // Whichever comes first.
                (Expected::Overflow, Err(Error::NoRow { .. }))
                    if case.rows.iter().any(|row| key(oracle, row).is_none())
                        && !matches!(way.asked, Asked::Count | Asked::Actions) =>
                {
                    prop_assert_eq!(table, case.existing.clone(), "after an error");
                }
                (Expected::Overflow, Err(Error::Statement { .. }))
                | (Expected::Repeated, Err(Error::RepeatedKey { .. }))
                | (Expected::NoRow, Err(Error::NoRow { .. })) => {
                    prop_assert_eq!(table, case.existing.clone(), "after an error");
                }
                (expected, answer) => {
                    prop_assert!(
                        false,
                        "{:?} instead of {:?}; the table is {:?}",
                        answer,
                        expected,
                        table
                    );
                }
            }
            Ok(())
        }
    }

    #[test]
    fn all_rules_at_once(database) {
        check::<Wide>(&mut database, 1);
        check::<LooseWide>(&mut database, 2);
        check::<GuardedWide>(&mut database, 1);
    }

    #[test]
    fn each_rule(database) {
        check::<LooseUpdate>(&mut database, 5);
        check::<UpdateAll>(&mut database, 5);
        check::<DoNothing>(&mut database, 2);
        check::<Add>(&mut database, 5);
        check::<LooseAdd>(&mut database, 5);
        check::<AddBig>(&mut database, 5);
        check::<Max>(&mut database, 5);
        check::<LooseMin>(&mut database, 5);
        check::<LooseCoalesce>(&mut database, 5);
        check::<LooseFill>(&mut database, 5);
        check::<Set>(&mut database, 5);
        check::<LooseSet>(&mut database, 5);
        check::<Touch>(&mut database, 5);
        check::<LooseTouch>(&mut database, 5);
    }

    #[test]
    fn guards(database) {
        check::<UpdateIf>(&mut database, 5);
        check::<LooseUpdateIf>(&mut database, 3);
        check::<UpdateIfOutside>(&mut database, 3);
        check::<LooseNewerBy>(&mut database, 3);
        check::<NotOlderBy>(&mut database, 5);
        check::<LooseNewerByWord>(&mut database, 3);
        check::<NewerAndIf>(&mut database, 2);
    }

    #[test]
    fn rows_that_would_not_change(database) {
        check::<SkipWord>(&mut database, 3);
        check::<SkipRatio>(&mut database, 3);
        check::<SkipRules>(&mut database, 3);
        check::<SkipMax>(&mut database, 3);
        check::<SkipSet>(&mut database, 3);
        check::<SkipTouch>(&mut database, 3);
    }

    #[test]
    fn a_guard_and_rows_that_would_not_change(database) {
        check::<NewerSkipTouchAdd>(&mut database, 1);
        check::<NotOlderSkipTouchAdd>(&mut database, 1);
        check::<Outer>(&mut database, 2);
    }

    #[test]
    fn columns_that_are_not_supplied(database) {
        check::<OptionalRules>(&mut database, 3);
        check::<OptionalExpressions>(&mut database, 3);
        check::<OptionalGuarded>(&mut database, 3);
        check::<OptionalSkip>(&mut database, 1);
        check::<OptionalNewer>(&mut database, 3);
        check::<OptionalUpdateIf>(&mut database, 3);
        check::<OnInsertNewer>(&mut database, 3);
        check::<LooseOnInsert>(&mut database, 3);
        check::<Sparse>(&mut database, 3);
    }

    #[test]
    fn tables_of_other_kinds(database) {
        for create in other_tables(system::SYSTEM) {
            let with = |oracle| Oracle { create: Some(create.clone()), ..oracle };
            let oracle = with(LooseWide::oracle());
            let mut database = system::TestDatabase::new();
            check_calls(&mut database, 20, &oracle, true, |conn, rows, chunk_size, way| {
                let call = upsert(rows.iter().map(LooseWide::from));
                ask(call.chunk_size(chunk_size).on_duplicate(way.duplicates), way.asked, conn)
            });
            let oracle = with(GuardedWide::oracle());
            let mut database = system::TestDatabase::new();
            check_calls(&mut database, 10, &oracle, true, |conn, rows, chunk_size, way| {
                let call = upsert(rows.iter().map(GuardedWide::from));
                ask(call.chunk_size(chunk_size).on_duplicate(way.duplicates), way.asked, conn)
            });
        }
    }

    #[test]
    fn expressions_of_a_call(database) {
        let oracle = Plain::oracle()
            .rule(SMALL, Rule::Set(|old, new| {
                Some(plus(&plus(&old[SMALL], new.cells[SMALL].as_ref()?), &Cell::Int(1)))
            }))
            .rule(SEEN, Rule::TouchTo(|old, _| Some(plus(&old[SEEN], &Cell::Int(2)))))
            .others(&[(NOTE, Rule::Set(|_, _| Some("it's \\ text".into())))])
            .guard(|old, new| new.cells[WORD].as_ref() != Some(&old[WORD]))
            .skip_unchanged(true)
            .tame(&[SMALL, SEEN]);
        check_calls(&mut database, 1, &oracle, true, |conn, rows, chunk_size, way| {
            let step = 1;
            let call = upsert(rows.iter().map(Plain::from))
                .set(strict::small, strict::small + excluded(strict::small) + step)
                .touch(strict::seen, strict::seen + 2)
                .set(strict::note, String::from("it's \\ text"))
                .update_if(excluded(strict::word).ne(strict::word))
                .skip_unchanged(true);
            ask(call.chunk_size(chunk_size).on_duplicate(way.duplicates), way.asked, conn)
        });
    }

    #[test]
    fn rows_that_the_database_numbers(database) {
        check::<Numbered>(&mut database, 1);
        check::<Found>(&mut database, 1);
    }

    #[test]
    fn a_key_that_is_not_supplied(database) {
        check::<Defaulted>(&mut database, 1);
    }

    #[test]
    fn a_key_that_may_be_null(database) {
        let by_small = |oracle: Oracle| oracle.target(Target::Small).rule(SMALL, Rule::Keep);
        let oracle = by_small(LoosePlain::oracle())
            .rule(BIG, Rule::Add)
            .guard(|old, new| {
                is_larger(new.cells[AT].as_ref(), &old[AT]) || old[SEEN].is_null()
            })
            .skip_unchanged(true);
        check_calls(&mut database, 1, &oracle, true, |conn, rows, chunk_size, way| {
            let call = upsert(rows.iter().map(LoosePlain::from))
                .on_conflict(loose::small)
                .rule(loose::big, rule::Add)
                .update_if(excluded(loose::at).gt(loose::at).or(loose::seen.is_null()))
                .skip_unchanged(true);
            ask(call.chunk_size(chunk_size).on_duplicate(way.duplicates), way.asked, conn)
        });
        let oracle = by_small(LoosePlain::oracle()).do_nothing();
        check_calls(&mut database, 2, &oracle, true, |conn, rows, chunk_size, way| {
            let call = upsert(rows.iter().map(LoosePlain::from))
                .on_conflict(loose::small)
                .do_nothing();
            ask(call.chunk_size(chunk_size).on_duplicate(way.duplicates), way.asked, conn)
        });
    }

    #[test]
    fn a_key_of_text_that_is_compared_loosely(database) {
        let by_word = |oracle: Oracle| {
            oracle.target(Target::Word(folding(system::SYSTEM))).rule(WORD, Rule::Keep)
        };
        let oracle = by_word(LoosePlain::oracle()).rule(BIG, Rule::Add);
        check_calls(&mut database, 1, &oracle, true, |conn, rows, chunk_size, way| {
            let call = upsert(rows.iter().map(LoosePlain::from))
                .on_conflict(loose::word)
                .rule(loose::big, rule::Add);
            ask(call.chunk_size(chunk_size).on_duplicate(way.duplicates), way.asked, conn)
        });
        let oracle = Oracle { strict: true, ..LoosePlain::oracle() };
        let oracle = by_word(oracle)
            .rule(SMALL, Rule::Keep)
            .guard(|old, new| !is_larger(Some(&old[SMALL]), new.cells[SMALL].as_ref().unwrap()))
            .skip_unchanged(true);
        check_calls(&mut database, 1, &oracle, true, |conn, rows, chunk_size, way| {
            let call = upsert(rows.iter().map(LoosePlain::from))
                .on_conflict(loose::word)
                .rule(loose::small, rule::Keep)
                .update_if(excluded(loose::small).ge(loose::small))
                .skip_unchanged(true);
            ask(call.chunk_size(chunk_size).on_duplicate(way.duplicates), way.asked, conn)
        });
        let oracle = by_word(LoosePlain::oracle()).do_nothing();
        check_calls(&mut database, 2, &oracle, true, |conn, rows, chunk_size, way| {
            let call = upsert(rows.iter().map(LoosePlain::from))
                .on_conflict(loose::word)
                .do_nothing();
            ask(call.chunk_size(chunk_size).on_duplicate(way.duplicates), way.asked, conn)
        });
    }

    #[test]
    fn a_key_of_fractional_numbers(database) {
        let oracle = LoosePlain::oracle()
            .target(Target::Ratio)
            .rule(RATIO, Rule::Keep)
            .rule(BIG, Rule::Min)
            .rule(SEEN, Rule::Touch)
            .skip_unchanged(true);
        check_calls(&mut database, 1, &oracle, true, |conn, rows, chunk_size, way| {
            let call = upsert(rows.iter().map(LoosePlain::from))
                .on_conflict(loose::ratio)
                .rule(loose::big, rule::Min)
                .rule(loose::seen, rule::Touch)
                .skip_unchanged(true);
            ask(call.chunk_size(chunk_size).on_duplicate(way.duplicates), way.asked, conn)
        });
    }
}

macro_rules! other_targets {
    ($module:ident, $results:ident, $support:ident) => {
        mod $module {
            use super::$results::{ask, check_calls};
            use super::*;
            use crate::support::$support::TestDatabase;

            #[test]
            fn an_expression() {
                let oracle = MarkedWord::oracle();
                let mut database = TestDatabase::new();
                check_calls(
                    &mut database,
                    2,
                    &oracle,
                    true,
                    |conn, rows, chunk_size, way| {
                        let call = upsert(rows.iter().map(MarkedWord::from));
                        ask(
                            call.chunk_size(chunk_size).on_duplicate(way.duplicates),
                            way.asked,
                            conn,
                        )
                    },
                );
                let oracle = UnmarkedWord::oracle();
                check_calls(
                    &mut database,
                    2,
                    &oracle,
                    false,
                    |conn, rows, chunk_size, way| {
                        let call = upsert(rows.iter().map(UnmarkedWord::from));
                        ask(call.chunk_size(chunk_size), way.asked, conn)
                    },
                );
                let oracle = NewWord::oracle();
                check_calls(
                    &mut database,
                    2,
                    &oracle,
                    true,
                    |conn, rows, chunk_size, way| {
                        let call = upsert(rows.iter().map(NewWord::from));
                        ask(
                            call.chunk_size(chunk_size).on_duplicate(way.duplicates),
                            way.asked,
                            conn,
                        )
                    },
                );
            }

            #[test]
            fn a_partial_index() {
                let mut database = TestDatabase::new();
                let oracle = PartialAll::oracle();
                check_calls(
                    &mut database,
                    2,
                    &oracle,
                    false,
                    |conn, rows, chunk_size, way| {
                        let call = upsert(rows.iter().map(PartialAll::from));
                        ask(call.chunk_size(chunk_size), way.asked, conn)
                    },
                );
                let oracle = PartialNew::oracle();
                check_calls(
                    &mut database,
                    2,
                    &oracle,
                    false,
                    |conn, rows, chunk_size, way| {
                        let call = upsert(rows.iter().map(PartialNew::from));
                        ask(call.chunk_size(chunk_size), way.asked, conn)
                    },
                );
            }

            #[test]
            fn a_row_that_leaves_a_partial_index() {
                let mut database = TestDatabase::new();
                let oracle = PartialSmall::oracle();
                check_calls(
                    &mut database,
                    2,
                    &oracle,
                    false,
                    |conn, rows, chunk_size, way| {
                        let call = upsert(rows.iter().map(PartialSmall::from));
                        ask(call.chunk_size(chunk_size), way.asked, conn)
                    },
                );
            }
        }
    };
}

other_targets!(on_sqlite_only, on_sqlite, sqlite);

/// A row of such a table has no number beside its key.
#[test]
fn a_table_of_sqlite_without_row_numbers() {
    use crate::support::sqlite::TestDatabase;
    use on_sqlite::{ask, check_calls};

    let oracle = LoosePlain::oracle()
        .target(Target::Small)
        .rule(SMALL, Rule::Keep);
    let statements = oracle.create(System::Sqlite);
    let oracle = Oracle {
        create: Some(statements.join(" WITHOUT ROWID; ")),
        ..oracle
    };
    let mut database = TestDatabase::new();
    check_calls(
        &mut database,
        2,
        &oracle,
        true,
        |conn, rows, chunk_size, way| {
            let call = upsert(rows.iter().map(LoosePlain::from)).on_conflict(loose::small);
            ask(
                call.chunk_size(chunk_size).on_duplicate(way.duplicates),
                way.asked,
                conn,
            )
        },
    );
}

#[cfg(feature = "postgres")]
other_targets!(on_postgres_only, on_postgres, postgres);

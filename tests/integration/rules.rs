//! Every rule and every guard does what it says, on every database.
//!
//! A model in memory applies the rows of a call one at a time, in the order of
//! the input. The whole table, the count and what fails have to be the same,
//! however the rows are cut into statements.

use std::cmp::Ordering;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use diesel::prelude::*;
use proptest::prelude::*;
use upsert_core::{BindFields, Error, excluded, rule};

use crate::api::{Upsertable, upsert, wait};
use crate::support::{System, on_every_database};

pub(crate) mod oracle;

/// A model and its oracle.
pub(crate) trait Checked: for<'r> From<&'r Proposed> {
    fn oracle() -> Oracle;
}

macro_rules! checked {
    ($name:ident { $($field:ident),* } => $oracle:expr) => {
        impl From<&Proposed> for $name {
            fn from(row: &Proposed) -> Self {
                Self {
                    id: row.id,
                    $($field: FromCell::from_cell(row.cell(stringify!($field))),)*
                }
            }
        }

        impl Checked for $name {
            fn oracle() -> Oracle {
                $oracle
            }
        }
    };
}

macro_rules! models {
    ($(
        $(#[$meta:meta])*
        $name:ident of $table:ident {
            $($(#[$attribute:meta])* $field:ident: $type:ty,)*
        } => $oracle:expr;
    )*) => {$(
        #[derive(Debug, Upsertable)]
        #[diesel(table_name = $table)]
        $(#[$meta])*
        pub(crate) struct $name {
            #[conflict_key]
            pub(crate) id: i32,
            $($(#[$attribute])* pub(crate) $field: $type,)*
        }

        checked! { $name { $($field),* } => $oracle }
    )*};
}

mod expressions;
pub(crate) mod models;
mod names;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod settings;
mod sums;
pub(crate) mod targets;
mod text;
mod types;
mod words;
mod writes;

use models::*;
use oracle::*;

on_every_database! {
    shared {
        pub(super) type Database = system::TestDatabase;

        impl HasCells for Conn {
            fn seed(&mut self, table: &Rows) {
                diesel::delete(loose::table).execute(self).unwrap();
                let rows: Vec<_> = table
                    .iter()
                    .map(|(id, cells)| {
                        (
                            loose::id.eq(*id),
                            loose::big.eq(Option::<i64>::from_cell(Some(&cells[BIG]))),
                            loose::big2.eq(Option::<i64>::from_cell(Some(&cells[BIG2]))),
                            loose::small.eq(Option::<i32>::from_cell(Some(&cells[SMALL]))),
                            loose::ratio.eq(Option::<f64>::from_cell(Some(&cells[RATIO]))),
                            loose::ratio2.eq(Option::<f64>::from_cell(Some(&cells[RATIO2]))),
                            loose::word.eq(Option::<String>::from_cell(Some(&cells[WORD]))),
                            loose::word2.eq(Option::<String>::from_cell(Some(&cells[WORD2]))),
                            loose::at.eq(Option::<NaiveDateTime>::from_cell(Some(&cells[AT]))),
                            loose::seen.eq(Option::<i32>::from_cell(Some(&cells[SEEN]))),
                            loose::note.eq(Option::<String>::from_cell(Some(&cells[NOTE]))),
                        )
                    })
                    .collect();
                diesel::insert_into(loose::table).values(rows).execute(self).unwrap();
            }

            fn load_cells(&mut self) -> Rows {
                let rows: Vec<Loaded> = loose::table.load(self).unwrap();
                rows.into_iter().map(row_of).collect()
            }
        }

        /// Checks calls of a model without any options but the chunk size.
        pub(super) fn check<R>(database: &mut Database)
        where
            R: Checked
                + Upsertable<Converted: Send + Sync>
                + BindFields<<Conn as Connection>::Backend>
                + Send
                + Sync,
        {
            check_calls(database, &R::oracle(), |conn, rows, chunk_size| {
                wait(
                    upsert(rows.iter().map(|row| R::from(row)))
                        .chunk_size(chunk_size)
                        .execute(conn),
                )
            });
        }

        pub(super) fn check_calls<F>(database: &mut Database, oracle: &Oracle, call: F)
        where
            F: Fn(&mut Conn, &[Proposed], usize) -> upsert_core::Result<usize>,
        {
            for sql in oracle.create(system::SYSTEM) {
                database.run(&sql);
            }
            let conn = &mut database.conn;
            run(system::CASES, &cases(oracle), |case| {
                conn.seed(&case.existing);
                let result = call(conn, &case.rows, case.chunk_size);
                let table = conn.load_cells();
                match (oracle.apply_all(system::SYSTEM, &case.existing, &case.rows), result) {
                    (Ok((expected, changes)), Ok(count)) => {
                        prop_assert_eq!(table, expected);
                        let written = changes.iter().filter(|it| it.action.is_written()).count();
                        prop_assert_eq!(count, written, "the count");
                    }
                    (Err(Overflow), Err(Error::Statement { .. })) => {
                        prop_assert_eq!(table, case.existing, "after an overflow");
                    }
                    (expected, result) => {
                        prop_assert!(
                            false,
                            "{:?} instead of {:?}; the table is {:?}",
                            result,
                            expected,
                            table
                        );
                    }
                }
                Ok(())
            });
            if oracle.create.is_none() {
                database.run("DROP TABLE cells");
            }
        }

        /// Checks calls that take their rows from the table `proposals`.
        fn check_selected<F>(database: &mut Database, oracle: &Oracle, call: F)
        where
            F: Fn(&mut Conn) -> upsert_core::Result<usize>,
        {
            database.run(&create(system::SYSTEM, "proposals", oracle.strict));
            // The rows of a query have no order.
            let oracle = Oracle { distinct: true, ..oracle.clone() };
            check_calls(database, &oracle, |conn, rows, _| {
                let existing = conn.load_cells();
                conn.seed(&rows.iter().map(|row| (row.id, oracle.inserted(row))).collect());
                diesel::delete(loose_source::table).execute(conn).unwrap();
                diesel::insert_into(loose_source::table)
                    .values(loose::table)
                    .into_columns(loose_source::all_columns)
                    .execute(conn)
                    .unwrap();
                conn.seed(&existing);
                call(conn)
            });
            database.run("DROP TABLE proposals");
        }
    }

    #[test]
    fn update(database) {
        check::<Update>(&mut database);
        check::<UpdateAll>(&mut database);
    }

    #[test]
    fn update_nullable(database) {
        check::<LooseUpdate>(&mut database);
    }

    #[test]
    fn do_nothing(database) {
        check::<DoNothing>(&mut database);
    }

    #[test]
    fn add(database) {
        check::<Add>(&mut database);
        check::<AddBig>(&mut database);
        check::<AddSmall>(&mut database);
    }

    #[test]
    fn add_nullable(database) {
        check::<LooseAdd>(&mut database);
        check::<LooseAddBig>(&mut database);
        check::<LooseAddRatio>(&mut database);
    }

    #[test]
    fn max(database) {
        check::<Max>(&mut database);
        check::<LooseMax>(&mut database);
    }

    #[test]
    fn min(database) {
        check::<Min>(&mut database);
        check::<LooseMin>(&mut database);
    }

    #[test]
    fn coalesce(database) {
        check::<Coalesce>(&mut database);
        check::<LooseCoalesce>(&mut database);
    }

    #[test]
    fn fill(database) {
        check::<LooseFill>(&mut database);
    }

    #[test]
    fn set(database) {
        check::<Set>(&mut database);
        check::<LooseSet>(&mut database);
    }

    #[test]
    fn columns_that_change_places(database) {
        if !is_mysql(system::SYSTEM) {
            check::<Swap>(&mut database);
            return;
        }
        database.run(&create(system::SYSTEM, "cells", false));
        let conn = &mut database.conn;
        let row = Swap { id: 1, word: None, word2: None, big: None };
        let result = wait(row.upsert(conn));
        assert!(matches!(result, Err(Error::Refused { .. })), "{result:?}");
        assert!(result.unwrap_err().to_string().contains("`word`, `word2`"));
        assert_eq!(conn.load_cells(), Rows::new());
    }

    #[test]
    fn touch(database) {
        check::<Touch>(&mut database);
        check::<LooseTouch>(&mut database);
    }

    #[test]
    fn all_rules_at_once(database) {
        check::<Wide>(&mut database);
        check::<LooseWide>(&mut database);
        check::<GuardedWide>(&mut database);
    }

    #[test]
    fn tables_of_other_kinds(database) {
        for create in other_tables(system::SYSTEM) {
            let with = |oracle| Oracle { create: Some(create.clone()), ..oracle };
            let oracle = with(LooseWide::oracle());
            check_calls(&mut Database::new(), &oracle, |conn, rows, chunk_size| {
                wait(upsert(rows.iter().map(LooseWide::from)).chunk_size(chunk_size).execute(conn))
            });
            let oracle = with(GuardedWide::oracle());
            check_calls(&mut Database::new(), &oracle, |conn, rows, chunk_size| {
                let rows = rows.iter().map(GuardedWide::from);
                wait(upsert(rows).chunk_size(chunk_size).execute(conn))
            });
        }
    }

    #[test]
    fn update_if(database) {
        check::<UpdateIf>(&mut database);
        check::<LooseUpdateIf>(&mut database);
        check::<UpdateIfOutside>(&mut database);
    }

    #[test]
    fn newer_by(database) {
        check::<NewerBy>(&mut database);
        check::<LooseNewerBy>(&mut database);
        check::<LooseNewerByWord>(&mut database);
    }

    #[test]
    fn not_older_by(database) {
        check::<NotOlderBy>(&mut database);
        check::<LooseNotOlderBy>(&mut database);
    }

    #[test]
    fn two_guards(database) {
        check::<NewerAndIf>(&mut database);
    }

    #[test]
    fn skip_unchanged(database) {
        check::<Skip>(&mut database);
        check::<SkipWord>(&mut database);
        check::<SkipRatio>(&mut database);
        check::<LooseSkip>(&mut database);
    }

    #[test]
    fn skip_unchanged_by_other_rules(database) {
        check::<SkipRules>(&mut database);
        check::<SkipMax>(&mut database);
        check::<SkipSet>(&mut database);
        check::<SkipTouch>(&mut database);
    }

    #[test]
    fn guards_with_skip_and_touch(database) {
        check::<NewerSkipTouchAdd>(&mut database);
        check::<NotOlderSkipTouchAdd>(&mut database);
        check::<IfTouchAdd>(&mut database);
    }

    #[test]
    fn columns_that_are_not_supplied(database) {
        check::<OptionalRules>(&mut database);
        check::<OptionalExpressions>(&mut database);
        check::<OptionalGuarded>(&mut database);
        check::<OptionalSkip>(&mut database);
        check::<Sparse>(&mut database);
    }

    #[test]
    fn guards_that_read_what_is_not_supplied(database) {
        check::<OptionalNewer>(&mut database);
        check::<OnInsertNewer>(&mut database);
        check::<OptionalUpdateIf>(&mut database);
    }

    #[test]
    fn on_insert_default(database) {
        check::<OnInsert>(&mut database);
        check::<LooseOnInsert>(&mut database);
    }

    #[test]
    fn embedded_structs(database) {
        check::<Outer>(&mut database);
    }

    // --- The options of a call ----------------------------------------------

    #[test]
    fn rules_of_a_call(database) {
        let oracle = Plain::oracle()
            .rule(BIG, Rule::Add)
            .rule(SMALL, Rule::Min)
            .rule(RATIO, Rule::Max)
            .rule(WORD, Rule::Keep)
            .rule(SEEN, Rule::Touch);
        check_calls(&mut database, &oracle, |conn, rows, chunk_size| {
            wait(
                upsert(rows.iter().map(Plain::from))
                    .rule(strict::big, rule::Add)
                    .rule(strict::small, rule::Min)
                    .rule(strict::ratio, rule::Max)
                    .rule(strict::word, rule::Keep)
                    .rule(strict::seen, rule::Touch)
                    .chunk_size(chunk_size)
                    .execute(conn),
            )
        });
        let oracle = LoosePlain::oracle()
            .rule(BIG, Rule::Coalesce)
            .rule(WORD, Rule::Fill)
            .rule(AT, Rule::Min);
        check_calls(&mut database, &oracle, |conn, rows, chunk_size| {
            wait(
                upsert(rows.iter().map(LoosePlain::from))
                    .rule(loose::big, rule::Coalesce)
                    .chunk_size(chunk_size)
                    .rule(loose::word, rule::Fill)
                    .rule(loose::at, rule::Min)
                    .execute(conn),
            )
        });
        // Back to the plain rule.
        let oracle = LooseAdd::oracle()
            .rule(BIG, Rule::Update)
            .rule(SMALL, Rule::Keep);
        check_calls(&mut database, &oracle, |conn, rows, chunk_size| {
            wait(
                upsert(rows.iter().map(LooseAdd::from))
                    .rule(loose::big, rule::Update)
                    .rule(loose::small, rule::Keep)
                    .chunk_size(chunk_size)
                    .execute(conn),
            )
        });
    }

    #[test]
    fn expressions_of_a_call(database) {
        let oracle = Plain::oracle()
            .rule(SMALL, Rule::Set(|old, new| {
                Some(plus(&plus(&old[SMALL], new.cells[SMALL].as_ref()?), &Cell::Int(1)))
            }))
            .rule(SEEN, Rule::TouchTo(|old, _| Some(plus(&old[SEEN], &Cell::Int(2)))))
            .others(&[
                (NOTE, Rule::Set(|_, _| Some("it's \\ text".into()))),
                (WORD2, Rule::TouchTo(|old, _| Some(concat(&old[WORD], &"?".into())))),
            ])
            .tame(&[SMALL, SEEN]);
        check_calls(&mut database, &oracle, |conn, rows, chunk_size| {
            let step = 1;
            wait(
                upsert(rows.iter().map(Plain::from))
                    .set(strict::small, strict::small + excluded(strict::small) + step)
                    .touch(strict::seen, strict::seen + 2)
                    .set(strict::note, String::from("it's \\ text"))
                    .touch(strict::word2, strict::word.concat("?"))
                    .chunk_size(chunk_size)
                    .execute(conn),
            )
        });
        // Instead of the model's own, and beside them.
        let oracle = Set::oracle()
            .rule(BIG, Rule::Set(|old, _| Some(minus(&old[BIG], &Cell::Int(1)))))
            .rule(WORD2, Rule::Keep);
        check_calls(&mut database, &oracle, |conn, rows, chunk_size| {
            wait(
                upsert(rows.iter().map(Set::from))
                    .set(strict::big, strict::big - 1_i64)
                    .rule(strict::word2, rule::Keep)
                    .chunk_size(chunk_size)
                    .execute(conn),
            )
        });
    }

    #[test]
    fn guards_of_a_call(database) {
        let oracle = Plain::oracle()
            .rule(BIG, Rule::Add)
            .guard(|old, _| !is_larger(Some(&old[SMALL]), &Cell::Int(1)));
        check_calls(&mut database, &oracle, |conn, rows, chunk_size| {
            let limit = 1;
            wait(
                upsert(rows.iter().map(Plain::from))
                    .rule(strict::big, rule::Add)
                    .update_if(strict::small.le(limit))
                    .chunk_size(chunk_size)
                    .execute(conn),
            )
        });
        // Instead of both guards of the model.
        let oracle = NewerAndIf::oracle()
            .only_guard(|old, new| {
                !old[WORD].is_null() && new.cells[WORD].as_ref() == Some(&old[WORD])
            });
        check_calls(&mut database, &oracle, |conn, rows, chunk_size| {
            wait(
                upsert(rows.iter().map(NewerAndIf::from))
                    .update_if(excluded(loose::word).eq(loose::word))
                    .chunk_size(chunk_size)
                    .execute(conn),
            )
        });
    }

    #[test]
    fn skip_unchanged_for_a_call(database) {
        let oracle = LoosePlain::oracle()
            .rule(BIG, Rule::Keep)
            .rule(RATIO, Rule::Keep)
            .rule(AT, Rule::Touch)
            .rule(SEEN, Rule::Keep)
            .skip_unchanged(true);
        check_calls(&mut database, &oracle, |conn, rows, chunk_size| {
            wait(
                upsert(rows.iter().map(LoosePlain::from))
                    .rule(loose::big, rule::Keep)
                    .rule(loose::ratio, rule::Keep)
                    .rule(loose::at, rule::Touch)
                    .rule(loose::seen, rule::Keep)
                    .skip_unchanged(true)
                    .chunk_size(chunk_size)
                    .execute(conn),
            )
        });
        let oracle = SkipTouch::oracle().skip_unchanged(false);
        check_calls(&mut database, &oracle, |conn, rows, chunk_size| {
            wait(
                upsert(rows.iter().map(SkipTouch::from))
                    .skip_unchanged(false)
                    .chunk_size(chunk_size)
                    .execute(conn),
            )
        });
    }

    #[test]
    fn do_nothing_for_a_call(database) {
        check_calls(&mut database, &Plain::oracle().do_nothing(), |conn, rows, chunk_size| {
            let rows = rows.iter().map(Plain::from);
            wait(upsert(rows).do_nothing().chunk_size(chunk_size).execute(conn))
        });
        // Whatever else the call says.
        check_calls(&mut database, &Plain::oracle().do_nothing(), |conn, rows, chunk_size| {
            wait(
                upsert(rows.iter().map(Plain::from))
                    .set(strict::seen, 7)
                    .do_nothing()
                    .rule(strict::big, rule::Add)
                    .touch(strict::word, "touched")
                    .update_if(strict::small.gt(0))
                    .chunk_size(chunk_size)
                    .execute(conn),
            )
        });
        let oracle = GuardedWide::oracle().do_nothing();
        check_calls(&mut database, &oracle, |conn, rows, chunk_size| {
            wait(
                upsert(rows.iter().map(GuardedWide::from))
                    .do_nothing()
                    .chunk_size(chunk_size)
                    .execute(conn),
            )
        });
        let oracle = OnInsert::oracle().do_nothing();
        check_calls(&mut database, &oracle, |conn, rows, chunk_size| {
            wait(
                upsert(rows.iter().map(OnInsert::from))
                    .do_nothing()
                    .chunk_size(chunk_size)
                    .execute(conn),
            )
        });
    }

    #[test]
    fn another_target_for_a_call(database) {
        let by_small = |oracle: Oracle| {
            Oracle { target: Target::Small, ..oracle }.rule(SMALL, Rule::Keep)
        };
        let oracle = by_small(Plain::oracle()).rule(BIG, Rule::Add);
        check_calls(&mut database, &oracle, |conn, rows, chunk_size| {
            wait(
                upsert(rows.iter().map(Plain::from))
                    .on_conflict(strict::small)
                    .rule(strict::big, rule::Add)
                    .chunk_size(chunk_size)
                    .execute(conn),
            )
        });
        let oracle = by_small(SkipMax::oracle());
        check_calls(&mut database, &oracle, |conn, rows, chunk_size| {
            wait(
                upsert(rows.iter().map(SkipMax::from))
                    .on_conflict(strict::small)
                    .chunk_size(chunk_size)
                    .execute(conn),
            )
        });
        let oracle = by_small(Targeted::oracle());
        check_calls(&mut database, &oracle, |conn, rows, chunk_size| {
            wait(
                upsert(rows.iter().map(Targeted::from))
                    .on_conflict(Targeted::by_small())
                    .chunk_size(chunk_size)
                    .execute(conn),
            )
        });
        let oracle = by_small(Plain::oracle()).do_nothing();
        check_calls(&mut database, &oracle, |conn, rows, chunk_size| {
            wait(
                upsert(rows.iter().map(Plain::from))
                    .do_nothing()
                    .on_conflict(strict::small)
                    .chunk_size(chunk_size)
                    .execute(conn),
            )
        });
    }

    // --- Rows of a query ----------------------------------------------------

    #[test]
    fn selected_rows(database) {
        use strict_source as s;

        check_selected(&mut database, &Update::oracle(), |conn| {
            wait(
                Update::upsert_from(s::table.select((s::id, s::big, s::ratio, s::word, s::at, s::note)))
                    .execute(conn),
            )
        });
        check_selected(&mut database, &Add::oracle(), |conn| {
            let query = s::table.select((s::id, s::big, s::small, s::ratio));
            wait(Add::upsert_from(query).execute(conn))
        });
        check_selected(&mut database, &Wide::oracle(), |conn| {
            wait(
                Wide::upsert_from(s::table.select((
                    s::id, s::big, s::big2, s::small, s::ratio, s::ratio2, s::word, s::word2, s::at,
                    s::seen, s::note,
                )))
                .execute(conn),
            )
        });
        check_selected(&mut database, &NewerSkipTouchAdd::oracle(), |conn| {
            let query = s::table.select((s::id, s::at, s::big, s::seen, s::word));
            wait(NewerSkipTouchAdd::upsert_from(query).execute(conn))
        });
        check_selected(&mut database, &DoNothing::oracle(), |conn| {
            wait(DoNothing::upsert_from(s::table.select((s::id, s::big, s::word))).execute(conn))
        });
    }

    #[test]
    fn selected_rows_with_null(database) {
        use loose_source as s;

        check_selected(&mut database, &GuardedWide::oracle(), |conn| {
            wait(
                GuardedWide::upsert_from(s::table.select((
                    s::id, s::big, s::big2, s::small, s::ratio, s::ratio2, s::word, s::word2, s::at,
                    s::seen, s::note,
                )))
                .execute(conn),
            )
        });
        check_selected(&mut database, &SkipRules::oracle(), |conn| {
            let query = s::table.select((s::id, s::big, s::small, s::at, s::word, s::ratio));
            wait(SkipRules::upsert_from(query).execute(conn))
        });
        check_selected(&mut database, &LooseSet::oracle(), |conn| {
            let query = s::table.select((s::id, s::big, s::small, s::word, s::word2, s::at));
            wait(LooseSet::upsert_from(query).execute(conn))
        });
    }

    #[test]
    fn selected_rows_with_the_options_of_a_call(database) {
        use loose_source as s;

        let oracle = LoosePlain::oracle()
            .rule(BIG, Rule::Fill)
            .rule(SMALL, Rule::Set(|old, _| Some(plus(&old[SMALL], &Cell::Int(5)))))
            .others(&[(NOTE, Rule::TouchTo(|old, _| Some(concat(&old[WORD], &"!".into()))))])
            .guard(|old, new| {
                is_larger(new.cells[AT].as_ref(), &old[AT])
                    || old[SEEN].order(&Cell::Int(1)) == Some(Ordering::Equal)
            })
            .skip_unchanged(true)
            .tame(&[SMALL]);
        check_selected(&mut database, &oracle, |conn| {
            let step = 5;
            wait(
                LoosePlain::upsert_from(s::table.select((
                    s::id, s::big, s::small, s::ratio, s::word, s::at, s::seen,
                )))
                .rule(loose::big, rule::Fill)
                .set(loose::small, loose::small + step)
                .touch(loose::note, loose::word.concat("!"))
                .update_if(excluded(loose::at).gt(loose::at).or(loose::seen.eq(1)))
                .skip_unchanged(true)
                .execute(conn),
            )
        });
        check_selected(&mut database, &GuardedWide::oracle().do_nothing(), |conn| {
            wait(
                GuardedWide::upsert_from(s::table.select((
                    s::id, s::big, s::big2, s::small, s::ratio, s::ratio2, s::word, s::word2, s::at,
                    s::seen, s::note,
                )))
                .do_nothing()
                .execute(conn),
            )
        });
    }
}

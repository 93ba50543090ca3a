//! Conflict targets that are no columns of a whole index.

use super::*;

diesel::define_sql_function! {
    fn lower(text: diesel::sql_types::Nullable<diesel::sql_types::Text>)
        -> diesel::sql_types::Nullable<diesel::sql_types::Text>;
}

/// Says which rows of a call have the same key, nearly.
#[derive(Debug, Upsertable)]
#[diesel(table_name = loose)]
#[upsert(target = lower(word))]
pub(crate) struct MarkedWord {
    id: i32,
    #[conflict_key(nullable)]
    #[on_conflict(update)]
    word: Option<String>,
    #[on_conflict(add)]
    big: Option<i64>,
    #[on_conflict(update)]
    note: Option<String>,
}

checked! {
    MarkedWord { word, big, note } => Oracle {
        target: Target::Lower,
        ..Oracle::loose(&[(WORD, Rule::Update), (BIG, Rule::Add), (NOTE, Rule::Update)])
    }
}

/// Does not say it.
#[derive(Debug, Upsertable)]
#[diesel(table_name = loose)]
#[upsert(target = lower(word), skip_unchanged, touch(seen = seen + 1))]
pub(crate) struct UnmarkedWord {
    id: i32,
    #[on_conflict(update)]
    word: Option<String>,
    #[on_conflict(max)]
    small: Option<i32>,
}

checked! {
    UnmarkedWord { word, small } => Oracle {
        target: Target::Lower,
        ..Oracle::loose(&[(WORD, Rule::Update), (SMALL, Rule::Max)])
            .others(&[(SEEN, Rule::TouchTo(|old, _| Some(plus(&old[SEEN], &Cell::Int(1)))))])
            .skip_unchanged(true)
            .tame(&[SEEN])
    }
}

#[derive(Debug, Upsertable)]
#[diesel(table_name = loose)]
#[upsert(target = lower(word), do_nothing)]
pub(crate) struct NewWord {
    id: i32,
    #[conflict_key(nullable)]
    word: Option<String>,
    big: Option<i64>,
}

checked! {
    NewWord { word, big } => Oracle {
        target: Target::Lower,
        ..Oracle::loose(&[(WORD, Rule::Keep), (BIG, Rule::Keep)]).do_nothing()
    }
}

/// An update may take the row out of the index.
#[derive(Debug, Upsertable)]
#[diesel(table_name = loose)]
#[upsert(target_where = big.gt(0))]
pub(crate) struct PartialSmall {
    id: i32,
    #[conflict_key(nullable)]
    small: Option<i32>,
    #[on_conflict(set = excluded(big) - 2)]
    big: Option<i64>,
    #[on_conflict(update)]
    word: Option<String>,
}

checked! {
    PartialSmall { small, big, word } => Oracle {
        target: Target::Partial,
        ..Oracle::loose(&[
            (SMALL, Rule::Keep),
            (BIG, Rule::Set(|_, new| Some(minus(new.cells[BIG].as_ref()?, &Cell::Int(2))))),
            (WORD, Rule::Update),
        ])
        .tame(&[BIG])
    }
}

/// The last row alone would decide, if all rows were in the index.
#[derive(Debug, Upsertable)]
#[diesel(table_name = loose)]
#[upsert(target_where = big.gt(0), update_all)]
pub(crate) struct PartialAll {
    #[on_conflict(keep)]
    id: i32,
    #[conflict_key(nullable)]
    small: Option<i32>,
    big: Option<i64>,
    word: Option<String>,
}

checked! {
    PartialAll { small, big, word } => Oracle {
        target: Target::Partial,
        ..Oracle::loose(&[(SMALL, Rule::Keep), (BIG, Rule::Update), (WORD, Rule::Update)])
    }
}

#[derive(Debug, Upsertable)]
#[diesel(table_name = loose)]
#[upsert(target_where = big.gt(0), do_nothing)]
pub(crate) struct PartialNew {
    id: i32,
    #[conflict_key(nullable)]
    small: Option<i32>,
    big: Option<i64>,
    word: Option<String>,
}

checked! {
    PartialNew { small, big, word } => Oracle {
        target: Target::Partial,
        ..Oracle::loose(&[(SMALL, Rule::Keep), (BIG, Rule::Keep), (WORD, Rule::Keep)])
            .do_nothing()
    }
}

macro_rules! other_targets {
    ($module:ident, $checks:ident) => {
        mod $module {
            use super::*;
            use crate::rules::$checks::{Database, check, check_calls};

            #[test]
            fn an_expression() {
                check::<MarkedWord>(&mut Database::new());
                check::<UnmarkedWord>(&mut Database::new());
                check::<NewWord>(&mut Database::new());
            }

            #[test]
            fn a_partial_index() {
                check::<PartialSmall>(&mut Database::new());
                check::<PartialAll>(&mut Database::new());
                check::<PartialNew>(&mut Database::new());
            }

            /// Chosen for a call.
            #[test]
            fn a_partial_index_for_a_call() {
                let oracle = Oracle {
                    target: Target::Partial,
                    ..LoosePlain::oracle()
                }
                .rule(SMALL, Rule::Keep)
                .rule(WORD, Rule::Fill);
                check_calls(&mut Database::new(), &oracle, |conn, rows, chunk_size| {
                    wait(
                        upsert(rows.iter().map(LoosePlain::from))
                            .on_conflict(loose::small)
                            .filter_target(loose::big.gt(upsert_core::literal(0_i64)))
                            .rule(loose::word, rule::Fill)
                            .chunk_size(chunk_size)
                            .execute(conn),
                    )
                });
            }
        }
    };
}

other_targets!(on_sqlite_only, on_sqlite);
#[cfg(feature = "postgres")]
other_targets!(on_postgres_only, on_postgres);

#[cfg(feature = "postgres")]
mod constraints {
    use super::*;
    use crate::rules::on_postgres::{Database, check, check_calls};

    #[derive(Debug, Upsertable)]
    #[diesel(table_name = strict)]
    #[upsert(constraint = "cells_small_key", newer_by = at)]
    struct Marked {
        id: i32,
        #[conflict_key]
        small: i32,
        #[on_conflict(add)]
        big: i64,
        #[on_conflict(update)]
        at: NaiveDateTime,
    }

    fn create_with_constraint() -> String {
        let create = create(System::Postgres, "cells", true);
        format!("{create}; ALTER TABLE cells ADD UNIQUE (small)")
    }

    checked! {
        Marked { small, big, at } => Oracle {
            target: Target::Small,
            create: Some(create_with_constraint()),
            ..Oracle::strict(&[(SMALL, Rule::Keep), (BIG, Rule::Add), (AT, Rule::Update)])
                .guard(|old, new| new.cells[AT].as_ref().unwrap().is_newer(&old[AT], false))
        }
    }

    #[derive(Debug, Upsertable)]
    #[diesel(table_name = strict)]
    #[upsert(constraint = "cells_small_key", update_all)]
    struct Unmarked {
        #[on_conflict(keep)]
        id: i32,
        small: i32,
        big: i64,
        word: String,
    }

    checked! {
        Unmarked { small, big, word } => Oracle {
            target: Target::Small,
            create: Some(create_with_constraint()),
            ..Oracle::strict(&[(SMALL, Rule::Update), (BIG, Rule::Update), (WORD, Rule::Update)])
        }
    }

    #[test]
    fn a_constraint() {
        check::<Marked>(&mut Database::new());
        check::<Unmarked>(&mut Database::new());
    }

    /// Chosen for a call.
    #[test]
    fn a_constraint_for_a_call() {
        let oracle = Oracle {
            target: Target::Small,
            create: Some(create_with_constraint()),
            ..Plain::oracle().rule(BIG, Rule::Add)
        };
        check_calls(&mut Database::new(), &oracle, |conn, rows, chunk_size| {
            wait(
                upsert(rows.iter().map(Plain::from))
                    .on_conflict(upsert_core::on_constraint("cells_small_key"))
                    .rule(strict::big, rule::Add)
                    .chunk_size(chunk_size)
                    .execute(conn),
            )
        });
    }
}

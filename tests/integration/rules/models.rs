//! The models, each with its rules said once more.

use super::*;

// One rule each.
models! {
    Update of strict {
        #[on_conflict(update)] big: i64,
        #[on_conflict(update)] ratio: f64,
        #[on_conflict(update)] word: String,
        #[on_conflict(update)] at: NaiveDateTime,
        note: String,
    } => Oracle::strict(&[
        (BIG, Rule::Update), (RATIO, Rule::Update), (WORD, Rule::Update), (AT, Rule::Update),
        (NOTE, Rule::Keep),
    ]);

    LooseUpdate of loose {
        #[on_conflict(update)] big: Option<i64>,
        #[on_conflict(update)] ratio: Option<f64>,
        #[on_conflict(update)] word: Option<String>,
        #[on_conflict(update)] at: Option<NaiveDateTime>,
        #[on_conflict(keep)] note: Option<String>,
    } => Oracle::loose(&[
        (BIG, Rule::Update), (RATIO, Rule::Update), (WORD, Rule::Update), (AT, Rule::Update),
        (NOTE, Rule::Keep),
    ]);

    #[upsert(update_all)]
    UpdateAll of strict {
        big: i64,
        #[on_conflict(keep)] word: String,
        small: i32,
        #[on_conflict(add)] seen: i32,
    } => Oracle::strict(&[
        (BIG, Rule::Update), (WORD, Rule::Keep), (SMALL, Rule::Update), (SEEN, Rule::Add),
    ]);

    Add of strict {
        #[on_conflict(add)] big: i64,
        #[on_conflict(add)] small: i32,
        #[on_conflict(add)] ratio: f64,
    } => Oracle::strict(&[
        (BIG, Rule::Add), (SMALL, Rule::Add), (RATIO, Rule::Add),
    ]);

    LooseAdd of loose {
        #[on_conflict(add)] big: Option<i64>,
        #[on_conflict(add)] small: Option<i32>,
        #[on_conflict(add)] ratio: Option<f64>,
    } => Oracle::loose(&[
        (BIG, Rule::Add), (SMALL, Rule::Add), (RATIO, Rule::Add),
    ]);

    // Alone, so that no other column overflows first.
    AddBig of strict {
        #[on_conflict(add)] big: i64,
    } => Oracle::strict(&[(BIG, Rule::Add)]);

    LooseAddBig of loose {
        #[on_conflict(add)] big: Option<i64>,
    } => Oracle::loose(&[(BIG, Rule::Add)]);

    AddSmall of strict {
        #[on_conflict(add)] small: i32,
    } => Oracle::strict(&[(SMALL, Rule::Add)]);

    LooseAddRatio of loose {
        #[on_conflict(add)] ratio: Option<f64>,
    } => Oracle::loose(&[(RATIO, Rule::Add)]);

    Max of strict {
        #[on_conflict(max)] big: i64,
        #[on_conflict(max)] small: i32,
        #[on_conflict(max)] ratio: f64,
        #[on_conflict(max)] word: String,
        #[on_conflict(max)] at: NaiveDateTime,
    } => Oracle::strict(&[
        (BIG, Rule::Max), (SMALL, Rule::Max), (RATIO, Rule::Max), (WORD, Rule::Max),
        (AT, Rule::Max),
    ]);

    LooseMax of loose {
        #[on_conflict(max)] big: Option<i64>,
        #[on_conflict(max)] small: Option<i32>,
        #[on_conflict(max)] ratio: Option<f64>,
        #[on_conflict(max)] word: Option<String>,
        #[on_conflict(max)] at: Option<NaiveDateTime>,
    } => Oracle::loose(&[
        (BIG, Rule::Max), (SMALL, Rule::Max), (RATIO, Rule::Max), (WORD, Rule::Max),
        (AT, Rule::Max),
    ]);

    Min of strict {
        #[on_conflict(min)] big: i64,
        #[on_conflict(min)] small: i32,
        #[on_conflict(min)] ratio: f64,
        #[on_conflict(min)] word: String,
        #[on_conflict(min)] at: NaiveDateTime,
    } => Oracle::strict(&[
        (BIG, Rule::Min), (SMALL, Rule::Min), (RATIO, Rule::Min), (WORD, Rule::Min),
        (AT, Rule::Min),
    ]);

    LooseMin of loose {
        #[on_conflict(min)] big: Option<i64>,
        #[on_conflict(min)] small: Option<i32>,
        #[on_conflict(min)] ratio: Option<f64>,
        #[on_conflict(min)] word: Option<String>,
        #[on_conflict(min)] at: Option<NaiveDateTime>,
    } => Oracle::loose(&[
        (BIG, Rule::Min), (SMALL, Rule::Min), (RATIO, Rule::Min), (WORD, Rule::Min),
        (AT, Rule::Min),
    ]);

    Coalesce of strict {
        #[on_conflict(coalesce)] big: i64,
        #[on_conflict(coalesce)] word: String,
    } => Oracle::strict(&[(BIG, Rule::Coalesce), (WORD, Rule::Coalesce)]);

    LooseCoalesce of loose {
        #[on_conflict(coalesce)] big: Option<i64>,
        #[on_conflict(coalesce)] small: Option<i32>,
        #[on_conflict(coalesce)] ratio: Option<f64>,
        #[on_conflict(coalesce)] word: Option<String>,
        #[on_conflict(coalesce)] at: Option<NaiveDateTime>,
    } => Oracle::loose(&[
        (BIG, Rule::Coalesce), (SMALL, Rule::Coalesce), (RATIO, Rule::Coalesce),
        (WORD, Rule::Coalesce), (AT, Rule::Coalesce),
    ]);

    LooseFill of loose {
        #[on_conflict(fill)] big: Option<i64>,
        #[on_conflict(fill)] small: Option<i32>,
        #[on_conflict(fill)] ratio: Option<f64>,
        #[on_conflict(fill)] word: Option<String>,
        #[on_conflict(fill)] at: Option<NaiveDateTime>,
    } => Oracle::loose(&[
        (BIG, Rule::Fill), (SMALL, Rule::Fill), (RATIO, Rule::Fill), (WORD, Rule::Fill),
        (AT, Rule::Fill),
    ]);

    // Every expression sees the row as it was.
    #[upsert(set(seen = seen + 1, ratio = excluded(ratio2)))]
    Set of strict {
        #[on_conflict(set = big + excluded(big))] big: i64,
        #[on_conflict(set = excluded(small) - small)] small: i32,
        #[on_conflict(set = word2)] word: String,
        #[on_conflict(set = note)] word2: String,
        #[on_conflict(set = excluded(at))] at: NaiveDateTime,
        #[on_conflict(set = "it's set")] note: String,
        ratio2: f64,
    } => Oracle::strict(&[
        (BIG, Rule::Set(|old, new| Some(plus(&old[BIG], new.cells[BIG].as_ref()?)))),
        (SMALL, Rule::Set(|old, new| Some(minus(new.cells[SMALL].as_ref()?, &old[SMALL])))),
        (WORD, Rule::Set(|old, _| Some(old[WORD2].clone()))),
        (WORD2, Rule::Set(|old, _| Some(old[NOTE].clone()))),
        (AT, Rule::Update),
        (NOTE, Rule::Set(|_, _| Some("it's set".into()))),
        (RATIO2, Rule::Keep),
    ])
    .others(&[
        (SEEN, Rule::Set(|old, _| Some(plus(&old[SEEN], &Cell::Int(1))))),
        (RATIO, Rule::Set(|_, new| new.cells[RATIO2].clone())),
    ])
    .tame(&[BIG, SMALL, SEEN]);

    #[upsert(set(seen = seen + excluded(small), note = word.concat("!")))]
    LooseSet of loose {
        #[on_conflict(set = big + excluded(big))] big: Option<i64>,
        #[on_conflict(set = excluded(small) - small)] small: Option<i32>,
        #[on_conflict(set = word2)] word: Option<String>,
        #[on_conflict(set = excluded(word))] word2: Option<String>,
        #[on_conflict(set = excluded(at))] at: Option<NaiveDateTime>,
    } => Oracle::loose(&[
        (BIG, Rule::Set(|old, new| Some(plus(&old[BIG], new.cells[BIG].as_ref()?)))),
        (SMALL, Rule::Set(|old, new| Some(minus(new.cells[SMALL].as_ref()?, &old[SMALL])))),
        (WORD, Rule::Set(|old, _| Some(old[WORD2].clone()))),
        (WORD2, Rule::Set(|_, new| new.cells[WORD].clone())),
        (AT, Rule::Update),
    ])
    .others(&[
        (SEEN, Rule::Set(|old, new| Some(plus(&old[SEEN], new.cells[SMALL].as_ref()?)))),
        (NOTE, Rule::Set(|old, _| Some(concat(&old[WORD], &"!".into())))),
    ])
    .tame(&[BIG, SMALL, SEEN]);

    #[upsert(touch(seen = seen + 1))]
    Touch of strict {
        #[on_conflict(update)] big: i64,
        #[on_conflict(update)] ratio: f64,
        #[on_conflict(update)] word: String,
        #[on_conflict(touch)] at: NaiveDateTime,
        // Reads what is written, and what is written by a touch.
        #[on_conflict(touch = word.concat(note))] note: String,
        word2: String,
    } => Oracle::strict(&[
        (BIG, Rule::Update), (RATIO, Rule::Update), (WORD, Rule::Update), (AT, Rule::Touch),
        (NOTE, Rule::TouchTo(|old, _| Some(concat(&old[WORD], &old[NOTE])))),
        (WORD2, Rule::Keep),
    ])
    .others(&[(SEEN, Rule::TouchTo(|old, _| Some(plus(&old[SEEN], &Cell::Int(1)))))])
    .tame(&[SEEN]);

    #[upsert(touch(seen = seen + 1, ratio2 = excluded(ratio)))]
    LooseTouch of loose {
        #[on_conflict(update)] big: Option<i64>,
        #[on_conflict(coalesce)] word: Option<String>,
        #[on_conflict(max)] small: Option<i32>,
        #[on_conflict(touch)] at: Option<NaiveDateTime>,
        #[on_conflict(touch = word.concat(excluded(word)))] note: Option<String>,
        ratio: Option<f64>,
    } => Oracle::loose(&[
        (BIG, Rule::Update), (WORD, Rule::Coalesce), (SMALL, Rule::Max), (AT, Rule::Touch),
        (NOTE, Rule::TouchTo(|old, new| Some(concat(&old[WORD], new.cells[WORD].as_ref()?)))),
        (RATIO, Rule::Keep),
    ])
    .others(&[
        (SEEN, Rule::TouchTo(|old, _| Some(plus(&old[SEEN], &Cell::Int(1))))),
        (RATIO2, Rule::TouchTo(|_, new| new.cells[RATIO].clone())),
    ])
    .tame(&[SEEN]);

    // MySQL writes one column after the other, so it cannot.
    Swap of loose {
        #[on_conflict(set = word2)] word: Option<String>,
        #[on_conflict(set = word)] word2: Option<String>,
        #[on_conflict(update)] big: Option<i64>,
    } => Oracle::loose(&[
        (WORD, Rule::Set(|old, _| Some(old[WORD2].clone()))),
        (WORD2, Rule::Set(|old, _| Some(old[WORD].clone()))),
        (BIG, Rule::Update),
    ]);

    #[upsert(do_nothing)]
    DoNothing of strict {
        big: i64,
        word: String,
    } => Oracle::strict(&[(BIG, Rule::Keep), (WORD, Rule::Keep)]).do_nothing();
}

// All rules at once.
models! {
    Wide of strict {
        #[on_conflict(add)] big: i64,
        #[on_conflict(max)] big2: i64,
        #[on_conflict(set = small + excluded(small))] small: i32,
        #[on_conflict(min)] ratio: f64,
        #[on_conflict(add)] ratio2: f64,
        #[on_conflict(update)] word: String,
        word2: String,
        #[on_conflict(max)] at: NaiveDateTime,
        #[on_conflict(touch = seen + small)] seen: i32,
        #[on_conflict(set = word)] note: String,
    } => Oracle::strict(&[
        (BIG, Rule::Add), (BIG2, Rule::Max),
        (SMALL, Rule::Set(|old, new| Some(plus(&old[SMALL], new.cells[SMALL].as_ref()?)))),
        (RATIO, Rule::Min), (RATIO2, Rule::Add), (WORD, Rule::Update), (WORD2, Rule::Keep),
        (AT, Rule::Max),
        (SEEN, Rule::TouchTo(|old, _| Some(plus(&old[SEEN], &old[SMALL])))),
        (NOTE, Rule::Set(|old, _| Some(old[WORD].clone()))),
    ])
    .tame(&[SMALL, SEEN]);

    LooseWide of loose {
        #[on_conflict(add)] big: Option<i64>,
        #[on_conflict(min)] big2: Option<i64>,
        #[on_conflict(fill)] small: Option<i32>,
        #[on_conflict(coalesce)] ratio: Option<f64>,
        #[on_conflict(add)] ratio2: Option<f64>,
        #[on_conflict(fill)] word: Option<String>,
        #[on_conflict(set = word)] word2: Option<String>,
        #[on_conflict(update)] at: Option<NaiveDateTime>,
        #[on_conflict(touch = small)] seen: Option<i32>,
        #[on_conflict(touch)] note: Option<String>,
    } => Oracle::loose(&[
        (BIG, Rule::Add), (BIG2, Rule::Min), (SMALL, Rule::Fill), (RATIO, Rule::Coalesce),
        (RATIO2, Rule::Add), (WORD, Rule::Fill),
        (WORD2, Rule::Set(|old, _| Some(old[WORD].clone()))),
        (AT, Rule::Update),
        (SEEN, Rule::TouchTo(|old, _| Some(old[SMALL].clone()))),
        (NOTE, Rule::Touch),
    ]);

    #[upsert(not_older_by = at, skip_unchanged)]
    GuardedWide of loose {
        #[on_conflict(add)] big: Option<i64>,
        #[on_conflict(min)] big2: Option<i64>,
        #[on_conflict(fill)] small: Option<i32>,
        #[on_conflict(coalesce)] ratio: Option<f64>,
        #[on_conflict(max)] ratio2: Option<f64>,
        #[on_conflict(fill)] word: Option<String>,
        #[on_conflict(set = word)] word2: Option<String>,
        #[on_conflict(update)] at: Option<NaiveDateTime>,
        #[on_conflict(touch = small)] seen: Option<i32>,
        #[on_conflict(touch)] note: Option<String>,
    } => Oracle::loose(&[
        (BIG, Rule::Add), (BIG2, Rule::Min), (SMALL, Rule::Fill), (RATIO, Rule::Coalesce),
        (RATIO2, Rule::Max), (WORD, Rule::Fill),
        (WORD2, Rule::Set(|old, _| Some(old[WORD].clone()))),
        (AT, Rule::Update),
        (SEEN, Rule::TouchTo(|old, _| Some(old[SMALL].clone()))),
        (NOTE, Rule::Touch),
    ])
    .guard(|old, new| new.cells[AT].as_ref().unwrap().is_newer(&old[AT], true))
    .skip_unchanged(true);
}

// Guards.
models! {
    #[upsert(update_if = excluded(small).ge(small))]
    UpdateIf of strict {
        #[on_conflict(update)] small: i32,
        #[on_conflict(add)] big: i64,
        #[on_conflict(update)] word: String,
    } => Oracle::strict(&[
        (SMALL, Rule::Update), (BIG, Rule::Add), (WORD, Rule::Update),
    ])
    .guard(|old, new| !is_larger(Some(&old[SMALL]), new.cells[SMALL].as_ref().unwrap()));

    // A condition that is NULL does not hold.
    #[upsert(update_if = excluded(small).gt(small).or(word.is_null().and(excluded(word).eq("a"))))]
    LooseUpdateIf of loose {
        #[on_conflict(update)] small: Option<i32>,
        #[on_conflict(add)] big: Option<i64>,
        #[on_conflict(update)] word: Option<String>,
    } => Oracle::loose(&[
        (SMALL, Rule::Update), (BIG, Rule::Add), (WORD, Rule::Update),
    ])
    .guard(|old, new| {
        is_larger(new.cells[SMALL].as_ref(), &old[SMALL])
            || old[WORD].is_null() && new.cells[WORD] == Some("a".into())
    });

    // Reads columns that are updated, and one that the model does not have.
    #[upsert(update_if = word.ne(excluded(word)).and(seen.lt(2)), set(seen = seen + 1))]
    UpdateIfOutside of strict {
        #[on_conflict(update)] word: String,
        #[on_conflict(max)] big: i64,
    } => Oracle::strict(&[(WORD, Rule::Update), (BIG, Rule::Max)])
        .others(&[(SEEN, Rule::Set(|old, _| Some(plus(&old[SEEN], &Cell::Int(1)))))])
        .guard(|old, new| {
            new.cells[WORD].as_ref() != Some(&old[WORD])
                && old[SEEN].order(&Cell::Int(2)) == Some(Ordering::Less)
        })
        .tame(&[SEEN]);

    #[upsert(newer_by = at)]
    NewerBy of strict {
        #[on_conflict(update)] at: NaiveDateTime,
        #[on_conflict(add)] big: i64,
        #[on_conflict(update)] word: String,
    } => Oracle::strict(&[(AT, Rule::Update), (BIG, Rule::Add), (WORD, Rule::Update)])
        .guard(|old, new| new.cells[AT].as_ref().unwrap().is_newer(&old[AT], false));

    #[upsert(newer_by = big)]
    LooseNewerBy of loose {
        #[on_conflict(update)] word: Option<String>,
        #[on_conflict(update)] big: Option<i64>,
        #[on_conflict(add)] small: Option<i32>,
    } => Oracle::loose(&[(WORD, Rule::Update), (BIG, Rule::Update), (SMALL, Rule::Add)])
        .guard(|old, new| new.cells[BIG].as_ref().unwrap().is_newer(&old[BIG], false));

    #[upsert(not_older_by = ratio)]
    NotOlderBy of strict {
        #[on_conflict(update)] ratio: f64,
        #[on_conflict(add)] big: i64,
        #[on_conflict(update)] word: String,
    } => Oracle::strict(&[(RATIO, Rule::Update), (BIG, Rule::Add), (WORD, Rule::Update)])
        .guard(|old, new| new.cells[RATIO].as_ref().unwrap().is_newer(&old[RATIO], true));

    #[upsert(not_older_by = at)]
    LooseNotOlderBy of loose {
        #[on_conflict(update)] word: Option<String>,
        #[on_conflict(update)] at: Option<NaiveDateTime>,
        #[on_conflict(add)] small: Option<i32>,
    } => Oracle::loose(&[(WORD, Rule::Update), (AT, Rule::Update), (SMALL, Rule::Add)])
        .guard(|old, new| new.cells[AT].as_ref().unwrap().is_newer(&old[AT], true));

    // By text, which is compared as the column is.
    #[upsert(newer_by = word)]
    LooseNewerByWord of loose {
        #[on_conflict(update)] word: Option<String>,
        #[on_conflict(update)] note: Option<String>,
    } => Oracle::loose(&[(WORD, Rule::Update), (NOTE, Rule::Update)])
        .guard(|old, new| new.cells[WORD].as_ref().unwrap().is_newer(&old[WORD], false));

    #[upsert(newer_by = at, update_if = excluded(small).gt(0))]
    NewerAndIf of loose {
        #[on_conflict(update)] at: Option<NaiveDateTime>,
        #[on_conflict(update)] small: Option<i32>,
        #[on_conflict(fill)] word: Option<String>,
    } => Oracle::loose(&[(AT, Rule::Update), (SMALL, Rule::Update), (WORD, Rule::Fill)])
        .guard(|old, new| new.cells[AT].as_ref().unwrap().is_newer(&old[AT], false))
        .guard(|_, new| is_larger(new.cells[SMALL].as_ref(), &Cell::Int(0)));
}

// Rows that would not change.
models! {
    #[upsert(skip_unchanged)]
    Skip of strict {
        #[on_conflict(update)] big: i64,
        #[on_conflict(update)] ratio: f64,
        #[on_conflict(update)] word: String,
        #[on_conflict(update)] at: NaiveDateTime,
        // Not compared.
        note: String,
    } => Oracle::strict(&[
        (BIG, Rule::Update), (RATIO, Rule::Update), (WORD, Rule::Update), (AT, Rule::Update),
        (NOTE, Rule::Keep),
    ])
    .skip_unchanged(true);

    // One column, so that most rows do not change.
    #[upsert(skip_unchanged)]
    SkipWord of loose {
        #[on_conflict(update)] word: Option<String>,
    } => Oracle::loose(&[(WORD, Rule::Update)]).skip_unchanged(true);

    #[upsert(skip_unchanged)]
    SkipRatio of loose {
        #[on_conflict(update)] ratio: Option<f64>,
    } => Oracle::loose(&[(RATIO, Rule::Update)]).skip_unchanged(true);

    #[upsert(skip_unchanged)]
    LooseSkip of loose {
        #[on_conflict(update)] small: Option<i32>,
        #[on_conflict(update)] at: Option<NaiveDateTime>,
    } => Oracle::loose(&[(SMALL, Rule::Update), (AT, Rule::Update)]).skip_unchanged(true);

    // Rules that often give the old value.
    #[upsert(skip_unchanged)]
    SkipRules of loose {
        #[on_conflict(add)] big: Option<i64>,
        #[on_conflict(max)] small: Option<i32>,
        #[on_conflict(min)] at: Option<NaiveDateTime>,
        #[on_conflict(coalesce)] word: Option<String>,
        #[on_conflict(fill)] ratio: Option<f64>,
    } => Oracle::loose(&[
        (BIG, Rule::Add), (SMALL, Rule::Max), (AT, Rule::Min), (WORD, Rule::Coalesce),
        (RATIO, Rule::Fill),
    ])
    .skip_unchanged(true);

    #[upsert(skip_unchanged)]
    SkipMax of strict {
        #[on_conflict(max)] small: i32,
        #[on_conflict(min)] word: String,
        #[on_conflict(touch = seen + 1)] seen: i32,
    } => Oracle::strict(&[
        (SMALL, Rule::Max), (WORD, Rule::Min),
        (SEEN, Rule::TouchTo(|old, _| Some(plus(&old[SEEN], &Cell::Int(1))))),
    ])
    .skip_unchanged(true)
    .tame(&[SEEN]);

    // `set` is compared too, also of a column that the model does not have.
    #[upsert(skip_unchanged, set(note = excluded(word)))]
    SkipSet of loose {
        #[on_conflict(set = word2)] word: Option<String>,
        word2: Option<String>,
        #[on_conflict(set = excluded(small))] small: Option<i32>,
    } => Oracle::loose(&[
        (WORD, Rule::Set(|old, _| Some(old[WORD2].clone()))),
        (WORD2, Rule::Keep), (SMALL, Rule::Update),
    ])
    .others(&[(NOTE, Rule::Set(|_, new| new.cells[WORD].clone()))])
    .skip_unchanged(true);

    #[upsert(skip_unchanged, touch(note = excluded(word2)))]
    SkipTouch of loose {
        #[on_conflict(update)] word: Option<String>,
        word2: Option<String>,
        #[on_conflict(touch)] at: Option<NaiveDateTime>,
        #[on_conflict(touch = seen + 1)] seen: Option<i32>,
    } => Oracle::loose(&[
        (WORD, Rule::Update), (WORD2, Rule::Keep), (AT, Rule::Touch),
        (SEEN, Rule::TouchTo(|old, _| Some(plus(&old[SEEN], &Cell::Int(1))))),
    ])
    .others(&[(NOTE, Rule::TouchTo(|_, new| new.cells[WORD2].clone()))])
    .skip_unchanged(true)
    .tame(&[SEEN]);

    #[upsert(newer_by = at, skip_unchanged)]
    NewerSkipTouchAdd of strict {
        #[on_conflict(update)] at: NaiveDateTime,
        #[on_conflict(add)] big: i64,
        #[on_conflict(touch = seen + 1)] seen: i32,
        #[on_conflict(update)] word: String,
    } => Oracle::strict(&[
        (AT, Rule::Update), (BIG, Rule::Add),
        (SEEN, Rule::TouchTo(|old, _| Some(plus(&old[SEEN], &Cell::Int(1))))),
        (WORD, Rule::Update),
    ])
    .guard(|old, new| new.cells[AT].as_ref().unwrap().is_newer(&old[AT], false))
    .skip_unchanged(true)
    .tame(&[SEEN]);

    #[upsert(not_older_by = at, skip_unchanged)]
    NotOlderSkipTouchAdd of loose {
        #[on_conflict(update)] at: Option<NaiveDateTime>,
        #[on_conflict(add)] big: Option<i64>,
        #[on_conflict(touch = seen + 1)] seen: Option<i32>,
        #[on_conflict(coalesce)] word: Option<String>,
    } => Oracle::loose(&[
        (AT, Rule::Update), (BIG, Rule::Add),
        (SEEN, Rule::TouchTo(|old, _| Some(plus(&old[SEEN], &Cell::Int(1))))),
        (WORD, Rule::Coalesce),
    ])
    .guard(|old, new| new.cells[AT].as_ref().unwrap().is_newer(&old[AT], true))
    .skip_unchanged(true)
    .tame(&[SEEN]);

    // The guard without the skip, and the touch without both.
    #[upsert(update_if = excluded(small).ge(0), touch(seen = seen + 1))]
    IfTouchAdd of loose {
        #[on_conflict(add)] small: Option<i32>,
        #[on_conflict(coalesce)] word: Option<String>,
    } => Oracle::loose(&[(SMALL, Rule::Add), (WORD, Rule::Coalesce)])
        .others(&[(SEEN, Rule::TouchTo(|old, _| Some(plus(&old[SEEN], &Cell::Int(1)))))])
        .guard(|_, new| {
            let small = new.cells[SMALL].as_ref().unwrap();
            !small.is_null() && !is_larger(Some(&Cell::Int(0)), small)
        })
        .tame(&[SEEN]);
}

// Columns that some rows do not supply.
models! {
    OptionalRules of strict {
        #[on_conflict(add)] big: Option<i64>,
        #[on_conflict(max)] small: Option<i32>,
        #[on_conflict(set = ratio + excluded(ratio))] ratio: Option<f64>,
        #[on_conflict(coalesce)] word: Option<String>,
        #[on_conflict(update)] seen: i32,
    } => Oracle::strict(&[
        (BIG, Rule::Add), (SMALL, Rule::Max),
        (RATIO, Rule::Set(|old, new| match (&old[RATIO], new.cells[RATIO].as_ref()?) {
            (Cell::Real(old), Cell::Real(new)) => Some(Cell::Real(old + new)),
            other => panic!("{other:?}"),
        })),
        (WORD, Rule::Coalesce), (SEEN, Rule::Update),
    ])
    .optional(&[BIG, SMALL, RATIO, WORD])
    .tame(&[RATIO]);

    // An expression that reads a column which is not supplied is left out.
    #[upsert(set(note = excluded(word)), touch(seen = seen + excluded(small)))]
    OptionalExpressions of strict {
        #[on_conflict(set = big + excluded(big2))] big: i64,
        #[on_conflict(update)] big2: Option<i64>,
        word: Option<String>,
        #[on_conflict(update)] small: Option<i32>,
        #[on_conflict(touch = excluded(word))] word2: String,
        #[on_conflict(update)] ratio: f64,
        // Not supplied, so not written, though the expression does not read it.
        #[on_conflict(set = ratio)] ratio2: Option<f64>,
    } => Oracle::strict(&[
        (BIG, Rule::Set(|old, new| Some(plus(&old[BIG], new.cells[BIG2].as_ref()?)))),
        (BIG2, Rule::Update), (WORD, Rule::Keep), (SMALL, Rule::Update),
        (WORD2, Rule::TouchTo(|_, new| new.cells[WORD].clone())),
        (RATIO, Rule::Update),
        (RATIO2, Rule::Set(|old, _| Some(old[RATIO].clone()))),
    ])
    .others(&[
        (NOTE, Rule::Set(|_, new| new.cells[WORD].clone())),
        (SEEN, Rule::TouchTo(|old, new| Some(plus(&old[SEEN], new.cells[SMALL].as_ref()?)))),
    ])
    .optional(&[BIG2, WORD, SMALL, RATIO2])
    .tame(&[BIG, BIG2, SMALL, SEEN]);

    // A row that supplies nothing to update leaves its row as it is.
    #[upsert(skip_unchanged)]
    OptionalSkip of strict {
        #[on_conflict(update)] big: Option<i64>,
        #[on_conflict(min)] word: Option<String>,
        #[on_conflict(touch)] at: Option<NaiveDateTime>,
        #[on_conflict(touch = seen + 1)] seen: i32,
    } => Oracle::strict(&[
        (BIG, Rule::Update), (WORD, Rule::Min), (AT, Rule::Touch),
        (SEEN, Rule::TouchTo(|old, _| Some(plus(&old[SEEN], &Cell::Int(1))))),
    ])
    .optional(&[BIG, WORD, AT])
    .skip_unchanged(true)
    .tame(&[SEEN]);

    #[upsert(update_if = excluded(seen).gt(seen))]
    OptionalGuarded of strict {
        #[on_conflict(add)] big: Option<i64>,
        #[on_conflict(update)] word: Option<String>,
        #[on_conflict(touch)] at: Option<NaiveDateTime>,
        seen: i32,
    } => Oracle::strict(&[
        (BIG, Rule::Add), (WORD, Rule::Update), (AT, Rule::Touch), (SEEN, Rule::Keep),
    ])
    .guard(|old, new| is_larger(new.cells[SEEN].as_ref(), &old[SEEN]))
    .optional(&[BIG, WORD, AT]);

    // A row without the column that tells is not newer.
    #[upsert(newer_by = at, touch(seen = seen + 1))]
    OptionalNewer of strict {
        #[on_conflict(update)] at: Option<NaiveDateTime>,
        #[on_conflict(add)] small: i32,
        #[on_conflict(update)] word: Option<String>,
    } => Oracle::strict(&[(AT, Rule::Update), (SMALL, Rule::Add), (WORD, Rule::Update)])
        .others(&[(SEEN, Rule::TouchTo(|old, _| Some(plus(&old[SEEN], &Cell::Int(1)))))])
        .guard(|old, new| new.cells[AT].as_ref().is_some_and(|at| at.is_newer(&old[AT], false)))
        .optional(&[AT, WORD])
        .tame(&[SEEN]);

    #[upsert(not_older_by = big, skip_unchanged)]
    OnInsertNewer of loose {
        #[on_insert(default = 2)]
        #[on_conflict(update)] big: Option<i64>,
        #[on_conflict(update)] word: Option<String>,
    } => Oracle::loose(&[(BIG, Rule::Update), (WORD, Rule::Update)])
        .guard(|old, new| new.cells[BIG].as_ref().is_some_and(|big| big.is_newer(&old[BIG], true)))
        .on_insert(BIG, |_| Cell::Int(2))
        .skip_unchanged(true);

    // Nor does a condition hold that reads what is not there.
    #[upsert(update_if = excluded(small).ge(small).or(seen.lt(2)))]
    OptionalUpdateIf of strict {
        #[on_conflict(update)] small: Option<i32>,
        #[on_conflict(update)] word: Option<String>,
        #[on_conflict(update)] seen: i32,
    } => Oracle::strict(&[(SMALL, Rule::Update), (WORD, Rule::Update), (SEEN, Rule::Update)])
        .guard(|old, new| {
            let is_less = |cell: &Cell, other: &Cell| cell.order(other) == Some(Ordering::Less);
            new.cells[SMALL].as_ref().is_some_and(|small| {
                !is_less(small, &old[SMALL]) || is_less(&old[SEEN], &Cell::Int(2))
            })
        })
        .optional(&[SMALL, WORD]);

    #[diesel(treat_none_as_default_value = true)]
    Sparse of loose {
        #[on_conflict(add)] big: Option<i64>,
        #[on_conflict(coalesce)] word: Option<String>,
        #[on_conflict(fill)] small: Option<i32>,
        #[on_conflict(set = excluded(at))] at: Option<NaiveDateTime>,
        #[on_conflict(touch)] seen: Option<i32>,
    } => Oracle::loose(&[
        (BIG, Rule::Add), (WORD, Rule::Coalesce), (SMALL, Rule::Fill),
        (AT, Rule::Set(|_, new| new.cells[AT].clone())),
        (SEEN, Rule::Touch),
    ])
    .optional(&[BIG, WORD, SMALL, AT, SEEN]);
}

// `self` in an attribute is the row, if no macro stands between.

#[derive(Debug, Upsertable)]
#[diesel(table_name = strict)]
pub(crate) struct OnInsert {
    #[conflict_key]
    id: i32,
    #[on_insert(default = 42)]
    #[on_conflict(add)]
    big: Option<i64>,
    #[on_insert(default = format!("row {}", self.id))]
    #[on_conflict(update)]
    word: Option<String>,
    #[on_insert(default = f64::from(self.small) / 2.0)]
    ratio: Option<f64>,
    #[on_conflict(max)]
    small: i32,
    // Has the column's default.
    #[on_conflict(update)]
    note: Option<String>,
}

checked! {
    OnInsert { big, word, ratio, small, note } => Oracle::strict(&[
        (BIG, Rule::Add), (WORD, Rule::Update), (RATIO, Rule::Keep), (SMALL, Rule::Max),
        (NOTE, Rule::Update),
    ])
    .on_insert(BIG, |_| Cell::Int(42))
    .on_insert(WORD, |row| format!("row {}", row.id).into())
    .on_insert(RATIO, |row| {
        let small: i32 = FromCell::from_cell(row.cells[SMALL].as_ref());
        (f64::from(small) / 2.0).into()
    })
    .optional(&[NOTE])
}

#[derive(Debug, Upsertable)]
#[diesel(table_name = loose)]
#[upsert(skip_unchanged, touch(note = excluded(word)))]
pub(crate) struct LooseOnInsert {
    #[conflict_key]
    id: i32,
    #[on_insert(default = i64::MAX)]
    #[on_conflict(coalesce)]
    big: Option<i64>,
    #[on_insert(default = String::from("new"))]
    #[on_conflict(fill)]
    word: Option<String>,
    #[on_insert(default = start() + TimeDelta::seconds(self.id.into()))]
    #[on_conflict(touch)]
    at: Option<NaiveDateTime>,
    #[on_conflict(update)]
    small: Option<i32>,
}

checked! {
    LooseOnInsert { big, word, at, small } => Oracle::loose(&[
        (BIG, Rule::Coalesce), (WORD, Rule::Fill), (AT, Rule::Touch), (SMALL, Rule::Update),
    ])
    .others(&[(NOTE, Rule::TouchTo(|_, new| new.cells[WORD].clone()))])
    .on_insert(BIG, |_| Cell::Int(i64::MAX))
    .on_insert(WORD, |_| "new".into())
    .on_insert(AT, |row| row.id.into())
    .skip_unchanged(true)
}

/// A part of [`Outer`].
#[derive(Debug, Upsertable)]
#[diesel(table_name = strict)]
#[upsert(embedded)]
pub(crate) struct Inner {
    #[on_conflict(max)]
    big: i64,
    #[on_conflict(touch = seen + 1)]
    seen: i32,
    #[diesel(embed)]
    innermost: Innermost,
    #[on_conflict(set = small + excluded(small))]
    small: i32,
}

#[derive(Debug, Upsertable)]
#[diesel(table_name = strict)]
#[upsert(embedded)]
pub(crate) struct Innermost {
    #[on_insert(default = String::from("inner"))]
    #[on_conflict(update)]
    word: Option<String>,
    #[on_conflict(set = excluded(word))]
    word2: String,
}

#[derive(Debug, Upsertable)]
#[diesel(table_name = strict)]
#[upsert(skip_unchanged, not_older_by = at, set(ratio = ratio2), update_if = big.ne(3))]
pub(crate) struct Outer {
    #[on_conflict(update)]
    at: NaiveDateTime,
    #[diesel(embed)]
    inner: Inner,
    #[conflict_key]
    id: i32,
    #[on_conflict(set = word)]
    note: String,
}

impl From<&Proposed> for Outer {
    fn from(row: &Proposed) -> Self {
        Self {
            id: row.id,
            at: FromCell::from_cell(row.cell("at")),
            inner: Inner {
                big: FromCell::from_cell(row.cell("big")),
                seen: FromCell::from_cell(row.cell("seen")),
                innermost: Innermost {
                    word: FromCell::from_cell(row.cell("word")),
                    word2: FromCell::from_cell(row.cell("word2")),
                },
                small: FromCell::from_cell(row.cell("small")),
            },
            note: FromCell::from_cell(row.cell("note")),
        }
    }
}

impl Checked for Outer {
    fn oracle() -> Oracle {
        Oracle::strict(&[
            (AT, Rule::Update),
            (BIG, Rule::Max),
            (
                SEEN,
                Rule::TouchTo(|old, _| Some(plus(&old[SEEN], &Cell::Int(1)))),
            ),
            (WORD, Rule::Update),
            (WORD2, Rule::Set(|_, new| new.cells[WORD].clone())),
            (
                SMALL,
                Rule::Set(|old, new| Some(plus(&old[SMALL], new.cells[SMALL].as_ref()?))),
            ),
            (NOTE, Rule::Set(|old, _| Some(old[WORD].clone()))),
        ])
        .others(&[(RATIO, Rule::Set(|old, _| Some(old[RATIO2].clone())))])
        .guard(|old, new| {
            new.cells[AT].as_ref().unwrap().is_newer(&old[AT], true) && old[BIG] != Cell::Int(3)
        })
        .skip_unchanged(true)
        .on_insert(WORD, |_| "inner".into())
        .tame(&[SMALL, SEEN])
    }
}

// What the options of a call are put on.
models! {
    #[upsert(update_all)]
    Plain of strict {
        big: i64,
        small: i32,
        ratio: f64,
        word: String,
        at: NaiveDateTime,
        seen: i32,
    } => Oracle::strict(&[
        (BIG, Rule::Update), (SMALL, Rule::Update), (RATIO, Rule::Update), (WORD, Rule::Update),
        (AT, Rule::Update), (SEEN, Rule::Update),
    ]);

    #[upsert(targets(by_small = small, by_both = (small, big)), newer_by = big)]
    Targeted of strict {
        #[on_conflict(update)] big: i64,
        small: i32,
        #[on_conflict(max)] word: String,
    } => Oracle::strict(&[(BIG, Rule::Update), (SMALL, Rule::Keep), (WORD, Rule::Max)])
        .guard(|old, new| is_larger(new.cells[BIG].as_ref(), &old[BIG]));

    #[upsert(update_all)]
    LoosePlain of loose {
        big: Option<i64>,
        small: Option<i32>,
        ratio: Option<f64>,
        word: Option<String>,
        at: Option<NaiveDateTime>,
        seen: Option<i32>,
    } => Oracle::loose(&[
        (BIG, Rule::Update), (SMALL, Rule::Update), (RATIO, Rule::Update), (WORD, Rule::Update),
        (AT, Rule::Update), (SEEN, Rule::Update),
    ]);
}

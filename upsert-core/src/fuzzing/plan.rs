//! The order of the rows.

use std::collections::BTreeMap;

use super::Source;
use crate::builder::Duplicates;
use crate::dialect::{Equals, KeyPart};
use crate::field::Supplied;
use crate::key::{Keys, Trust, TypeKind};
use crate::plan::{Conflict, Input, Plan, Repeated};

/// A row of one key, with the columns that it writes.
#[derive(Debug)]
struct Row {
    /// `None` is NULL.
    key: Option<Vec<u8>>,
    supplied: Supplied,
}

/// The columns besides the key.
const COLUMNS: usize = 3;

/// How a row is held by the database: for each column the row that wrote it, and all rows
/// that came.
type Stored = ([Option<usize>; COLUMNS], Vec<usize>);

fn class(key: &[u8]) -> Vec<u8> {
    key.to_ascii_lowercase()
}

/// Selects and orders rows, with every policy, and compares with what is simple and slow.
pub fn plan(data: &[u8]) {
    const KEYS: &[&[u8]] = &[
        b"a",
        b"A",
        b"b",
        b"B",
        b"",
        b"\0",
        b"a\0",
        b"\0a",
        b"abcdefgh",
        b"abcdefghi",
        b"abcdefgH",
    ];
    let source = &mut Source(data);
    let is_uniform = source.flag();
    let has_nulls = source.flag();
    let has_classes = source.flag();
    let of_all = draw_supplied(source);
    let rows: Vec<Row> = (0..source.below(40))
        .map(|_| Row {
            key: (!has_nulls || source.byte() % 4 > 0).then(|| source.pick(KEYS).to_vec()),
            supplied: if is_uniform {
                of_all
            } else {
                draw_supplied(source)
            },
        })
        .collect();
    let conflicts = [
        Conflict::DoNothing,
        Conflict::UpdateSome,
        Conflict::UpdateAll,
        Conflict::EachRow,
    ];
    let policies = [
        Duplicates::InOrder,
        Duplicates::KeepFirst,
        Duplicates::KeepLast,
        Duplicates::Reject,
    ];
    let keys = keys(&rows, has_classes);
    assert_eq!(keys.len(), rows.len());
    let supplied: Vec<Supplied> = if is_uniform {
        vec![of_all]
    } else {
        rows.iter().map(|row| row.supplied).collect()
    };
    let is_updated = |column| of_all.updated().contains(column);
    let conflict = match source.pick(&conflicts) {
        Conflict::UpdateAll if !of_all.inserted().iter().all(is_updated) => Conflict::UpdateSome,
        conflict => conflict,
    };
    let input = Input {
        keys: &keys,
        supplied: &supplied,
        duplicates: source.pick(&policies),
        conflict,
        applies_rows_in_order: source.flag(),
    };
    let selected = match (input.select(), reference(&rows, input.duplicates)) {
        (Ok(selected), Ok(expected)) => {
            assert_eq!(selected, expected);
            selected
        }
        (Err(found), Err(expected)) => return assert_eq!(found, expected),
        (found, expected) => panic!("{found:?} instead of {expected:?}"),
    };
    let is_new = |at: usize| {
        let key = &rows[selected[at]].key;
        key.is_none() || !selected[..at].iter().any(|row| rows[*row].key == *key)
    };
    let different = (0..selected.len()).filter(|at| is_new(*at)).count();
    assert_eq!(input.count_keys(&selected), different);

    let as_given = input.as_given(selected.clone());
    assert_eq!(as_given.rows, selected);
    assert_eq!(as_given.unsent, 0);
    check(&input, &rows, &selected, &as_given, false);

    let sorted = input.sorted(selected.clone());
    check(&input, &rows, &selected, &sorted, has_classes);

    // Two calls lock the same rows in the same order, wherever they stand in the input.
    if let ([only], false) = (sorted.steps.as_slice(), selected.is_empty()) {
        assert_eq!(only.rows, 0..sorted.rows.len());
        let mut reversed: Vec<usize> = selected.iter().rev().copied().collect();
        reversed = input.sorted(reversed).rows;
        if input.applies_rows_in_order {
            let classes = |rows: &[usize]| -> Vec<Vec<u8>> {
                let classes = rows.iter().map(|row| keys.class(*row).to_vec());
                let mut classes: Vec<_> = classes.collect();
                classes.dedup();
                classes
            };
            assert_eq!(classes(&sorted.rows), classes(&reversed));
        }
    }
}

fn draw_supplied(source: &mut Source<'_>) -> Supplied {
    let mut supplied = Supplied::default();
    for column in 0..COLUMNS {
        match source.byte() % 8 {
            0 => {}
            1 => supplied.insert_default(column),
            _ => supplied.insert(column),
        }
    }
    supplied
}

fn keys(rows: &[Row], has_classes: bool) -> Keys {
    let mut keys = Keys::with_capacity(rows.len());
    for row in rows {
        keys.begin_row();
        match &row.key {
            None => keys.push_null(),
            Some(key) => {
                let equals = if has_classes {
                    Equals::Class(class(key).into())
                } else {
                    Equals::Same
                };
                keys.push_part(TypeKind::Text, &KeyPart::new(key, equals));
            }
        }
        keys.end_row();
    }
    let has_classes = has_classes && rows.iter().any(|row| row.key.is_some());
    let trust = if has_classes {
        Trust::Classes
    } else {
        Trust::Exact
    };
    assert_eq!(keys.trust, trust);
    keys
}

/// The rows that a policy lets through.
fn reference(rows: &[Row], duplicates: Duplicates) -> Result<Vec<usize>, Repeated> {
    let same = |a: usize| {
        let others = (0..rows.len())
            .filter(move |b| *b == a || rows[a].key.is_some() && rows[a].key == rows[*b].key);
        others.collect::<Vec<usize>>()
    };
    let all = 0..rows.len();
    match duplicates {
        Duplicates::InOrder => Ok(all.collect()),
        Duplicates::KeepFirst => Ok(all.filter(|row| same(*row)[0] == *row).collect()),
        Duplicates::KeepLast => Ok(all.filter(|row| same(*row).last() == Some(row)).collect()),
        Duplicates::Reject => {
            let firsts = all.clone().filter(|row| same(*row)[0] == *row);
            let groups: Vec<_> = firsts.map(same).filter(|group| group.len() > 1).collect();
            if groups.is_empty() {
                Ok(all.collect())
            } else {
                Err(Repeated(groups))
            }
        }
    }
}

/// The plan writes what the rows do one by one, and no statement of it is refused, whether
/// the database holds equal what is in one class or only what is the same.
fn check(input: &Input<'_>, rows: &[Row], selected: &[usize], plan: &Plan, by_class: bool) {
    let mut end = 0;
    for step in &plan.steps {
        assert_eq!(step.rows.start, end);
        end = step.rows.end;
        let step_rows = &plan.rows[step.rows.clone()];
        assert!(
            step_rows
                .iter()
                .all(|row| input.supplied(*row) == step.supplied)
        );
    }
    assert_eq!(end, plan.rows.len());

    for by_class in [false, by_class] {
        let held = |row: usize| -> Option<Vec<u8>> {
            let key = rows[row].key.as_ref()?;
            Some(if by_class { class(key) } else { key.clone() })
        };
        if !input.applies_rows_in_order {
            for step in &plan.steps {
                let mut held: Vec<_> = plan.rows[step.rows.clone()]
                    .iter()
                    .filter_map(|row| held(*row))
                    .collect();
                held.sort();
                assert!(held.windows(2).all(|pair| pair[0] != pair[1]));
            }
        }
        // What the rows do is the same for all of them only if they write the same columns.
        let conflict = if input.supplied.len() == 1 {
            input.conflict
        } else {
            Conflict::EachRow
        };
        let expected = write(selected, rows, conflict, &held);
        let found = write(&plan.rows, rows, conflict, &held);
        assert_eq!(found.0, expected.0, "{plan:?}");
        assert_eq!(found.1 + plan.unsent, expected.1, "{plan:?}");
    }
}

/// A table with one row after these were upserted one by one, and how many were written. A
/// row with a NULL is its own.
fn write(
    order: &[usize],
    rows: &[Row],
    conflict: Conflict,
    held: &dyn Fn(usize) -> Option<Vec<u8>>,
) -> (BTreeMap<Result<Vec<u8>, usize>, Stored>, usize) {
    let existing = ([Some(usize::MAX); COLUMNS], Vec::new());
    let mut table: BTreeMap<Result<Vec<u8>, usize>, Stored> =
        [(Ok(b"a".to_vec()), existing)].into();
    let mut written = 0;
    for row in order {
        let supplied = rows[*row].supplied;
        let key = held(*row).ok_or(*row);
        let is_new = !table.contains_key(&key);
        let (columns, came) = table.entry(key).or_default();
        if conflict == Conflict::EachRow {
            came.push(*row);
        }
        if !is_new && conflict == Conflict::DoNothing {
            continue;
        }
        written += 1;
        for (column, stored) in columns.iter_mut().enumerate() {
            let writes = if is_new {
                supplied.inserted().contains(column)
            } else {
                // The first column is kept, unless all are updated.
                let is_kept = column == 0 && conflict != Conflict::UpdateAll;
                supplied.updated().contains(column) && !is_kept
            };
            if writes {
                *stored = Some(*row);
            }
        }
    }
    (table, written)
}

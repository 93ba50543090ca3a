//! The order in which the rows of a call are sent.
//!
//! A plan is made of steps, each a run of rows that supply the same columns.
//! The rows of a step go out in chunks, and the steps one after the other, so
//! that the table ends as if the rows had been upserted one by one in the order
//! of the input.
//!
//! Rows are sorted by their conflict key over the whole call: two callers that
//! lock the same rows then lock them in the same order, and neighbours in the
//! index are written together. Rows with the same key stay in the order of the
//! input. Where the database may hold keys equal that are encoded differently,
//! nothing is sorted.

use std::collections::HashSet;
use std::ops::Range;

use crate::builder::Duplicates;
use crate::field::Supplied;
use crate::key::{Keys, Trust};

/// What a plan is made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'i> {
    pub(crate) keys: &'i Keys,
    /// The columns that each row supplies, or one set for all rows.
    pub(crate) supplied: &'i [Supplied],
    pub(crate) duplicates: Duplicates,
    /// Matters only if all rows supply the same columns.
    pub(crate) conflict: Conflict,
    /// May a statement hold rows with the same key?
    pub(crate) applies_rows_in_order: bool,
}

/// What the rows do to existing rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// Nothing.
    DoNothing,
    /// They update some columns, and keep others as the first row with the key
    /// inserted them.
    UpdateSome,
    /// They update every column that is not part of the key.
    UpdateAll,
    /// What a row does depends on the row that it finds.
    EachRow,
}

/// The order in which rows are sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Positions in the input.
    pub(crate) rows: Vec<usize>,
    pub(crate) steps: Vec<Step>,
    /// Rows that are written without being sent, because a later row with the
    /// same key writes over all that they would have written.
    pub(crate) unsent: usize,
}

/// Rows that supply the same columns.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Where they stand in [`Plan::rows`].
    pub(crate) rows: Range<usize>,
    pub(crate) supplied: Supplied,
}

/// The positions of rows that share a key, for each key that is repeated.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Repeated(pub(crate) Vec<Vec<usize>>);

impl Input<'_> {
    /// The columns that `row` supplies.
    pub(crate) fn supplied(&self, row: usize) -> Supplied {
        match self.supplied {
            [all] => *all,
            each => each[row],
        }
    }

    fn is_uniform(&self) -> bool {
        self.supplied.len() == 1
    }

    /// The rows that the duplicate policy lets through, in the order of the
    /// input.
    pub(crate) fn select(&self) -> Result<Vec<usize>, Repeated> {
        let mut rows: Vec<usize> = (0..self.keys.len()).collect();
        if self.duplicates == Duplicates::InOrder {
            return Ok(rows);
        }
        rows.sort_unstable_by(|a, b| self.keys.key(*a).cmp(self.keys.key(*b)).then(a.cmp(b)));
        let mut selected = Vec::with_capacity(rows.len());
        let mut repeated = Vec::new();
        for group in rows.chunk_by(|a, b| self.same_key(*a, *b)) {
            match (self.duplicates, group) {
                (_, [row]) => selected.push(*row),
                (Duplicates::KeepFirst, [first, ..]) => selected.push(*first),
                (Duplicates::KeepLast, [.., last]) => selected.push(*last),
                (_, group) => repeated.push(group.to_vec()),
            }
        }
        if !repeated.is_empty() {
            repeated.sort_unstable();
            return Err(Repeated(repeated));
        }
        selected.sort_unstable();
        Ok(selected)
    }

    /// Do two rows have the same key, for certain?
    fn same_key(&self, a: usize, b: usize) -> bool {
        !self.keys.is_apart(a) && self.keys.key(a) == self.keys.key(b)
    }

    /// The plan for `rows`, which are in the order of the input, sorted by
    /// their keys.
    pub(crate) fn sorted(&self, mut rows: Vec<usize>) -> Plan {
        self.sort_by_class(&mut rows);
        let mut unsent = 0;
        if self.keys.trust == Trust::Exact && self.is_uniform() {
            let before = rows.len();
            rows = self.deciding_rows(&rows);
            if self.conflict != Conflict::DoNothing {
                unsent = before - rows.len();
            }
        }
        if self.is_uniform() && self.applies_rows_in_order {
            return Plan {
                steps: vec![Step {
                    rows: 0..rows.len(),
                    supplied: self.supplied(0),
                }],
                rows,
                unsent,
            };
        }

        // The i-th row with a key goes out in wave i.
        let mut waves: Vec<(usize, Supplied, usize)> = Vec::with_capacity(rows.len());
        for group in rows
            .chunk_by(|a, b| !self.keys.is_apart(*a) && self.keys.class(*a) == self.keys.class(*b))
        {
            for (wave, row) in group.iter().enumerate() {
                waves.push((wave, self.supplied(*row), *row));
            }
        }
        // Stable: inside of a wave and of a set of columns the keys stay sorted.
        waves.sort_by_key(|(wave, supplied, _)| (*wave, *supplied));
        let mut plan = Plan {
            unsent,
            ..Plan::default()
        };
        for step in waves.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let start = plan.rows.len();
            plan.rows.extend(step.iter().map(|(_, _, row)| *row));
            plan.steps.push(Step {
                rows: start..plan.rows.len(),
                supplied: step[0].1,
            });
        }
        plan
    }

    /// The plan for `rows` as they are.
    pub(crate) fn as_given(&self, rows: Vec<usize>) -> Plan {
        let mut steps: Vec<Step> = Vec::new();
        let mut seen: HashSet<&[u8]> = HashSet::new();
        for (i, row) in rows.iter().enumerate() {
            let supplied = self.supplied(*row);
            let repeats = !self.applies_rows_in_order
                && !self.keys.is_apart(*row)
                && !seen.insert(self.keys.key(*row));
            match steps.last_mut() {
                Some(step) if step.supplied == supplied && !repeats => step.rows.end = i + 1,
                _ => {
                    seen.clear();
                    seen.insert(self.keys.key(*row));
                    steps.push(Step {
                        rows: i..i + 1,
                        supplied,
                    });
                }
            }
        }
        Plan {
            rows,
            steps,
            unsent: 0,
        }
    }

    /// The number of different keys among `rows`; each with a NULL counts.
    pub(crate) fn count_keys(&self, rows: &[usize]) -> usize {
        let (nulls, keys): (Vec<usize>, Vec<usize>) =
            rows.iter().partition(|row| self.keys.is_apart(**row));
        let keys: HashSet<&[u8]> = keys.into_iter().map(|row| self.keys.key(row)).collect();
        keys.len() + nulls.len()
    }

    fn sort_by_class(&self, rows: &mut Vec<usize>) {
        // The first bytes decide most comparisons, and stand beside the row
        // instead of somewhere in the keys.
        let mut prefixed: Vec<(u64, usize)> = rows
            .iter()
            .map(|row| (prefix(self.keys.class(*row)), *row))
            .collect();
        prefixed.sort_by(|(a_prefix, a), (b_prefix, b)| {
            a_prefix
                .cmp(b_prefix)
                .then_with(|| self.keys.class(*a).cmp(self.keys.class(*b)))
        });
        rows.clear();
        rows.extend(prefixed.into_iter().map(|(_, row)| row));
    }

    /// Of rows with the same key, those that decide what the table holds: the
    /// first inserts, the last updates.
    fn deciding_rows(&self, sorted: &[usize]) -> Vec<usize> {
        let mut deciding = Vec::with_capacity(sorted.len());
        let stands_for =
            |a: &usize, b: &usize| self.same_key(*a, *b) && !self.keys.may_be_numbered(*a);
        for group in sorted.chunk_by(stands_for) {
            match (self.conflict, group) {
                (_, [row]) => deciding.push(*row),
                (Conflict::DoNothing, [first, ..]) => deciding.push(*first),
                (Conflict::UpdateAll, [.., last]) => deciding.push(*last),
                (Conflict::UpdateSome, [first, .., last]) => deciding.extend([*first, *last]),
                (Conflict::EachRow, group) => deciding.extend(group),
                (_, []) => {}
            }
        }
        deciding
    }
}

/// The first eight bytes behind the type mark, as a number that sorts as they
/// do.
fn prefix(key: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    for (to, from) in bytes.iter_mut().zip(key.iter().skip(1)) {
        *to = *from;
    }
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{Equals, KeyPart};
    use crate::key::TypeKind;

    /// Keys of one text column; a class is the text in lower case.
    fn keys(rows: &[&str], classes: bool) -> Keys {
        let mut keys = Keys::with_capacity(rows.len());
        for row in rows {
            let equals = if classes {
                Equals::Class(row.to_lowercase().into_bytes().into())
            } else {
                Equals::Same
            };
            keys.begin_row();
            keys.push_part(TypeKind::Text, &KeyPart::new(row.as_bytes(), equals));
            keys.end_row();
        }
        keys
    }

    fn set(columns: &[usize]) -> Supplied {
        let mut set = Supplied::default();
        for column in columns {
            set.insert(*column);
        }
        set
    }

    fn input<'i>(keys: &'i Keys, supplied: &'i [Supplied]) -> Input<'i> {
        Input {
            keys,
            supplied,
            duplicates: Duplicates::InOrder,
            conflict: Conflict::UpdateSome,
            applies_rows_in_order: false,
        }
    }

    fn steps(plan: &Plan) -> Vec<&[usize]> {
        let rows = |step: &Step| step.rows.clone();
        plan.steps
            .iter()
            .map(|step| &plan.rows[rows(step)])
            .collect()
    }

    #[test]
    fn the_first_and_the_last_row_with_a_key_decide() {
        let keys = keys(&["b", "a", "b", "b", "c"], false);
        let supplied = [set(&[0])];
        let mut input = input(&keys, &supplied);

        let plan = input.sorted(input.select().expect("no policy"));
        assert_eq!(steps(&plan), [&[1, 0, 4][..], &[3]]);
        assert_eq!(plan.unsent, 1);

        input.conflict = Conflict::UpdateAll;
        let plan = input.sorted(vec![0, 1, 2, 3, 4]);
        assert_eq!(steps(&plan), [&[1, 3, 4][..]]);
        assert_eq!(plan.unsent, 2);

        input.conflict = Conflict::DoNothing;
        let plan = input.sorted(vec![0, 1, 2, 3, 4]);
        assert_eq!(steps(&plan), [&[1, 0, 4][..]]);
        assert_eq!(plan.unsent, 0);
    }

    #[test]
    fn rows_of_one_class_go_in_waves_and_all_are_sent() {
        let keys = keys(&["b", "B", "a", "b"], true);
        let supplied = [set(&[0])];
        let mut input = input(&keys, &supplied);
        let plan = input.sorted(vec![0, 1, 2, 3]);
        assert_eq!(steps(&plan), [&[2, 0][..], &[1], &[3]]);

        input.applies_rows_in_order = true;
        let plan = input.sorted(vec![0, 1, 2, 3]);
        assert_eq!(steps(&plan), [&[2, 0, 1, 3][..]]);
    }

    #[test]
    fn rows_that_supply_different_columns_go_in_different_steps() {
        let keys = keys(&["b", "a", "c", "b"], false);
        let (some, all) = (set(&[0]), set(&[0, 1]));
        let supplied = [all, all, some, some];
        let plan = input(&keys, &supplied).sorted(vec![0, 1, 2, 3]);
        assert_eq!(steps(&plan), [&[2][..], &[1, 0], &[3]]);
        assert_eq!(plan.steps[0].supplied, some);
    }

    #[test]
    fn the_order_of_the_input_is_cut_where_a_key_comes_again() {
        let keys = keys(&["b", "a", "b", "c", "a"], false);
        let supplied = [set(&[0])];
        let mut input = input(&keys, &supplied);
        let plan = input.as_given(vec![0, 1, 2, 3, 4]);
        assert_eq!(steps(&plan), [&[0, 1][..], &[2, 3, 4]]);

        input.applies_rows_in_order = true;
        let plan = input.as_given(vec![0, 1, 2, 3, 4]);
        assert_eq!(steps(&plan), [&[0, 1, 2, 3, 4][..]]);
    }

    #[test]
    fn policies_choose_rows() {
        let keys = keys(&["b", "a", "b", "c", "a"], false);
        let supplied = [set(&[0])];
        let mut input = input(&keys, &supplied);
        input.duplicates = Duplicates::KeepFirst;
        assert_eq!(input.select(), Ok(vec![0, 1, 3]));
        input.duplicates = Duplicates::KeepLast;
        assert_eq!(input.select(), Ok(vec![2, 3, 4]));
        input.duplicates = Duplicates::Reject;
        assert_eq!(input.select(), Err(Repeated(vec![vec![0, 2], vec![1, 4]])));
    }
}

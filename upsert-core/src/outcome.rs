//! What became of each row of a call.

use std::fmt;
use std::ops::Index;
use std::slice;
use std::vec;

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums)] // there is no fifth thing, and users match on it
pub enum Action {
    /// There was no row with its conflict key; now there is.
    Inserted,
    /// The row that had its conflict key was updated. Unless the call says
    /// `skip_unchanged`, that includes an update to what it was.
    Updated,
    /// `skip_unchanged` left the row that has its conflict key unwritten, as the
    /// update would not have changed it.
    Unchanged,
    /// The row that has its conflict key was left as it is, by `do_nothing`, by a
    /// guard (whether or not the update would have changed the row), by a trigger of the database, or because a duplicate policy left
    /// the input row out.
    Skipped,
}

impl Action {
    const ALL: [Self; 4] = [
        Self::Inserted,
        Self::Updated,
        Self::Unchanged,
        Self::Skipped,
    ];

    /// Was the row inserted or updated?
    #[must_use]
    pub const fn is_written(self) -> bool {
        matches!(self, Self::Inserted | Self::Updated)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Inserted => "inserted",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Skipped => "skipped",
        })
    }
}

/// What became of each row of a call, in the order of the input;
/// [`Upsert::outcome`](crate::Upsert::outcome) returns it.
///
/// It reads well in a log:
///
/// ```
/// # include!("doctest_setup.rs");
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let conn = &mut connection();
/// use upsert_core::{Action, upsert};
///
/// upsert([Product { sku: "a", name: "Apple" }]).execute(conn)?;
/// let rows = [
///     Product { sku: "a", name: "Red apple" },
///     Product { sku: "b", name: "Bread" },
/// ];
/// let outcome = upsert(&rows).outcome(conn)?;
/// assert_eq!(outcome.actions(), [Action::Updated, Action::Inserted]);
/// assert_eq!(outcome.to_string(), "1 inserted, 1 updated");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    actions: Vec<Action>,
}

impl Outcome {
    /// The actions, one for each input row, in the order of the input.
    #[must_use]
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// The number of rows that were inserted.
    #[must_use]
    pub fn inserted(&self) -> usize {
        self.count(Action::Inserted)
    }

    /// The number of rows that were updated.
    #[must_use]
    pub fn updated(&self) -> usize {
        self.count(Action::Updated)
    }

    /// The number of rows that `skip_unchanged` left unwritten.
    #[must_use]
    pub fn unchanged(&self) -> usize {
        self.count(Action::Unchanged)
    }

    /// The number of rows that `do_nothing`, a guard, a trigger or a duplicate
    /// policy left out.
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.count(Action::Skipped)
    }

    /// The number of rows that were inserted or updated, which is what
    /// [`execute`](crate::Upsert::execute) returns.
    #[must_use]
    pub fn written(&self) -> usize {
        self.inserted() + self.updated()
    }

    /// The number of rows with an action.
    #[must_use]
    pub fn count(&self, action: Action) -> usize {
        self.actions.iter().filter(|it| **it == action).count()
    }

    /// The numbers of rows with each action.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for action in &self.actions {
            counts.add(*action);
        }
        counts
    }

    /// The number of input rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.actions.len()
    }

    /// Had the call no rows?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// The actions, one for each input row, in the order of the input.
    pub fn iter(&self) -> slice::Iter<'_, Action> {
        self.actions.iter()
    }
}

/// The counts that are not zero: `63 inserted, 2015 updated, 5806 unchanged`.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counts().fmt(f)
    }
}

/// How many rows were inserted, updated, unchanged and skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counts {
    /// The rows that were inserted.
    pub inserted: usize,
    /// The rows that were updated.
    pub updated: usize,
    /// The rows that `skip_unchanged` left unwritten.
    pub unchanged: usize,
    /// The rows that `do_nothing`, a guard, a trigger or a duplicate policy left out.
    pub skipped: usize,
}

impl Counts {
    /// The number of rows with an action.
    #[must_use]
    pub fn count(&self, action: Action) -> usize {
        match action {
            Action::Inserted => self.inserted,
            Action::Updated => self.updated,
            Action::Unchanged => self.unchanged,
            Action::Skipped => self.skipped,
        }
    }

    /// One more row with an action.
    pub(crate) fn add(&mut self, action: Action) {
        *match action {
            Action::Inserted => &mut self.inserted,
            Action::Updated => &mut self.updated,
            Action::Unchanged => &mut self.unchanged,
            Action::Skipped => &mut self.skipped,
        } += 1;
    }
}

/// The counts that are not zero: `63 inserted, 2015 updated, 5806 unchanged`.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut written = 0;
        for action in Action::ALL {
            let count = self.count(action);
            if count > 0 {
                let comma = if written > 0 { ", " } else { "" };
                write!(f, "{comma}{count} {action}")?;
                written += 1;
            }
        }
        if written == 0 {
            f.write_str("no rows")?;
        }
        Ok(())
    }
}

impl FromIterator<Action> for Outcome {
    fn from_iter<I: IntoIterator<Item = Action>>(actions: I) -> Self {
        Self {
            actions: actions.into_iter().collect(),
        }
    }
}

/// The action of the input row at a position.
///
/// # Panics
///
/// Indexing panics if the call had no such row.
impl Index<usize> for Outcome {
    type Output = Action;

    fn index(&self, row: usize) -> &Action {
        &self.actions[row]
    }
}

impl IntoIterator for Outcome {
    type Item = Action;
    type IntoIter = vec::IntoIter<Action>;

    fn into_iter(self) -> Self::IntoIter {
        self.actions.into_iter()
    }
}

impl<'o> IntoIterator for &'o Outcome {
    type Item = &'o Action;
    type IntoIter = slice::Iter<'o, Action>;

    fn into_iter(self) -> Self::IntoIter {
        self.actions.iter()
    }
}

/// A row before and after it was upserted;
/// [`Upsert::returning_old`](crate::Upsert::returning_old) returns them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // users take it apart
pub struct Change<U> {
    /// What became of the row.
    pub action: Action,
    /// The row as it was; `None` if it was inserted.
    pub old: Option<U>,
    /// The row as it is. Where nothing was written it is the same as `old`.
    pub new: U,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_reads_well_in_a_log() {
        let outcome: Outcome = [
            Action::Skipped,
            Action::Inserted,
            Action::Unchanged,
            Action::Skipped,
        ]
        .into_iter()
        .collect();
        assert_eq!(outcome.to_string(), "1 inserted, 1 unchanged, 2 skipped");
        assert_eq!(outcome.written(), 1);
        assert_eq!(Outcome::default().to_string(), "no rows");
        assert_eq!(format!("{:>9}", Action::Updated), "  updated");
    }
}

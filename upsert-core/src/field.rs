//! What a model's fields are, known before any row is seen.

/// One field of a model, or the fields of a struct embedded in it.
#[derive(Debug, Clone, Copy)]
pub enum FieldDef {
    /// A field that is a column.
    Column(ColumnDef),
    /// A field marked `#[diesel(embed)]`: the columns of another struct, in
    /// place.
    Embedded(&'static [FieldDef]),
}

/// One column that a model writes.
#[derive(Debug, Clone, Copy)]
pub struct ColumnDef {
    /// The column's name in the database, unquoted.
    pub name: &'static str,
    /// What the field's attributes say about conflicts.
    pub rule: Rule,
}

/// What happens to a column when a row with the same conflict key exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// `#[conflict_key]`: the column is part of the conflict target and is
    /// never updated.
    Key,
    /// `#[on_conflict(keep)]`, or no attribute: inserted, never updated.
    Keep,
    /// `#[on_conflict(update)]`: the new value.
    Update,
}

/// The most columns a model can have, Diesel's own limit for a table with the
/// feature `128-column-tables`.
pub(crate) const MAX_COLUMNS: usize = 128;

/// A set of a model's columns, by their positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ColumnSet(u128);

impl ColumnSet {
    /// The empty set.
    #[inline]
    #[must_use]
    pub const fn new() -> Self {
        Self(0)
    }

    /// Adds the column at `position`; a position of 128 or more is ignored.
    #[inline]
    pub fn insert(&mut self, position: usize) {
        if position < MAX_COLUMNS {
            self.0 |= 1 << position;
        }
    }

    /// Is the column at `position` in the set?
    #[inline]
    #[must_use]
    pub fn contains(self, position: usize) -> bool {
        position < MAX_COLUMNS && self.0 & (1 << position) != 0
    }

    /// The number of columns in the set.
    #[must_use]
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Has the set no columns?
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The positions in the set, in ascending order.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let position = rest.trailing_zeros();
            rest &= rest.checked_sub(1)?;
            Some(position as usize)
        })
    }
}

/// The number of columns that `fields` stand for.
#[must_use]
pub const fn count_columns(fields: &[FieldDef]) -> usize {
    let mut count = 0;
    let mut i = 0;
    while i < fields.len() {
        count += match fields[i] {
            FieldDef::Column(_) => 1,
            FieldDef::Embedded(inner) => count_columns(inner),
        };
        i += 1;
    }
    count
}

/// Does any column of `fields` have the rule `rule`?
#[must_use]
pub const fn has_rule(fields: &[FieldDef], rule: Rule) -> bool {
    let mut i = 0;
    while i < fields.len() {
        let found = match fields[i] {
            FieldDef::Column(column) => column.rule as u8 == rule as u8,
            FieldDef::Embedded(inner) => has_rule(inner, rule),
        };
        if found {
            return true;
        }
        i += 1;
    }
    false
}

/// Is the column `name` among `fields`?
const fn has_column(fields: &[FieldDef], name: &str) -> bool {
    let mut i = 0;
    while i < fields.len() {
        let found = match fields[i] {
            FieldDef::Column(column) => same(column.name, name),
            FieldDef::Embedded(inner) => has_column(inner, name),
        };
        if found {
            return true;
        }
        i += 1;
    }
    false
}

/// Are all of `names` columns of `fields`?
#[must_use]
pub const fn has_columns(fields: &[FieldDef], names: &[&str]) -> bool {
    let mut i = 0;
    while i < names.len() {
        if !has_column(fields, names[i]) {
            return false;
        }
        i += 1;
    }
    true
}

/// Is a column written twice by `fields`?
pub(crate) const fn repeats_column(fields: &[FieldDef]) -> bool {
    let count = count_columns(fields);
    let mut i = 0;
    while i < count {
        let mut j = i + 1;
        while j < count {
            if let (Some(a), Some(b)) = (column(fields, i), column(fields, j)) {
                if same(a.name, b.name) {
                    return true;
                }
            }
            j += 1;
        }
        i += 1;
    }
    false
}

/// The column at `position`.
const fn column(fields: &[FieldDef], mut position: usize) -> Option<ColumnDef> {
    let mut i = 0;
    while i < fields.len() {
        match fields[i] {
            FieldDef::Column(column) if position == 0 => return Some(column),
            FieldDef::Column(_) => position -= 1,
            FieldDef::Embedded(inner) => {
                let count = count_columns(inner);
                if position < count {
                    return column(inner, position);
                }
                position -= count;
            }
        }
        i += 1;
    }
    None
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

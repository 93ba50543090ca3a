//! What a model's fields are, known before any row is seen.

use core::any::TypeId;

use diesel::prelude::Column;
use diesel::sql_types::SqlType;

use crate::value::Nullability;

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
#[non_exhaustive]
pub struct ColumnDef {
    /// The column's name in the database, unquoted.
    pub name: &'static str,
    /// `#[conflict_key]`: is the column part of the conflict target?
    pub is_key: bool,
    /// What the field's attributes say about conflicts.
    pub rule: Rule,
    /// Can the column hold NULL?
    pub is_nullable: bool,
    /// The column's SQL type in `diesel::table!`.
    pub sql_type: fn() -> TypeId,
}

impl ColumnDef {
    /// The column `C`.
    #[must_use]
    pub const fn of<C>(rule: Rule) -> Self
    where
        C: Column,
        C::SqlType: SqlType<IsNull: Nullability>,
    {
        Self {
            name: C::NAME,
            is_key: false,
            rule,
            is_nullable: <<C::SqlType as SqlType>::IsNull as Nullability>::NULLABLE,
            sql_type: TypeId::of::<C::SqlType>,
        }
    }

    /// The column as a part of the conflict target.
    #[must_use]
    pub const fn key(self) -> Self {
        Self {
            is_key: true,
            ..self
        }
    }
}

/// What happens to a column when a row with the same conflict key exists.
///
/// *old* is the existing row's value, *new* the proposed row's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// `#[on_conflict(keep)]`, or no attribute: inserted, never updated.
    Keep,
    /// `#[on_conflict(update)]`: new.
    Update,
    /// `#[on_conflict(add)]`: old + new; a NULL on one side counts as nothing.
    Add,
    /// `#[on_conflict(max)]`: the larger; a NULL never wins.
    Max,
    /// `#[on_conflict(min)]`: the smaller; a NULL never wins.
    Min,
    /// `#[on_conflict(coalesce)]`: new, unless it is NULL: then old.
    Coalesce,
    /// `#[on_conflict(fill)]`: old, unless it is NULL: then new.
    Fill,
    /// `#[on_conflict(set = ..)]`: an expression.
    Set,
    /// `#[on_conflict(touch)]`, `#[on_conflict(touch = ..)]`: new, or an
    /// expression, but only where a compared column really changes.
    Touch,
}

impl Rule {
    /// Is a column with this rule compared to see whether a row changes?
    #[must_use]
    pub const fn is_compared(self) -> bool {
        !matches!(self, Self::Keep | Self::Touch)
    }
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

/// The columns that a row supplies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Supplied {
    inserted: ColumnSet,
    updated: ColumnSet,
}

impl Supplied {
    /// Adds the column at `position`, for an insert and for an update.
    #[inline]
    pub fn insert(&mut self, position: usize) {
        self.inserted.insert(position);
        self.updated.insert(position);
    }

    /// Adds the column at `position` for an insert alone, where the row has
    /// only the default of `#[on_insert(default = ..)]`.
    #[inline]
    pub fn insert_default(&mut self, position: usize) {
        self.inserted.insert(position);
    }

    /// The columns that an insert writes.
    #[must_use]
    pub const fn inserted(self) -> ColumnSet {
        self.inserted
    }

    /// The columns that an update can write.
    #[must_use]
    pub const fn updated(self) -> ColumnSet {
        self.updated
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

/// What is asked of a column.
#[derive(Clone, Copy)]
enum Is {
    Key,
    Updated,
    Compared,
}

/// Is any column of `fields` so? A constant function takes no closure.
const fn any(fields: &[FieldDef], is: Is) -> bool {
    let mut i = 0;
    while i < fields.len() {
        let found = match (fields[i], is) {
            (FieldDef::Embedded(inner), _) => any(inner, is),
            (FieldDef::Column(column), Is::Key) => column.is_key,
            (FieldDef::Column(column), Is::Updated) => !matches!(column.rule, Rule::Keep),
            (FieldDef::Column(column), Is::Compared) => column.rule.is_compared(),
        };
        if found {
            return true;
        }
        i += 1;
    }
    false
}

/// Is any column of `fields` marked `#[conflict_key]`?
#[must_use]
pub const fn has_key(fields: &[FieldDef]) -> bool {
    any(fields, Is::Key)
}

/// Is any column of `fields` written on conflict?
#[must_use]
pub const fn has_update(fields: &[FieldDef]) -> bool {
    any(fields, Is::Updated)
}

/// Is any column of `fields` compared to see whether a row changes?
#[must_use]
pub const fn has_compared(fields: &[FieldDef]) -> bool {
    any(fields, Is::Compared)
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
#[must_use]
pub const fn repeats_column(fields: &[FieldDef]) -> bool {
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

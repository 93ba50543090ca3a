//! The table, the model in memory, and the cases that both are tried with.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Debug;

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestRunner};
use upsert_core::{Action, Change};

use crate::support::System;

/// The columns of all tables of this file, not null or nullable.
macro_rules! cells {
    (not null $table:ident, $name:tt) => {
        diesel::table! {
            #[sql_name = $name]
            $table (id) {
                id -> Integer,
                big -> BigInt,
                big2 -> BigInt,
                small -> Integer,
                ratio -> Double,
                ratio2 -> Double,
                word -> Text,
                word2 -> Text,
                at -> Timestamp,
                seen -> Integer,
                note -> Text,
            }
        }
    };
    (nullable $table:ident, $name:tt) => {
        diesel::table! {
            #[sql_name = $name]
            $table (id) {
                id -> Integer,
                big -> Nullable<BigInt>,
                big2 -> Nullable<BigInt>,
                small -> Nullable<Integer>,
                ratio -> Nullable<Double>,
                ratio2 -> Nullable<Double>,
                word -> Nullable<Text>,
                word2 -> Nullable<Text>,
                at -> Nullable<Timestamp>,
                seen -> Nullable<Integer>,
                note -> Nullable<Text>,
            }
        }
    };
}

// Two views of one table: the tests create it with or without NOT NULL, and
// look at it by the second.
cells!(not null strict, "cells");
cells!(nullable loose, "cells");
// Where selected rows come from.
cells!(not null strict_source, "proposals");
cells!(nullable loose_source, "proposals");

pub(crate) const BIG: usize = 0;
pub(crate) const BIG2: usize = 1;
pub(crate) const SMALL: usize = 2;
pub(crate) const RATIO: usize = 3;
pub(crate) const RATIO2: usize = 4;
pub(crate) const WORD: usize = 5;
pub(crate) const WORD2: usize = 6;
pub(crate) const AT: usize = 7;
pub(crate) const SEEN: usize = 8;
pub(crate) const NOTE: usize = 9;

pub(crate) const COLUMNS: [(&str, Kind); 10] = [
    ("big", Kind::Big),
    ("big2", Kind::Big),
    ("small", Kind::Small),
    ("ratio", Kind::Ratio),
    ("ratio2", Kind::Ratio),
    ("word", Kind::Word),
    ("word2", Kind::Word),
    ("at", Kind::At),
    ("seen", Kind::Small),
    ("note", Kind::Word),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// 64 bits.
    Big,
    /// 32 bits.
    Small,
    Ratio,
    /// Text that is compared byte by byte.
    Word,
    /// A time without a fraction of a second.
    At,
}

impl Kind {
    pub(crate) fn sql(self, system: System) -> &'static str {
        match (self, system) {
            (Self::Big, _) => "BIGINT",
            (Self::Small, _) => "INTEGER",
            (Self::Ratio, _) => "DOUBLE PRECISION",
            (Self::Word, System::Sqlite) => "VARCHAR(200)",
            #[cfg(feature = "postgres")]
            (Self::Word, System::Postgres) => "VARCHAR(200) COLLATE \"C\"",
            #[cfg(feature = "mysql")]
            (Self::Word, System::Mysql) => "VARCHAR(200) COLLATE utf8mb4_nopad_bin",
            #[cfg(feature = "mysql")]
            (Self::At, System::Mysql) => "DATETIME",
            (Self::At, _) => "TIMESTAMP",
        }
    }

    /// What a row gets that does not supply the column.
    pub(crate) fn default(self) -> Cell {
        match self {
            Self::Big | Self::Small => Cell::Int(7),
            Self::Ratio => Cell::Real(7.5),
            Self::Word => Cell::Text("default".to_owned()),
            Self::At => Cell::Int(0),
        }
    }

    pub(crate) fn default_sql(self) -> &'static str {
        match self {
            Self::Big | Self::Small => "7",
            Self::Ratio => "7.5",
            Self::Word => "'default'",
            Self::At => "'2026-01-01 00:00:00'",
        }
    }
}

pub(crate) fn create(system: System, table: &str, strict: bool) -> String {
    let null = if strict { "NOT NULL" } else { "NULL" };
    let columns = COLUMNS.map(|(name, kind)| {
        format!(
            "{name} {} {null} DEFAULT {}",
            kind.sql(system),
            kind.default_sql()
        )
    });
    format!(
        "CREATE TABLE {table} (id INTEGER NOT NULL PRIMARY KEY, {})",
        columns.join(", ")
    )
}

/// The table with a `word` whose collation holds words equal that differ.
fn with_collation(system: System, table: &str) -> String {
    match system {
        System::Sqlite => table.replace(" word VARCHAR(200)", " word VARCHAR(200) COLLATE NOCASE"),
        #[cfg(feature = "postgres")]
        System::Postgres => {
            let collation = "CREATE COLLATION IF NOT EXISTS ci (provider = icu, \
                locale = 'und-u-ks-level2', deterministic = false)";
            let table = table.replace(
                " word VARCHAR(200) COLLATE \"C\"",
                " word VARCHAR(200) COLLATE ci",
            );
            format!("{collation}; {table}")
        }
        #[cfg(feature = "mysql")]
        System::Mysql => table.replace(
            " word VARCHAR(200) COLLATE utf8mb4_nopad_bin",
            " word VARCHAR(200) COLLATE utf8mb4_general_ci",
        ),
    }
}

/// What [`with_collation`] holds equal.
pub(crate) fn folding(system: System) -> Folding {
    match system {
        System::Sqlite => Folding::Ascii,
        #[cfg(feature = "postgres")]
        System::Postgres => Folding::Case,
        #[cfg(feature = "mysql")]
        System::Mysql => Folding::Loosely,
    }
}

/// The table, whose rows the database numbers.
fn numbering(system: System, table: &str) -> String {
    match system {
        System::Sqlite => table.to_owned(),
        #[cfg(feature = "postgres")]
        System::Postgres => table.replace(
            "id INTEGER NOT NULL",
            "id INTEGER GENERATED BY DEFAULT AS IDENTITY (START WITH 1001)",
        ),
        #[cfg(feature = "mysql")]
        System::Mysql => table.replace("id INTEGER NOT NULL", "id INTEGER NOT NULL AUTO_INCREMENT"),
    }
}

/// Tables of other kinds, with columns that may be NULL.
pub(crate) fn other_tables(system: System) -> Vec<String> {
    let plain = create(system, "cells", false);
    match system {
        System::Sqlite => {
            let strict = plain
                .replace("BIGINT", "INTEGER")
                .replace("DOUBLE PRECISION", "REAL")
                .replace("VARCHAR(200)", "TEXT")
                .replace("TIMESTAMP", "TEXT");
            vec![
                format!("{strict} STRICT, WITHOUT ROWID"),
                // No types at all, so that nothing is converted.
                strict
                    .replace("REAL", "")
                    .replace("TEXT", "")
                    .replace("big INTEGER", "big")
                    .replace("seen INTEGER", "seen"),
            ]
        }
        #[cfg(feature = "postgres")]
        System::Postgres => {
            // A partition whose columns are in another order.
            let (_, columns) = plain.split_once('(').unwrap();
            let mut turned: Vec<_> = columns.strip_suffix(')').unwrap().split(", ").collect();
            turned.reverse();
            let partitioned = format!(
                "{plain} PARTITION BY HASH (id); \
                 CREATE TABLE turned ({}); \
                 ALTER TABLE cells ATTACH PARTITION turned \
                 FOR VALUES WITH (MODULUS 2, REMAINDER 0); \
                 CREATE TABLE other PARTITION OF cells \
                 FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
                turned
                    .join(", ")
                    .replace("NOT NULL PRIMARY KEY", "NOT NULL"),
            );
            let domains = plain
                .replace("BIGINT", "some_bigint")
                .replace("INTEGER NULL", "some_integer NULL")
                .replace("DOUBLE PRECISION", "some_double")
                .replace("VARCHAR(200) COLLATE \"C\"", "some_text")
                .replace("TIMESTAMP", "some_timestamp");
            let domains = format!(
                "CREATE DOMAIN some_bigint AS bigint; \
                 CREATE DOMAIN some_integer AS integer CHECK (VALUE IS NOT NULL OR VALUE IS NULL); \
                 CREATE DOMAIN some_double AS double precision; \
                 CREATE DOMAIN some_text AS varchar(200) COLLATE \"C\" \
                 CHECK (length(VALUE) < 1000); \
                 CREATE DOMAIN some_timestamp AS timestamp; \
                 {domains}"
            );
            vec![partitioned, domains]
        }
        #[cfg(feature = "mysql")]
        System::Mysql => vec![
            format!("{plain} PARTITION BY HASH (id) PARTITIONS 3"),
            plain.replace("CREATE TABLE", "CREATE TEMPORARY TABLE"),
            plain.replace("cells", "base") + "; CREATE VIEW cells AS SELECT * FROM base",
        ],
    }
}

/// The value of a column; zero and minus zero are one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
}

pub(crate) type Cells = [Cell; COLUMNS.len()];
pub(crate) type Rows = BTreeMap<i32, Cells>;

/// A row of the table.
pub(crate) type Row = (i32, Cells);

/// A row, as Diesel loads it from `loose`.
pub(crate) type Loaded = (
    i32,
    Option<i64>,
    Option<i64>,
    Option<i32>,
    Option<f64>,
    Option<f64>,
    Option<String>,
    Option<String>,
    Option<NaiveDateTime>,
    Option<i32>,
    Option<String>,
);

pub(crate) fn row_of(loaded: Loaded) -> Row {
    let (id, big, big2, small, ratio, ratio2, word, word2, at, seen, note) = loaded;
    let cells = [
        big.into(),
        big2.into(),
        small.into(),
        ratio.into(),
        ratio2.into(),
        word.into(),
        word2.into(),
        at.into(),
        seen.into(),
        note.into(),
    ];
    (id, cells)
}

/// A connection to a database with the table `cells`.
pub(crate) trait HasCells {
    /// Makes `table` what the table holds.
    fn seed(&mut self, table: &Rows);

    fn load_cells(&mut self) -> Rows;
}

/// A row of a call; `None` where it does not supply a column.
#[derive(Debug, Clone)]
pub(crate) struct Proposed {
    pub(crate) id: i32,
    pub(crate) cells: [Option<Cell>; COLUMNS.len()],
}

impl Proposed {
    pub(crate) fn cell(&self, column: &str) -> Option<&Cell> {
        let position = COLUMNS.iter().position(|(name, _)| *name == column);
        self.cells[position.unwrap()].as_ref()
    }
}

/// The value of a field; a cell that is not supplied is a field's `None`.
pub(crate) trait FromCell {
    fn from_cell(cell: Option<&Cell>) -> Self;
}

impl FromCell for i64 {
    fn from_cell(cell: Option<&Cell>) -> Self {
        match cell {
            Some(Cell::Int(value)) => *value,
            other => panic!("{other:?} is no number"),
        }
    }
}

impl FromCell for i32 {
    fn from_cell(cell: Option<&Cell>) -> Self {
        i64::from_cell(cell).try_into().unwrap()
    }
}

impl FromCell for f64 {
    fn from_cell(cell: Option<&Cell>) -> Self {
        match cell {
            Some(Cell::Real(value)) => *value,
            other => panic!("{other:?} is no fractional number"),
        }
    }
}

impl FromCell for String {
    fn from_cell(cell: Option<&Cell>) -> Self {
        match cell {
            Some(Cell::Text(value)) => value.clone(),
            other => panic!("{other:?} is no text"),
        }
    }
}

impl FromCell for NaiveDateTime {
    fn from_cell(cell: Option<&Cell>) -> Self {
        start() + TimeDelta::seconds(i64::from_cell(cell))
    }
}

impl<T: FromCell> FromCell for Option<T> {
    fn from_cell(cell: Option<&Cell>) -> Self {
        match cell {
            None | Some(Cell::Null) => None,
            cell => Some(T::from_cell(cell)),
        }
    }
}

pub(crate) fn start() -> NaiveDateTime {
    let day = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap();
    day.and_hms_opt(0, 0, 0).unwrap()
}

impl From<i64> for Cell {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<i32> for Cell {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<String> for Cell {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<NaiveDateTime> for Cell {
    fn from(value: NaiveDateTime) -> Self {
        Self::Int((value - start()).num_seconds())
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, T::into)
    }
}

impl Cell {
    pub(crate) fn is_null(&self) -> bool {
        *self == Self::Null
    }

    /// The order of the database; NULL has none.
    pub(crate) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(b)),
            (Self::Real(a), Self::Real(b)) => a.partial_cmp(b),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    /// Is it newer than `old`? A NULL is older than everything else.
    pub(crate) fn is_newer(&self, old: &Self, or_equal: bool) -> bool {
        match (old.is_null(), self.is_null()) {
            (true, true) => or_equal,
            (true, false) => true,
            (false, true) => false,
            (false, false) => match self.order(old).unwrap() {
                Ordering::Less => false,
                Ordering::Equal => or_equal,
                Ordering::Greater => true,
            },
        }
    }

    /// Would a row with `old` in its place look the same?
    pub(crate) fn is_same(&self, old: &Self, system: System) -> bool {
        match (self, old) {
            // PostgreSQL alone tells zero and minus zero apart: SQLite does not
            // store the sign, and MySQL compares as `=` does.
            (Self::Real(a), Self::Real(b)) if is_postgres(system) => a.to_bits() == b.to_bits(),
            _ => self == old,
        }
    }
}

pub(crate) fn is_postgres(system: System) -> bool {
    match system {
        #[cfg(feature = "postgres")]
        System::Postgres => true,
        _ => false,
    }
}

pub(crate) fn is_mysql(system: System) -> bool {
    match system {
        #[cfg(feature = "mysql")]
        System::Mysql => true,
        _ => false,
    }
}

/// Is a cell that may be NULL larger? If one of them is NULL, no.
pub(crate) fn is_larger(new: Option<&Cell>, old: &Cell) -> bool {
    new.unwrap().order(old) == Some(Ordering::Greater)
}

// Expressions of SQL: NULL if one side is.

pub(crate) fn plus(a: &Cell, b: &Cell) -> Cell {
    match (a, b) {
        (Cell::Int(a), Cell::Int(b)) => Cell::Int(a + b),
        (Cell::Null, _) | (_, Cell::Null) => Cell::Null,
        _ => panic!("{a:?} + {b:?}"),
    }
}

pub(crate) fn minus(a: &Cell, b: &Cell) -> Cell {
    match (a, b) {
        (Cell::Int(a), Cell::Int(b)) => Cell::Int(a - b),
        (Cell::Null, _) | (_, Cell::Null) => Cell::Null,
        _ => panic!("{a:?} - {b:?}"),
    }
}

pub(crate) fn concat(a: &Cell, b: &Cell) -> Cell {
    match (a, b) {
        (Cell::Text(a), Cell::Text(b)) => Cell::Text(format!("{a}{b}")),
        (Cell::Null, _) | (_, Cell::Null) => Cell::Null,
        _ => panic!("{a:?} || {b:?}"),
    }
}

// --- The model in memory ----------------------------------------------------

/// What happens to a column of a row that exists.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rule {
    Keep,
    Update,
    Add,
    Max,
    Min,
    Coalesce,
    Fill,
    Set(Value),
    /// The new value, but only where a compared column changes.
    Touch,
    TouchTo(Value),
}

/// The value of an expression for the existing and the proposed row, or `None`
/// if it reads a column that the proposed row does not supply.
pub(crate) type Value = fn(&Cells, &Proposed) -> Option<Cell>;

pub(crate) type Guard = fn(&Cells, &Proposed) -> bool;

pub(crate) type Inserted = fn(&Proposed) -> Cell;

/// The sum is no number of the column.
#[derive(Debug, PartialEq)]
pub(crate) struct Overflow;

/// What decides whether a row exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Target {
    #[default]
    Id,
    Small,
    Ratio,
    /// `word`, which is compared as the collation of its index does.
    Word(Folding),
    /// `small` and `word2`
    Pair,
    /// `lower(word)`
    Lower,
    /// `small`, of the rows with a positive `big`.
    Partial,
}

/// Which words a collation holds equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Folding {
    /// Those that differ in the case of ASCII letters.
    Ascii,
    /// Those that differ in the case of letters.
    Case,
    /// Those that differ in case, accents, or spaces at the end.
    Loosely,
}

impl Folding {
    fn fold(self, word: &str) -> String {
        match self {
            Self::Ascii => word.to_ascii_lowercase(),
            Self::Case => word.to_lowercase(),
            Self::Loosely => word.trim_end().to_lowercase().replace('é', "e"),
        }
    }
}

impl Target {
    pub(crate) fn is_same(self, id: i32, cells: &Cells, other: i32, others: &Cells) -> bool {
        let equal = |at: usize| !cells[at].is_null() && cells[at] == others[at];
        let equal_words = |folding: Folding| match (&cells[WORD], &others[WORD]) {
            (Cell::Text(a), Cell::Text(b)) => folding.fold(a) == folding.fold(b),
            _ => false,
        };
        let is_positive = |cells: &Cells| is_larger(Some(&cells[BIG]), &Cell::Int(0));
        match self {
            Self::Id => id == other,
            Self::Small => equal(SMALL),
            Self::Ratio => equal(RATIO),
            Self::Word(folding) => equal_words(folding),
            Self::Pair => equal(SMALL) && equal(WORD2),
            Self::Lower => equal_words(Folding::Ascii),
            Self::Partial => equal(SMALL) && is_positive(cells) && is_positive(others),
        }
    }

    /// The columns of the table whose values are the key, `id` left out.
    pub(crate) fn columns(self) -> &'static [usize] {
        match self {
            Self::Id => &[],
            Self::Small | Self::Partial => &[SMALL],
            Self::Ratio => &[RATIO],
            Self::Word(_) | Self::Lower => &[WORD],
            Self::Pair => &[SMALL, WORD2],
        }
    }

    /// Its index, beside the primary key.
    fn index(self) -> Option<&'static str> {
        match self {
            Self::Id => None,
            Self::Small => Some("CREATE UNIQUE INDEX by_small ON cells (small)"),
            Self::Ratio => Some("CREATE UNIQUE INDEX by_ratio ON cells (ratio)"),
            Self::Word(_) => Some("CREATE UNIQUE INDEX by_word ON cells (word)"),
            Self::Pair => Some("CREATE UNIQUE INDEX by_pair ON cells (small, word2)"),
            Self::Lower => Some("CREATE UNIQUE INDEX by_lower ON cells (lower(word))"),
            Self::Partial => Some("CREATE UNIQUE INDEX partial ON cells (small) WHERE big > 0"),
        }
    }
}

/// From here on, numbers of rows stand for those that the database gives.
pub(crate) const NUMBERED: i32 = 1_000_000;

/// A model, its rules said once more.
#[derive(Debug, Clone, Default)]
#[allow(clippy::struct_excessive_bools)] // they are independent
pub(crate) struct Oracle {
    /// Are the columns NOT NULL?
    pub(crate) strict: bool,
    pub(crate) columns: Vec<(usize, Rule)>,
    /// Columns that the model does not have.
    pub(crate) others: Vec<(usize, Rule)>,
    /// All have to hold.
    pub(crate) guards: Vec<Guard>,
    pub(crate) skip_unchanged: bool,
    pub(crate) do_nothing: bool,
    /// Which columns some rows do not supply.
    pub(crate) optional: Vec<usize>,
    /// What is inserted where a row does not supply a column.
    pub(crate) on_insert: Vec<(usize, Inserted)>,
    /// Columns with small numbers only, for expressions that do not overflow.
    pub(crate) tame: Vec<usize>,
    pub(crate) target: Target,
    /// Has each row of a call a key of its own?
    pub(crate) distinct: bool,
    /// How the table is created, if not in the plain way.
    pub(crate) create: Option<String>,
    /// Does the database number rows that say no `id`?
    pub(crate) numbers: bool,
}

impl Oracle {
    pub(crate) fn strict(columns: &[(usize, Rule)]) -> Self {
        Self {
            strict: true,
            columns: columns.to_vec(),
            ..Self::default()
        }
    }

    pub(crate) fn loose(columns: &[(usize, Rule)]) -> Self {
        Self {
            columns: columns.to_vec(),
            ..Self::default()
        }
    }

    pub(crate) fn others(mut self, others: &[(usize, Rule)]) -> Self {
        self.others.extend_from_slice(others);
        self
    }

    pub(crate) fn guard(mut self, guard: Guard) -> Self {
        self.guards.push(guard);
        self
    }

    /// `guard` instead of all that were.
    pub(crate) fn only_guard(mut self, guard: Guard) -> Self {
        self.guards = vec![guard];
        self
    }

    pub(crate) fn skip_unchanged(mut self, skip: bool) -> Self {
        self.skip_unchanged = skip;
        self
    }

    pub(crate) fn do_nothing(mut self) -> Self {
        self.do_nothing = true;
        self
    }

    pub(crate) fn optional(mut self, columns: &[usize]) -> Self {
        self.optional.extend_from_slice(columns);
        self
    }

    pub(crate) fn on_insert(mut self, column: usize, default: Inserted) -> Self {
        self.on_insert.push((column, default));
        self.optional.push(column);
        self
    }

    pub(crate) fn tame(mut self, columns: &[usize]) -> Self {
        self.tame.extend_from_slice(columns);
        self
    }

    pub(crate) fn target(mut self, target: Target) -> Self {
        self.target = target;
        self
    }

    /// The statements that create the table.
    pub(crate) fn create(&self, system: System) -> Vec<String> {
        if let Some(sql) = &self.create {
            return vec![sql.clone()];
        }
        let table = create(system, "cells", self.strict);
        let table = match self.target {
            Target::Word(_) => with_collation(system, &table),
            _ => table,
        };
        let table = if self.numbers {
            numbering(system, &table)
        } else {
            table
        };
        let index = self.target.index().map(str::to_owned);
        std::iter::once(table).chain(index).collect()
    }

    /// Another rule for a column of the model.
    pub(crate) fn rule(mut self, column: usize, rule: Rule) -> Self {
        let place = self.columns.iter_mut().find(|(at, _)| *at == column);
        place.unwrap().1 = rule;
        self
    }

    pub(crate) fn has(&self, column: usize) -> bool {
        self.columns.iter().any(|(at, _)| *at == column)
    }

    pub(crate) fn inserted(&self, row: &Proposed) -> Cells {
        std::array::from_fn(|at| {
            if let Some(cell) = &row.cells[at] {
                return cell.clone();
            }
            let default = self.on_insert.iter().find(|(column, _)| *column == at);
            default.map_or_else(|| COLUMNS[at].1.default(), |(_, default)| default(row))
        })
    }

    /// The row of the table that `row` conflicts with.
    pub(crate) fn find<'t>(
        &self,
        table: &'t mut Rows,
        row: &Proposed,
    ) -> Option<(i32, &'t mut Cells)> {
        let inserted = self.inserted(row);
        let is_same = |id: i32, cells: &Cells| self.target.is_same(id, cells, row.id, &inserted);
        let mut rows = table.iter_mut();
        let (id, cells) = rows.find(|(id, cells)| is_same(**id, cells))?;
        Some((*id, cells))
    }

    /// Have two rows of a call the same key?
    fn is_same(&self, a: &Proposed, b: &Proposed) -> bool {
        let (cells, others) = (self.inserted(a), self.inserted(b));
        self.target.is_same(a.id, &cells, b.id, &others)
    }

    /// Applies one row, and says what became of it.
    pub(crate) fn apply(
        &self,
        system: System,
        table: &mut Rows,
        row: &Proposed,
    ) -> Result<Change<Row>, Overflow> {
        let Some((id, cells)) = self.find(table, row) else {
            let inserted = self.inserted(row);
            table.insert(row.id, inserted.clone());
            return Ok(Change {
                action: Action::Inserted,
                old: None,
                new: (row.id, inserted),
            });
        };
        let old = (id, cells.clone());
        let action = self.update(system, cells, row)?;
        Ok(Change {
            action,
            old: Some(old),
            new: (id, cells.clone()),
        })
    }

    /// Does to a row that exists what `row` says.
    fn update(
        &self,
        system: System,
        cells: &mut Cells,
        row: &Proposed,
    ) -> Result<Action, Overflow> {
        if self.do_nothing || !self.guards.iter().all(|guard| guard(cells, row)) {
            return Ok(Action::Skipped);
        }

        let supplied = |(at, _): &&(usize, Rule)| row.cells[*at].is_some();
        let rules = self.columns.iter().filter(supplied).chain(&self.others);
        let mut new = cells.clone();
        let (mut writes, mut touches) = (false, Vec::new());
        for (at, rule) in rules {
            let proposed = row.cells[*at].clone();
            let value = match rule {
                Rule::Keep => continue,
                Rule::Touch => {
                    touches.push((*at, proposed.unwrap()));
                    continue;
                }
                Rule::TouchTo(value) => {
                    touches.extend(value(cells, row).map(|value| (*at, value)));
                    continue;
                }
                Rule::Set(value) => value(cells, row),
                rule => Some(combine(
                    *rule,
                    COLUMNS[*at].1,
                    &cells[*at],
                    &proposed.unwrap(),
                )?),
            };
            if let Some(value) = value {
                new[*at] = value;
                writes = true;
            }
        }
        let changes = (0..COLUMNS.len()).any(|at| !new[at].is_same(&cells[at], system));
        if !writes {
            return Ok(Action::Skipped);
        }
        if self.skip_unchanged && !changes {
            return Ok(Action::Unchanged);
        }
        if changes {
            for (at, value) in touches {
                new[at] = value;
            }
        }
        *cells = new;
        Ok(Action::Updated)
    }

    /// Applies the rows of a call: the table and what became of each row, unless
    /// one of them overflows.
    pub(crate) fn apply_all<'r>(
        &self,
        system: System,
        table: &Rows,
        rows: impl IntoIterator<Item = &'r Proposed>,
    ) -> Result<(Rows, Vec<Change<Row>>), Overflow> {
        let mut table = table.clone();
        let rows = rows.into_iter();
        let changes: Result<_, _> = rows
            .map(|row| self.apply(system, &mut table, row))
            .collect();
        Ok((table, changes?))
    }
}

/// What a rule makes of the old and the new value.
pub(crate) fn combine(rule: Rule, kind: Kind, old: &Cell, new: &Cell) -> Result<Cell, Overflow> {
    let takes_new = match rule {
        Rule::Update => true,
        Rule::Coalesce => !new.is_null(),
        Rule::Fill => old.is_null(),
        // Of equal ones the old one stays.
        Rule::Max => old.is_null() || new.order(old) == Some(Ordering::Greater),
        Rule::Min => old.is_null() || new.order(old) == Some(Ordering::Less),
        Rule::Add => {
            return match (old, new) {
                (Cell::Null, other) | (other, Cell::Null) => Ok(other.clone()),
                (Cell::Int(old), Cell::Int(new)) => {
                    let sum = old.checked_add(*new).ok_or(Overflow)?;
                    if kind == Kind::Small {
                        i32::try_from(sum).map_err(|_| Overflow)?;
                    }
                    Ok(Cell::Int(sum))
                }
                (Cell::Real(old), Cell::Real(new)) if (old + new).is_finite() => {
                    Ok(Cell::Real(old + new))
                }
                (Cell::Real(_), Cell::Real(_)) => Err(Overflow),
                _ => panic!("{old:?} + {new:?}"),
            };
        }
        rule => panic!("{rule:?} is not for one column"),
    };
    Ok(if takes_new { new } else { old }.clone())
}

// --- Cases ------------------------------------------------------------------

#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) existing: Rows,
    pub(crate) rows: Vec<Proposed>,
    pub(crate) chunk_size: usize,
}

pub(crate) fn cell(kind: Kind, wild: bool) -> BoxedStrategy<Cell> {
    let edges: Vec<Cell> = match kind {
        Kind::Big => [
            i64::MIN,
            i64::MIN + 1,
            -9_007_199_254_740_993,
            9_007_199_254_740_993,
            i64::MAX - 1,
            i64::MAX,
        ]
        .map(Cell::Int)
        .into(),
        Kind::Small => [i32::MIN, i32::MIN + 1, i32::MAX - 1, i32::MAX]
            .map(Cell::from)
            .into(),
        Kind::Ratio => [
            f64::MIN,
            f64::MAX,
            f64::MAX / 2.0,
            1e300,
            -1e16,
            0.1,
            f64::MIN_POSITIVE,
            -f64::MIN_POSITIVE,
            1e-300,
            f64::EPSILON,
        ]
        .map(Cell::Real)
        .into(),
        Kind::Word => ["A ", "é", "É", "日本", "'", "\\", "%", "0", "1e1", "null"]
            .map(Cell::from)
            .into(),
        // The years 1971 and 2037; MySQL takes no others for a timestamp.
        Kind::At => [-1_735_689_600, 378_691_199].map(Cell::Int).into(),
    };
    let usual: BoxedStrategy<Cell> = match kind {
        Kind::Big => (-3..4_i64).prop_map(Cell::Int).boxed(),
        Kind::Small => (-3..4_i32).prop_map(Cell::from).boxed(),
        Kind::Ratio => prop_oneof![
            4 => (-3..4_i32).prop_map(|halves| Cell::Real(f64::from(halves) / 2.0)),
            1 => Just(Cell::Real(-0.0)),
        ]
        .boxed(),
        Kind::Word => proptest::sample::select(vec!["a", "A", "a ", "b", "B", "", " ", "ab"])
            .prop_map(Cell::from)
            .boxed(),
        Kind::At => (0..5_i64).prop_map(Cell::Int).boxed(),
    };
    if wild {
        prop_oneof![7 => usual, 1 => proptest::sample::select(edges)].boxed()
    } else {
        usual
    }
}

/// A value of the column at `at`.
pub(crate) fn cell_of(oracle: &Oracle, at: usize, wild: bool) -> BoxedStrategy<Cell> {
    let cell = cell(COLUMNS[at].1, wild && !oracle.tame.contains(&at));
    if oracle.strict {
        cell
    } else {
        prop_oneof![1 => Just(Cell::Null), 3 => cell].boxed()
    }
}

pub(crate) fn existing(oracle: &Oracle, wild: bool) -> BoxedStrategy<Rows> {
    let cells: Vec<_> = (0..COLUMNS.len())
        .map(|at| cell_of(oracle, at, wild))
        .collect();
    let Oracle {
        target, numbers, ..
    } = *oracle;
    proptest::collection::btree_map(0..5_i32, cells, 0..5)
        .prop_map(move |rows| {
            let mut table = Rows::new();
            if numbers {
                // What SQLite gives is larger than this.
                table.insert(1000, std::array::from_fn(|_| Cell::Null));
            }
            for (id, cells) in rows {
                let id = id + i32::from(numbers);
                let cells: Cells = cells.try_into().unwrap();
                let mut others = table.iter();
                if !others.any(|(other, others)| target.is_same(id, &cells, *other, others)) {
                    table.insert(id, cells);
                }
            }
            table
        })
        .boxed()
}

pub(crate) fn proposed(oracle: &Oracle, wild: bool) -> BoxedStrategy<Vec<Proposed>> {
    let cells: Vec<_> = (0..COLUMNS.len())
        .map(|at| {
            let is_optional = oracle.optional.contains(&at);
            let cell = cell_of(oracle, at, wild);
            // NULL is how such a field says that it is not supplied.
            let cell = cell.prop_map(move |cell| (!is_optional || !cell.is_null()).then_some(cell));
            if !oracle.has(at) {
                Just(None).boxed()
            } else if is_optional {
                prop_oneof![1 => Just(None), 2 => cell].boxed()
            } else {
                cell.boxed()
            }
        })
        .collect();
    let oracle = oracle.clone();
    proptest::collection::vec((0..5_i32, cells), 0..16)
        .prop_map(move |rows| {
            let mut kept = Vec::new();
            for (fresh, (id, cells)) in (100..).zip(rows) {
                let mut row = Proposed {
                    id,
                    cells: cells.try_into().unwrap(),
                };
                if oracle.target != Target::Id {
                    row.id = fresh;
                }
                if oracle.numbers {
                    // MySQL numbers a row that says 0.
                    row.id += 1;
                }
                if oracle.numbers && (oracle.target != Target::Id || fresh % 3 == 0) {
                    row.id = NUMBERED + fresh;
                }
                if !oracle.distinct || !kept.iter().any(|other| oracle.is_same(other, &row)) {
                    kept.push(row);
                }
            }
            kept
        })
        .boxed()
}

pub(crate) fn cases(oracle: &Oracle) -> impl Strategy<Value = Case> + use<> {
    let oracle = oracle.clone();
    any::<bool>().prop_flat_map(move |wild| {
        let rows = (existing(&oracle, wild), proposed(&oracle, wild));
        (rows, any::<Index>()).prop_map(|((existing, rows), chunk_size)| Case {
            chunk_size: 1 + chunk_size.index(rows.len() + 1),
            existing,
            rows,
        })
    })
}

pub(crate) fn run<S: Strategy>(
    cases_to_run: u32,
    cases: &S,
    check: impl FnMut(S::Value) -> Result<(), TestCaseError>,
) {
    // The runner takes a `Fn`, but runs one case after the other.
    let check = std::cell::RefCell::new(check);
    let config = Config {
        cases: cases_to_run,
        failure_persistence: None,
        // Most of the time would go into better numbers.
        rng_algorithm: RngAlgorithm::XorShift,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(cases, |case| check.borrow_mut()(case))
        .unwrap();
}

//! Every word of the attributes, once: parser, messages and documentation read
//! them here.

use std::fmt;

use proc_macro2::Ident;

/// A word of an attribute.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Symbol {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    /// The attribute as it is written, with an example for the value.
    pub(crate) form: &'static str,
    /// The other way to write it, if there is one.
    pub(crate) other_form: Option<&'static str>,
}

impl Symbol {
    /// All the ways to write it.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn forms(self) -> impl Iterator<Item = &'static str> {
        [self.form].into_iter().chain(self.other_form)
    }
}

/// Where a word stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The name of an attribute of the struct.
    StructAttribute,
    /// The name of an attribute of a field.
    FieldAttribute,
    /// A key in `#[upsert(..)]`.
    UpsertKey,
    /// The word in `#[conflict_key(..)]`.
    ConflictKeyOption,
    /// The rule in `#[on_conflict(..)]`.
    ConflictRule,
    /// The word in `#[on_insert(..)]`.
    OnInsertOption,
    /// A key in `#[diesel(..)]`.
    DieselKey,
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq<Symbol> for Ident {
    fn eq(&self, symbol: &Symbol) -> bool {
        self == symbol.name
    }
}

/// The words that can stand at `place`.
pub(crate) fn at(place: Place) -> impl Iterator<Item = Symbol> {
    ALL.iter().copied().filter(move |it| it.place == place)
}

macro_rules! symbols {
    ($($constant:ident = $name:literal at $place:ident as $form:literal $(or $other:literal)?;)*) => {
        $(
            pub(crate) const $constant: Symbol = Symbol {
                name: $name,
                place: Place::$place,
                form: $form,
                other_form: symbols!(@other $($other)?),
            };
        )*

        /// All of them, in the order of the documentation.
        pub(crate) const ALL: &[Symbol] = &[$($constant),*];
    };
    (@other) => { None };
    (@other $other:literal) => { Some($other) };
}

symbols! {
    UPSERT = "upsert" at StructAttribute as "#[upsert(update_all)]";
    CONFLICT_KEY = "conflict_key" at FieldAttribute as "#[conflict_key]";
    ON_CONFLICT = "on_conflict" at FieldAttribute as "#[on_conflict(update)]";
    ON_INSERT = "on_insert" at FieldAttribute as "#[on_insert(default = EXPR)]";

    NULLABLE = "nullable" at ConflictKeyOption as "#[conflict_key(nullable)]";

    UPDATE = "update" at ConflictRule as "#[on_conflict(update)]";
    KEEP = "keep" at ConflictRule as "#[on_conflict(keep)]";
    ADD = "add" at ConflictRule as "#[on_conflict(add)]";
    MAX = "max" at ConflictRule as "#[on_conflict(max)]";
    MIN = "min" at ConflictRule as "#[on_conflict(min)]";
    COALESCE = "coalesce" at ConflictRule as "#[on_conflict(coalesce)]";
    FILL = "fill" at ConflictRule as "#[on_conflict(fill)]";
    SET = "set" at ConflictRule as "#[on_conflict(set = EXPR)]";
    TOUCH = "touch" at ConflictRule as "#[on_conflict(touch)]" or "#[on_conflict(touch = EXPR)]";

    DEFAULT = "default" at OnInsertOption as "#[on_insert(default = EXPR)]";

    UPDATE_ALL = "update_all" at UpsertKey as "#[upsert(update_all)]";
    DO_NOTHING = "do_nothing" at UpsertKey as "#[upsert(do_nothing)]";
    SET_COLUMNS = "set" at UpsertKey as "#[upsert(set(column = EXPR))]";
    TOUCH_COLUMNS = "touch" at UpsertKey as "#[upsert(touch(column = EXPR))]";
    UPDATE_IF = "update_if" at UpsertKey as "#[upsert(update_if = EXPR)]";
    NEWER_BY = "newer_by" at UpsertKey as "#[upsert(newer_by = field)]";
    NOT_OLDER_BY = "not_older_by" at UpsertKey as "#[upsert(not_older_by = field)]";
    SKIP_UNCHANGED = "skip_unchanged" at UpsertKey as "#[upsert(skip_unchanged)]";
    CONSTRAINT = "constraint" at UpsertKey as "#[upsert(constraint = \"name\")]";
    TARGET = "target" at UpsertKey as "#[upsert(target = EXPR)]" or "#[upsert(target = (EXPR, EXPR))]";
    TARGET_WHERE = "target_where" at UpsertKey as "#[upsert(target_where = EXPR)]";
    TARGETS = "targets" at UpsertKey
        as "#[upsert(targets(name = column))]" or "#[upsert(targets(name = (column, column)))]";
    EMBEDDED = "embedded" at UpsertKey as "#[upsert(embedded)]";
    CRATE = "crate" at UpsertKey as "#[upsert(crate = path)]";

    TABLE_NAME = "table_name" at DieselKey as "#[diesel(table_name = path)]";
    CHECK_FOR_BACKEND = "check_for_backend" at DieselKey
        as "#[diesel(check_for_backend(Backend))]" or "#[diesel(check_for_backend(disable = true))]";
    COLUMN_NAME = "column_name" at DieselKey as "#[diesel(column_name = name)]";
    EMBED = "embed" at DieselKey as "#[diesel(embed)]";
    SERIALIZE_AS = "serialize_as" at DieselKey as "#[diesel(serialize_as = Type)]";
    SKIP_INSERTION = "skip_insertion" at DieselKey as "#[diesel(skip_insertion)]";
    TREAT_NONE_AS_DEFAULT_VALUE = "treat_none_as_default_value" at DieselKey
        as "#[diesel(treat_none_as_default_value = true)]";
}

/// The keys of `#[diesel(..)]` that only Diesel's own derives read, in 2.3.
pub(crate) const OF_OTHER_DERIVES: &[&str] = &[
    "aggregate",
    "base_query",
    "base_query_type",
    "belongs_to",
    "deserialize_as",
    "foreign_derive",
    "mysql_type",
    "not_sized",
    "postgres_type",
    "primary_key",
    "select_expression",
    "select_expression_type",
    "skip_update",
    "sql_type",
    "sqlite_type",
    "treat_none_as_null",
];

/// `#[diesel(..)]`, read beside Diesel's own derives.
pub(crate) const DIESEL: &str = "diesel";

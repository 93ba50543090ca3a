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
    ($($constant:ident = $name:literal at $place:ident as $form:literal;)*) => {
        $(
            pub(crate) const $constant: Symbol = Symbol {
                name: $name,
                place: Place::$place,
                form: $form,
            };
        )*

        /// All of them, in the order of the documentation.
        pub(crate) const ALL: &[Symbol] = &[$($constant),*];
    };
}

symbols! {
    UPSERT = "upsert" at StructAttribute as "#[upsert(update_all)]";
    CONFLICT_KEY = "conflict_key" at FieldAttribute as "#[conflict_key]";
    ON_CONFLICT = "on_conflict" at FieldAttribute as "#[on_conflict(update)]";

    NULLABLE = "nullable" at ConflictKeyOption as "#[conflict_key(nullable)]";

    UPDATE = "update" at ConflictRule as "#[on_conflict(update)]";
    KEEP = "keep" at ConflictRule as "#[on_conflict(keep)]";

    UPDATE_ALL = "update_all" at UpsertKey as "#[upsert(update_all)]";
    DO_NOTHING = "do_nothing" at UpsertKey as "#[upsert(do_nothing)]";
    EMBEDDED = "embedded" at UpsertKey as "#[upsert(embedded)]";
    CRATE = "crate" at UpsertKey as "#[upsert(crate = path)]";

    TABLE_NAME = "table_name" at DieselKey as "#[diesel(table_name = path)]";
    COLUMN_NAME = "column_name" at DieselKey as "#[diesel(column_name = name)]";
    EMBED = "embed" at DieselKey as "#[diesel(embed)]";
    SERIALIZE_AS = "serialize_as" at DieselKey as "#[diesel(serialize_as = Type)]";
    SKIP_INSERTION = "skip_insertion" at DieselKey as "#[diesel(skip_insertion)]";
    TREAT_NONE_AS_DEFAULT_VALUE = "treat_none_as_default_value" at DieselKey
        as "#[diesel(treat_none_as_default_value = true)]";
}

/// `#[diesel(..)]`, read beside Diesel's own derives.
pub(crate) const DIESEL: &str = "diesel";

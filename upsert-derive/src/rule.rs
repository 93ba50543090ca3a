//! The rules: what happens to a column of a row that exists.

use proc_macro2::Ident;

use crate::symbol::{self, Symbol};

/// The core's `Rule`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rule {
    Keep,
    Update,
    Add,
    Max,
    Min,
    Coalesce,
    Fill,
    Set,
    Touch,
}

/// The words of `#[on_conflict(..)]`.
const WORDS: &[(Symbol, Rule)] = &[
    (symbol::UPDATE, Rule::Update),
    (symbol::KEEP, Rule::Keep),
    (symbol::ADD, Rule::Add),
    (symbol::MAX, Rule::Max),
    (symbol::MIN, Rule::Min),
    (symbol::COALESCE, Rule::Coalesce),
    (symbol::FILL, Rule::Fill),
    (symbol::SET, Rule::Set),
    (symbol::TOUCH, Rule::Touch),
];

impl Rule {
    pub(crate) fn of_word(word: &Ident) -> Option<(Symbol, Self)> {
        WORDS.iter().find(|(symbol, _)| *word == *symbol).copied()
    }

    /// The name of the core's variant, and of its type in `rule`.
    pub(crate) fn variant(self) -> &'static str {
        match self {
            Self::Keep => "Keep",
            Self::Update => "Update",
            Self::Add => "Add",
            Self::Max => "Max",
            Self::Min => "Min",
            Self::Coalesce => "Coalesce",
            Self::Fill => "Fill",
            Self::Set => "Set",
            Self::Touch => "Touch",
        }
    }

    /// Is an existing row's column ever written?
    pub(crate) fn is_update(self) -> bool {
        self != Self::Keep
    }

    /// Does a difference in the column count as a change of the row?
    pub(crate) fn is_compared(self) -> bool {
        !matches!(self, Self::Keep | Self::Touch)
    }

    /// Does the column take the new value over where that is the newer one?
    pub(crate) fn follows_new(self) -> bool {
        match self {
            Self::Update | Self::Add | Self::Max | Self::Coalesce | Self::Set => true,
            Self::Keep | Self::Min | Self::Fill | Self::Touch => false,
        }
    }

    /// Is the rule only for some SQL types?
    pub(crate) fn is_typed(self) -> bool {
        match self {
            Self::Add | Self::Max | Self::Min | Self::Fill => true,
            Self::Keep | Self::Update | Self::Coalesce | Self::Set | Self::Touch => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::WORDS;
    use crate::symbol::{self, Place};

    #[test]
    fn every_word_has_a_rule() {
        let words = symbol::at(Place::ConflictRule).map(|it| it.name);
        assert!(words.eq(WORDS.iter().map(|(symbol, _)| symbol.name)));
    }
}

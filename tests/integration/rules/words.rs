//! A table of words.

use crate::api::Upsertable;

diesel::table! {
    labels (id) {
        id -> Integer,
        word -> Nullable<Text>,
        seen -> Integer,
    }
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = labels)]
#[upsert(skip_unchanged)]
pub(super) struct Label {
    #[conflict_key]
    pub(super) id: i32,
    #[on_conflict(update)]
    pub(super) word: Option<&'static str>,
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = labels)]
#[upsert(touch(seen = seen + 1))]
pub(super) struct TouchedLabel {
    #[conflict_key]
    pub(super) id: i32,
    #[on_conflict(update)]
    pub(super) word: Option<&'static str>,
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = labels)]
pub(super) struct AnyLabel {
    #[conflict_key]
    pub(super) id: i32,
    #[on_conflict(update)]
    pub(super) word: Option<&'static str>,
}

pub(super) fn create_labels(column: &str) -> String {
    format!(
        "CREATE TABLE labels (id INTEGER NOT NULL PRIMARY KEY, word {column}, \
         seen INTEGER NOT NULL DEFAULT 0)"
    )
}

pub(super) const fn label(id: i32, word: &'static str) -> Label {
    Label {
        id,
        word: Some(word),
    }
}

//! Failed calls, counted by what they say.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

use diesel::result::Error as DieselError;
use upsert_core::{Contention, Error};

pub(crate) const DEADLOCK: &str = "Contention: Deadlock";

/// How often each kind of error came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Failures(BTreeMap<String, usize>);

impl Failures {
    pub(crate) fn add(&mut self, name: String) {
        *self.0.entry(name).or_default() += 1;
    }

    pub(crate) fn count(&self, name: &str) -> usize {
        self.0.get(name).copied().unwrap_or(0)
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl AddAssign for Failures {
    fn add_assign(&mut self, other: Self) {
        for (name, count) in other.0 {
            *self.0.entry(name).or_default() += count;
        }
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        for (i, (name, count)) in self.0.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            write!(f, "{comma}{count} {name}")?;
        }
        Ok(())
    }
}

/// The variant of an error, and what was in the way or what the database says.
pub(crate) fn name(error: &Error) -> String {
    let debug = format!("{error:?}");
    let variant = debug.split('(').next().unwrap_or_default();
    if let Some(contention) = error.contention() {
        return format!("{variant}: {contention:?}");
    }
    match std::error::Error::source(error) {
        Some(source) => format!("{variant}: {}", first_words(&source.to_string())),
        None => variant.to_owned(),
    }
}

/// The same of an error of a statement that is written by hand.
pub(crate) fn name_of_diesel(error: &DieselError) -> String {
    let message = error.to_string();
    if message.to_lowercase().contains("deadlock") {
        return DEADLOCK.to_owned();
    }
    first_words(&message)
}

pub(crate) fn is_deadlock(error: &Error) -> bool {
    error.contention() == Some(Contention::Deadlock)
}

/// What fits into a cell.
fn first_words(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    line.replace('|', "/").chars().take(90).collect()
}

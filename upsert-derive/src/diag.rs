//! Builds error messages of one form.

use std::fmt::Display;

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::Member;
use syn::ext::IdentExt;

use crate::symbol::{self, Place};

/// What is wrong, then why, then what to write instead.
pub(crate) struct Diag {
    at: TokenStream,
    message: String,
}

/// `what` is wrong at `at`.
pub(crate) fn err(at: &impl ToTokens, what: impl Into<String>) -> Diag {
    Diag {
        at: at.to_token_stream(),
        message: what.into(),
    }
}

impl Diag {
    pub(crate) fn note(self, why: impl Display) -> Self {
        self.line("note", why)
    }

    pub(crate) fn help(self, write: impl Display) -> Self {
        self.line("help", write)
    }

    /// rustc shows each line of a message below the one before it, so that
    /// this one looks like rustc's own notes.
    fn line(self, kind: &str, text: impl Display) -> Self {
        let Self { at, message } = self;
        Self {
            at,
            message: format!("{message}\n{kind}: {text}"),
        }
    }
}

impl From<Diag> for syn::Error {
    fn from(diag: Diag) -> Self {
        Self::new_spanned(diag.at, diag.message)
    }
}

/// A field's name in messages: the ident, or the index in a tuple struct.
pub(crate) fn member(member: &Member) -> String {
    match member {
        Member::Named(ident) => ident.to_string(),
        Member::Unnamed(index) => index.index.to_string(),
    }
}

/// `key` is none of the words that can stand at `place`; `what` they are
/// called in singular and plural.
pub(crate) fn unknown(key: &Ident, place: Place, what: (&str, &str)) -> Diag {
    let names = || symbol::at(place).map(|it| it.name);
    let written = key.unraw().to_string();
    let (one, many) = what;
    let unknown = err(key, format!("unknown {one} `{key}`"));
    if let Some(instead) = elsewhere(&written, place) {
        return unknown.help(instead);
    }
    let all = format!("the {many} are {}", quoted_list(names()));
    let meant = nearest(&written, names()).or_else(|| same_meaning(&written, place));
    unknown.help(match meant {
        Some(name) => format!("did you mean `{name}`? {all}"),
        None => all,
    })
}

/// A key of `#[diesel(..)]` that is meant for this derive, but is none that it reads
/// there.
pub(crate) fn slip_in_diesel(key: &Ident) -> Option<Diag> {
    let written = key.unraw().to_string();
    if symbol::OF_OTHER_DERIVES.contains(&&*written) {
        return None;
    }
    let own = [
        Place::FieldAttribute,
        Place::StructAttribute,
        Place::UpsertKey,
    ];
    let mut own = own.into_iter().flat_map(symbol::at);
    let unknown = err(key, format!("unknown `diesel` key `{key}`"));
    if let Some(symbol) = own.find(|it| written == it.name) {
        return Some(unknown.help(format!("write `{}`", symbol.form)));
    }
    let names = symbol::at(Place::DieselKey).map(|it| it.name);
    let meant = nearest(&written, names)?;
    Some(unknown.help(format!("did you mean `{meant}`?")))
}

/// The rule that other systems call `word`.
fn same_meaning(word: &str, place: Place) -> Option<&'static str> {
    if place != Place::ConflictRule {
        return None;
    }
    match word {
        "overwrite" | "replace" | "excluded" | "new" | "merge" => Some("update"),
        "ignore" | "skip" | "nothing" | "do_nothing" | "old" | "exclude" => Some("keep"),
        "increment" | "inc" | "sum" | "plus" | "accumulate" | "count" => Some("add"),
        "greatest" | "largest" | "newest" | "latest" => Some("max"),
        "least" | "smallest" | "oldest" => Some("min"),
        _ => None,
    }
}

/// Where `word` is to be written, if not as a key of the struct.
fn elsewhere(word: &str, place: Place) -> Option<String> {
    if place != Place::UpsertKey {
        return None;
    }
    let call = match word {
        "chunk_size" | "on_duplicate" | "on_progress" | "strategy" | "returning"
        | "returning_old" => format!("upsert(rows).{word}(..)"),
        "outcome" | "explain" => format!("upsert(rows).{word}(conn)"),
        "batch_size" | "chunk" => "upsert(rows).chunk_size(..)".to_owned(),
        "commit_every" => "upsert_stream(rows).commit_every(..)".to_owned(),
        "conflict_key" | "key" | "primary_key" | "unique" | "unique_by" => {
            return Some("write `#[conflict_key]` on the fields of the key".to_owned());
        }
        "update" | "keep" | "add" | "max" | "min" | "coalesce" | "fill" => {
            return Some(format!("write `#[on_conflict({word})]` on the field"));
        }
        _ => return None,
    };
    Some(format!("it is a matter of each call: write `{call}`"))
}

/// `what`, with the name that `written` is a slip of, or else all `names`,
/// which are called `many`.
pub(crate) fn did_you_mean(what: Diag, written: &str, names: &[String], many: &str) -> Diag {
    let all = || names.iter().map(String::as_str);
    match nearest(written, all()) {
        Some(name) => what.help(format!("did you mean `{name}`?")),
        None if names.is_empty() => what,
        None => what.help(format!("the {many} are {}", quoted_list(all()))),
    }
}

fn quoted_list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The name that `word` is most likely a slip of.
pub(crate) fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|name| (edit_distance(word, name), name))
        // A third of a word mistyped is a slip, more is another word.
        .filter(|(distance, name)| *distance <= name.len().max(3) / 3 && *distance < name.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The fewest insertions, deletions, substitutions and swaps of neighbours
/// that turn `a` into `b`.
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let substitution = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut cost = substitution.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                cost = cost.min(rows[i - 2][j - 2] + 1);
            }
            row.push(cost);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::{edit_distance, nearest};

    #[test]
    fn edit_distance_counts_single_slips() {
        assert_eq!(edit_distance("update", "update"), 0);
        assert_eq!(edit_distance("", "keep"), 4);
        assert_eq!(edit_distance("updat", "update"), 1);
        assert_eq!(edit_distance("updatee", "update"), 1);
        assert_eq!(edit_distance("upsate", "update"), 1);
        assert_eq!(edit_distance("updaet", "update"), 1);
        assert_eq!(edit_distance("keep", "update"), 6);
    }

    #[test]
    fn nearest_takes_the_best_and_refuses_another_word() {
        let names = ["update", "update_all", "keep"];
        let nearest = |word| nearest(word, names.into_iter());
        assert_eq!(nearest("updaet"), Some("update"));
        assert_eq!(nearest("update_al"), Some("update_all"));
        assert_eq!(nearest("kep"), Some("keep"));
        assert_eq!(nearest("merge"), None);
        assert_eq!(nearest("x"), None);
        assert_eq!(super::nearest("2", ["0", "1"].into_iter()), None);
    }
}

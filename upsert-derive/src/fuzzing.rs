//! What the fuzz target `derive_input` runs: whatever stands in the attributes, there is an
//! expansion or an error with a place.
//!
//! The target has this crate's sources in it, as a crate with a macro exports nothing else.

use proc_macro2::{TokenStream, TokenTree, extra};

use crate::derive;
use crate::symbol::{self, Place};

/// Words that are none of the attributes' own.
const WORDS: &[&str] = &[
    "bogus", "uptade", "id", "name", "self", "Self", "super", "type", "r#type", "fn", "struct",
    "async", "true", "excluded", "now", "diesel", "products", "_", "T",
];

const PUNCTUATION: &[&str] = &[
    "=",
    ",",
    ".",
    ":",
    "::",
    "+",
    "-",
    "|",
    "<",
    ">",
    "#",
    "!",
    "?",
    "'a",
    "$",
    "&",
    ";",
    "=>",
    "..",
    "1",
    "1.5",
    "-1",
    "\"text\"",
    "\"r#type\"",
    "'c'",
    "b\"bytes\"",
    "1u8",
];

const EXPRESSIONS: &[&str] = &[
    "1",
    "\"text\"",
    "id",
    "excluded(id)",
    "id + excluded(id)",
    "id.gt(excluded(id))",
    "now",
    "|a, b| a < b",
    "if a { b } else { c }",
    "(id, name)",
    "(lower(id),)",
    "()",
    "{ id }",
    "a::<B, C>(d)",
    "self.id.clone()",
    "Self::new()",
    "match id { _ => 1 }",
    "[1; 2]",
    "&id",
    "id as i64",
    "vec![id]",
    "async { id }",
    "return",
    "unsafe { id }",
    "const { 1 }",
];

const TYPES: &[&str] = &[
    "i32",
    "String",
    "Option<i32>",
    "Option<&'a str>",
    "std::option::Option<T>",
    "&'a str",
    "Vec<u8>",
    "Option<Option<i32>>",
    "[u8; 4]",
    "(i32, i32)",
    "fn(i32) -> i32",
    "Inner<'a, T>",
    "dyn Copy",
    "T::Item",
    "!",
    "_",
    "impl Copy",
    "*const u8",
];

/// Values drawn from bytes, and zeros where these end.
struct Source<'d>(&'d [u8]);

impl Source<'_> {
    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        usize::from(*first) % end
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn many(&mut self, end: usize, mut draw: impl FnMut(&mut Self) -> String) -> String {
        let drawn: Vec<String> = (0..self.below(end)).map(|_| draw(self)).collect();
        drawn.join(" ")
    }

    fn word(&mut self) -> String {
        let known = symbol::ALL.iter().map(|it| it.name).chain([symbol::DIESEL]);
        let all: Vec<&str> = known.chain(WORDS.iter().copied()).collect();
        self.pick(&all).to_owned()
    }

    /// Any tokens that have their brackets in pairs.
    fn tokens(&mut self, depth: usize) -> String {
        self.many(6, |source| match source.below(10) {
            0..4 => source.word(),
            4..6 => source.pick(PUNCTUATION).to_owned(),
            6 => source.pick(EXPRESSIONS).to_owned(),
            _ if depth == 0 => source.word(),
            7 => format!("({})", source.tokens(depth - 1)),
            8 => format!("[{}]", source.tokens(depth - 1)),
            _ => format!("{{{}}}", source.tokens(depth - 1)),
        })
    }

    /// An attribute with any tokens.
    fn wild_attribute(&mut self) -> String {
        let name = match self.below(10) {
            0 => "a::b".to_owned(),
            _ => self.word(),
        };
        let form = self.below(6);
        let tokens = self.tokens(3);
        match form {
            0 => format!("#[{name}]"),
            1 => format!("#[{name} = {tokens}]"),
            2 => format!("#[{name}[{tokens}]]"),
            3 => format!("#[{name}{{{tokens}}}]"),
            _ => format!("#[{name}({tokens})]"),
        }
    }

    /// An attribute as it is documented, with any expression, for one of these places.
    fn tame_attribute(&mut self, places: &[Place]) -> String {
        let symbols = symbol::ALL.iter().filter(|it| places.contains(&it.place));
        let forms: Vec<&str> = symbols.flat_map(|it| it.forms()).collect();
        let form = self.pick(&forms);
        form.replace("EXPR", self.pick(EXPRESSIONS))
            .replace("column", "name")
            .replace("field", "id")
    }

    fn attributes(&mut self, places: &[Place]) -> String {
        self.many(4, |source| match source.below(9) {
            8 => source.wild_attribute(),
            _ => source.tame_attribute(places),
        })
    }

    fn item(&mut self) -> String {
        const ON_STRUCT: &[Place] = &[Place::StructAttribute, Place::UpsertKey, Place::DieselKey];
        const ON_FIELD: &[Place] = &[
            Place::FieldAttribute,
            Place::ConflictKeyOption,
            Place::ConflictRule,
            Place::OnInsertOption,
            Place::DieselKey,
        ];
        const NAMES: [&str; 5] = ["id", "name", "r#type", "id", "visits"];
        let shape = self.below(8);
        let generics = self.pick(&["", "<'a, T: Copy>"]);
        let attributes = self.attributes(ON_STRUCT);
        let mut names = NAMES.iter();
        let fields = self.many(5, |source| {
            let name = names.next().map_or("", |name| name);
            let name = if shape == 0 {
                String::new()
            } else {
                format!("{name}:")
            };
            let attributes = source.attributes(ON_FIELD);
            format!("{attributes} {name} {},", source.pick(TYPES))
        });
        match shape {
            0 => format!("{attributes} struct Product{generics}({fields});"),
            1 => format!("{attributes} enum Product{generics} {{ A {{ {fields} }} }}"),
            _ => format!("{attributes} pub(crate) struct Product{generics} {{ {fields} }}"),
        }
    }
}

/// Has each `compile_error!` a message, and the place of something in the source? How many
/// there are.
fn count_errors(tokens: TokenStream) -> usize {
    let mut count = 0;
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(ident) if ident == "compile_error" => {
                // proc-macro2 keeps no places for fuzz targets: the tests look at them.
                let has_place = || ident.span().source_text().is_some_and(|it| !it.is_empty());
                assert!(cfg!(fuzzing) || has_place(), "an error without a place");
                tokens.next();
                let Some(TokenTree::Group(message)) = tokens.peek() else {
                    panic!("an error without a message");
                };
                let message = syn::parse2::<syn::LitStr>(message.stream()).expect("a message");
                assert!(!message.value().is_empty());
                count += 1;
            }
            TokenTree::Group(group) => count += count_errors(group.stream()),
            _ => {}
        }
    }
    count
}

/// Expands one item with attributes, and returns how many errors that made; `None` if the
/// item is no Rust at all.
pub(crate) fn derive_input(data: &[u8]) -> Option<usize> {
    // Else they pile up.
    extra::invalidate_current_thread_spans();
    let source = Source(data).item();
    // Other texts do not come to a macro.
    let tokens = source.parse::<TokenStream>().ok()?;
    let expanded = derive::expand(tokens);
    let errors = count_errors(expanded.clone());
    let file = syn::parse2::<syn::File>(expanded.clone());
    assert!(file.is_ok(), "{:?} in {expanded}", file.err());
    Some(errors)
}

//! Whatever stands in the attributes, there is an expansion or an error with a place.

use std::cell::Cell;
use std::env;

use proc_macro2::{TokenStream, TokenTree, extra};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;

use super::{errors, expand};
use crate::symbol::{self, Place};

/// As many cases as the variable `PROPTEST_CASES` says, or these.
const CASES: u32 = 4000;

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

fn word() -> impl Strategy<Value = String> {
    let known = symbol::ALL.iter().map(|it| it.name).chain([symbol::DIESEL]);
    select(known.chain(WORDS.iter().copied()).collect::<Vec<_>>()).prop_map(str::to_owned)
}

/// Any tokens that have their brackets in pairs.
fn tokens() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        3 => word(),
        2 => select(PUNCTUATION).prop_map(str::to_owned),
        1 => select(EXPRESSIONS).prop_map(str::to_owned),
    ];
    let nested = leaf.prop_recursive(3, 12, 4, |inner| {
        let many = prop::collection::vec(inner, 0..4).prop_map(|it| it.join(" "));
        prop_oneof![
            2 => many.clone().prop_map(|it| format!("({it})")),
            1 => many.clone().prop_map(|it| format!("[{it}]")),
            1 => many.prop_map(|it| format!("{{{it}}}")),
        ]
    });
    prop::collection::vec(nested, 0..6).prop_map(|it| it.join(" "))
}

/// An attribute with any tokens.
fn wild_attribute() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        9 => word(),
        1 => Just("a::b".to_owned()),
    ];
    (name, tokens(), 0..6_u8).prop_map(|(name, tokens, form)| match form {
        0 => format!("#[{name}]"),
        1 => format!("#[{name} = {tokens}]"),
        2 => format!("#[{name}[{tokens}]]"),
        3 => format!("#[{name}{{{tokens}}}]"),
        _ => format!("#[{name}({tokens})]"),
    })
}

/// An attribute as it is documented, with any expression, for one of these places.
fn tame_attribute(places: &'static [Place]) -> impl Strategy<Value = String> {
    let symbols = symbol::ALL.iter().filter(|it| places.contains(&it.place));
    let forms: Vec<_> = symbols.flat_map(|it| it.forms()).collect();
    (select(forms), select(EXPRESSIONS)).prop_map(|(form, expression)| {
        form.replace("EXPR", expression)
            .replace("column", "name")
            .replace("field", "id")
    })
}

fn attributes(places: &'static [Place]) -> impl Strategy<Value = String> {
    let attribute = prop_oneof![
        8 => tame_attribute(places).boxed(),
        1 => wild_attribute().boxed(),
    ];
    prop::collection::vec(attribute, 0..4).prop_map(|it| it.join(" "))
}

fn source() -> impl Strategy<Value = String> {
    const ON_STRUCT: &[Place] = &[Place::StructAttribute, Place::UpsertKey, Place::DieselKey];
    const ON_FIELD: &[Place] = &[
        Place::FieldAttribute,
        Place::ConflictKeyOption,
        Place::ConflictRule,
        Place::OnInsertOption,
        Place::DieselKey,
    ];
    const NAMES: [&str; 5] = ["id", "name", "r#type", "id", "visits"];
    let field = (attributes(ON_FIELD), select(TYPES));
    let fields = prop::collection::vec(field, 0..5);
    (attributes(ON_STRUCT), fields, any::<bool>(), 0..8_u8).prop_map(
        |(attributes, fields, is_generic, shape)| {
            let generics = if is_generic { "<'a, T: Copy>" } else { "" };
            let fields = fields.iter().zip(NAMES).map(|((attributes, ty), name)| {
                let name = if shape == 0 {
                    String::new()
                } else {
                    format!("{name}:")
                };
                format!("{attributes} {name} {ty}, ")
            });
            let fields: String = fields.collect();
            match shape {
                0 => format!("{attributes} struct Product{generics}({fields});"),
                1 => format!("{attributes} enum Product{generics} {{ A {{ {fields} }} }}"),
                _ => format!("{attributes} pub(crate) struct Product{generics} {{ {fields} }}"),
            }
        },
    )
}

/// Has each `compile_error!` the place of something in the source?
fn have_places(tokens: TokenStream) -> bool {
    tokens.into_iter().all(|token| match token {
        TokenTree::Ident(ident) if ident == "compile_error" => {
            ident.span().source_text().is_some_and(|it| !it.is_empty())
        }
        TokenTree::Group(group) => have_places(group.stream()),
        _ => true,
    })
}

#[test]
fn any_attributes() {
    let mut config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    if env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    let cases = config.cases;
    let counts = Cell::new((0, 0));
    TestRunner::new(config)
        .run(&source(), |source| {
            extra::invalidate_current_thread_spans();
            // Other texts do not come to a macro.
            prop_assume!(source.parse::<TokenStream>().is_ok());
            let expanded = expand(&source);
            let errors = errors(expanded.clone());
            let (refused, accepted) = counts.get();
            counts.set(if errors.is_empty() {
                (refused, accepted + 1)
            } else {
                (refused + 1, accepted)
            });
            prop_assert!(errors.iter().all(|it| !it.is_empty()));
            prop_assert!(have_places(expanded.clone()), "{errors:?}");
            let file = syn::parse2::<syn::File>(expanded.clone());
            prop_assert!(file.is_ok(), "{:?} in {expanded}", file.err());
            Ok(())
        })
        .unwrap();
    let (refused, accepted) = counts.get();
    let enough = refused > cases / 10 && accepted > cases / 100;
    assert!(enough, "{refused} refused, {accepted} accepted");
}

//! The rules that need more than one attribute, or an attribute and the type.

use std::collections::HashMap;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::ext::IdentExt;

use crate::ast::{Container, Field, Kind, Rule};
use crate::attr::{FieldAttrs, StructAttrs};
use crate::ctxt::Ctxt;
use crate::diag::{Diag, err};
use crate::symbol::{self, Symbol};
use crate::ty;

pub(crate) fn check(cx: &Ctxt, container: &Container<'_>) {
    // No fields is an error already, and everything else follows from it.
    if container.fields.is_empty() {
        return;
    }
    check_exclusive_keys(cx, container);
    for field in &container.fields {
        check_exclusive_attributes(cx, field);
        check_option_key(cx, field);
        check_treat_none(cx, field);
    }
    check_has_columns(cx, container);
    check_duplicate_column(cx, container);
    check_do_nothing_with_rule(cx, container);
    check_has_update_rule(cx, container);
}

/// Two attributes that exclude each other: the first is named, the second is
/// pointed at.
struct Exclusion {
    first: Symbol,
    second: Symbol,
    why: &'static str,
}

const FIELD_EXCLUSIONS: &[Exclusion] = &[
    Exclusion {
        first: symbol::CONFLICT_KEY,
        second: symbol::ON_CONFLICT,
        why: "a conflict key is never updated",
    },
    Exclusion {
        first: symbol::EMBED,
        second: symbol::CONFLICT_KEY,
        why: "it belongs on the fields of the embedded struct",
    },
    Exclusion {
        first: symbol::EMBED,
        second: symbol::ON_CONFLICT,
        why: "it belongs on the fields of the embedded struct",
    },
    Exclusion {
        first: symbol::EMBED,
        second: symbol::SERIALIZE_AS,
        why: "an embedded struct is written by its own fields",
    },
    Exclusion {
        first: symbol::EMBED,
        second: symbol::TREAT_NONE_AS_DEFAULT_VALUE,
        why: "it belongs on the fields of the embedded struct",
    },
    Exclusion {
        first: symbol::SKIP_INSERTION,
        second: symbol::ON_CONFLICT,
        why: "no value is proposed for a field that is not inserted",
    },
];

const STRUCT_EXCLUSIONS: &[Exclusion] = &[
    Exclusion {
        first: symbol::DO_NOTHING,
        second: symbol::UPDATE_ALL,
        why: "rows that exist are either left as they are or updated",
    },
    Exclusion {
        first: symbol::EMBEDDED,
        second: symbol::DO_NOTHING,
        why: "the model that embeds the struct says what happens to rows that exist",
    },
];

// The pairs of `FIELD_EXCLUSIONS`, and
//
//     #[conflict_key]
//     #[diesel(skip_insertion)]
//     id: i32,
fn check_exclusive_attributes(cx: &Ctxt, field: &Field<'_>) {
    // Exhaustive, so that a new attribute has to be classified.
    let FieldAttrs {
        conflict_key,
        on_conflict,
        column_name: _,
        embed,
        serialize_as,
        skip_insertion,
        treat_none_as_default_value,
    } = &field.attrs;
    let name = field.name();
    if let (Some(key), Some(_)) = (conflict_key, skip_insertion) {
        let skip = symbol::SKIP_INSERTION.form;
        let what = format!("conflict key `{name}` is `{skip}`, so no value is proposed for it");
        cx.error(err(key.original, what));
    }
    let attributes = [
        place(
            symbol::CONFLICT_KEY,
            conflict_key.as_ref().map(|it| it.original),
        ),
        place(
            symbol::ON_CONFLICT,
            on_conflict.as_ref().map(|it| it.original),
        ),
        place(symbol::EMBED, embed.as_ref()),
        place(
            symbol::SERIALIZE_AS,
            serialize_as.as_ref().map(|it| &it.key),
        ),
        place(symbol::SKIP_INSERTION, skip_insertion.as_ref()),
        place(
            symbol::TREAT_NONE_AS_DEFAULT_VALUE,
            treat_none_as_default_value.as_ref().map(|it| &it.key),
        ),
    ];
    check_exclusions(cx, FIELD_EXCLUSIONS, &attributes, &name);
}

// The pairs of `STRUCT_EXCLUSIONS`.
fn check_exclusive_keys(cx: &Ctxt, container: &Container<'_>) {
    let StructAttrs {
        update_all,
        do_nothing,
        embedded,
        krate: _,
        table_name: _,
        treat_none_as_default_value: _,
        is_incomplete: _,
    } = &container.attrs;
    let attributes = [
        place(symbol::UPDATE_ALL, update_all.as_ref()),
        place(symbol::DO_NOTHING, do_nothing.as_ref()),
        place(symbol::EMBEDDED, embedded.as_ref()),
    ];
    let name = container.original.ident.to_string();
    check_exclusions(cx, STRUCT_EXCLUSIONS, &attributes, &name);
}

fn place<T: ToTokens>(symbol: Symbol, written: Option<&T>) -> (Symbol, Option<TokenStream>) {
    (symbol, written.map(T::to_token_stream))
}

fn check_exclusions(
    cx: &Ctxt,
    exclusions: &[Exclusion],
    attributes: &[(Symbol, Option<TokenStream>)],
    owner: &str,
) {
    let find = |wanted: Symbol| {
        let mut written = attributes.iter().filter(|(symbol, _)| *symbol == wanted);
        written.find_map(|(_, at)| at.as_ref())
    };
    for exclusion in exclusions {
        let Exclusion { first, second, why } = exclusion;
        if let (Some(_), Some(at)) = (find(*first), find(*second)) {
            let what = format!("`{second}` cannot be combined with `{first}` on `{owner}`");
            cx.error(err(at, what).note(why));
        }
    }
}

// NULLs are distinct in a unique index, so a row whose key is `None` is
// inserted again each time:
//
//     #[conflict_key]
//     region: Option<String>,
fn check_option_key(cx: &Ctxt, field: &Field<'_>) {
    let Some(key) = &field.attrs.conflict_key else {
        return;
    };
    if !matches!(field.kind, Kind::Column(_)) {
        return;
    }
    let name = field.name();
    let form = symbol::NULLABLE.form;
    match &key.nullable {
        None if field.is_option() => {
            let what =
                format!("conflict key `{name}` is an `Option`: rows with NULL never conflict");
            let help = format!("write `{form}` if that is what you want");
            cx.error(err(&field.original.ty, what).help(help));
        }
        Some(nullable) if !field.is_option() => {
            let what = format!("conflict key `{name}` is `nullable`, but not an `Option`");
            let help = format!("write `{}`", symbol::CONFLICT_KEY.form);
            cx.error(err(nullable, what).help(help));
        }
        _ => {}
    }
}

// Only a field that is an `Option` has a `None`:
//
//     #[diesel(treat_none_as_default_value = false)]
//     name: String,
fn check_treat_none(cx: &Ctxt, field: &Field<'_>) {
    let Some(treat_none) = &field.attrs.treat_none_as_default_value else {
        return;
    };
    let is_option = field.is_option() || ty::is_option(&field.original.ty);
    if matches!(field.kind, Kind::Column(_)) && !is_option {
        let symbol = symbol::TREAT_NONE_AS_DEFAULT_VALUE;
        let name = field.name();
        let what = format!("`{symbol}` means nothing on `{name}`, which is not an `Option`");
        cx.error(err(&treat_none.key, what));
    }
}

// Every field is `#[diesel(skip_insertion)]`.
fn check_has_columns(cx: &Ctxt, container: &Container<'_>) {
    let is_skipped = |field: &Field<'_>| matches!(field.kind, Kind::Skipped);
    if container.fields.iter().all(is_skipped) {
        let name = &container.original.ident;
        let skip = symbol::SKIP_INSERTION.form;
        let what = format!("every field of `{name}` is `{skip}`, so it has no columns");
        cx.error(err(name, what));
    }
}

// Two fields with one column:
//
//     name: String,
//     #[diesel(column_name = name)]
//     title: String,
fn check_duplicate_column(cx: &Ctxt, container: &Container<'_>) {
    let mut first_of: HashMap<String, String> = HashMap::new();
    for (field, column) in container.columns() {
        let name = field.name();
        let column = column.ident.unraw().to_string();
        let Some(first) = first_of.get(&column) else {
            first_of.insert(column, name);
            continue;
        };
        let what = format!("`{name}` and `{first}` are the same column `{column}`");
        cx.error(match &field.attrs.column_name {
            Some(column_name) => err(&column_name.key, what),
            None => err(&field.member, what),
        });
    }
}

// Rows that exist are left as they are, so nothing in them is updated:
//
//     #[upsert(do_nothing)]
//     struct Product {
//         #[on_conflict(update)]
//         name: String,
fn check_do_nothing_with_rule(cx: &Ctxt, container: &Container<'_>) {
    if container.attrs.do_nothing.is_none() {
        return;
    }
    for (field, column) in container.columns() {
        let rule = field
            .attrs
            .on_conflict
            .as_ref()
            .and_then(|it| it.rule.as_ref());
        if let (Some(rule), Rule::Update) = (rule, column.rule) {
            let do_nothing = symbol::DO_NOTHING;
            let name = field.name();
            let what =
                format!("`{do_nothing}` cannot be combined with the update rule on `{name}`");
            cx.error(err(&rule.key, what));
        }
    }
}

// A model has to say what happens to rows that exist. An embedded struct may
// say it for the model, which the model's `CHECK` looks at.
fn check_has_update_rule(cx: &Ctxt, container: &Container<'_>) {
    let attrs = &container.attrs;
    let is_unknown = attrs.is_incomplete || container.has_embedded() || has_bad_rule(container);
    let is_said =
        attrs.do_nothing.is_some() || attrs.embedded.is_some() || container.has_rule(Rule::Update);
    if is_unknown || is_said || container.columns().next().is_none() {
        return;
    }
    let all_keys = container
        .columns()
        .all(|(_, column)| column.rule == Rule::Key);
    cx.error(if all_keys {
        only_keys(container)
    } else {
        no_update_rule(container)
    });
}

fn has_bad_rule(container: &Container<'_>) -> bool {
    let mut rules = container.fields.iter().map(|it| &it.attrs.on_conflict);
    rules.any(|it| it.as_ref().is_some_and(|it| it.rule.is_none()))
}

fn only_keys(container: &Container<'_>) -> Diag {
    let name = &container.original.ident;
    let what = format!("every field of `{name}` is a conflict key, so there is nothing to update");
    let form = symbol::DO_NOTHING.form;
    err(name, what).help(format!("write `{form}` to skip the rows that exist"))
}

fn no_update_rule(container: &Container<'_>) -> Diag {
    let name = &container.original.ident;
    let (update, update_all) = (symbol::UPDATE.form, symbol::UPDATE_ALL.form);
    let do_nothing = symbol::DO_NOTHING.form;
    err(
        name,
        format!("`{name}` does not say what happens to rows that exist"),
    )
    .note(format!("`{do_nothing}` skips them"))
    .help(format!(
        "write `{update}` on the fields to update, or `{update_all}`"
    ))
}

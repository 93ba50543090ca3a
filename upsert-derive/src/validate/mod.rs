//! The rules that need more than one attribute, or an attribute and the type.

use std::collections::HashMap;

use syn::ext::IdentExt;

use crate::ast::{Container, Field, Kind, NoneMeans};
use crate::ctxt::Ctxt;
use crate::diag::err;
use crate::{symbol, ty};

mod action;
mod exclusion;
mod expression;
mod guard;
mod target;

pub(crate) fn check(cx: &Ctxt, container: &Container<'_>) {
    // No fields is an error already, and everything else follows from it.
    if container.fields.is_empty() {
        return;
    }
    exclusion::check_struct(cx, container);
    for field in &container.fields {
        exclusion::check_field(cx, container, field);
        check_option_key(cx, field);
        check_treat_none(cx, field);
        check_on_insert(cx, container, field);
    }
    check_has_columns(cx, container);
    check_duplicate_column(cx, container);
    target::check(cx, container);
    guard::check(cx, container);
    expression::check(cx, container);
    action::check(cx, container);
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

// Only a field that is an `Option` can leave its column to a default:
//
//     #[on_insert(default = 1)]
//     stock: i32,
fn check_on_insert(cx: &Ctxt, container: &Container<'_>, field: &Field<'_>) {
    let Some(on_insert) = &field.attrs.on_insert else {
        return;
    };
    let Kind::Column(_) = field.kind else {
        return;
    };
    let (symbol, name) = (symbol::ON_INSERT, field.name());
    if !field.is_option() && !ty::is_option(&field.original.ty) {
        let what = format!("`{symbol}` means nothing on `{name}`, which is not an `Option`");
        cx.error(err(on_insert.original, what));
    } else if container.none_means(field) == NoneMeans::Null {
        let treat_none = symbol::TREAT_NONE_AS_DEFAULT_VALUE;
        let what = format!("`{symbol}` cannot be combined with `{treat_none} = false` on `{name}`");
        cx.error(err(on_insert.original, what).note("`None` is then NULL"));
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

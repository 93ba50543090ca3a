//! Conflict targets that are not the marked columns.

use std::collections::HashSet;

use proc_macro2::Ident;
use quote::ToTokens;
use syn::Expr;
use syn::ext::IdentExt;

use crate::ast::Container;
use crate::attr::NamedTarget;
use crate::ctxt::Ctxt;
use crate::diag::{self, Diag, err};
use crate::symbol;
use crate::tokens::find_ident;

pub(super) fn check(cx: &Ctxt, container: &Container<'_>) {
    check_constraint(cx, container);
    check_expressions(cx, container);
    check_named_targets(cx, container);
}

//     #[upsert(constraint = "")]
fn check_constraint(cx: &Ctxt, container: &Container<'_>) {
    let Some(constraint) = &container.attrs.constraint else {
        return;
    };
    if constraint.value.value().is_empty() {
        let what = format!("the name of `{}` is empty", symbol::CONSTRAINT);
        let help = format!("write `{}`", symbol::CONSTRAINT.form);
        cx.error(err(&constraint.value, what).help(help));
    }
}

// An index knows nothing of the row that is proposed:
//
//     #[upsert(target_where = excluded(stock).gt(0))]
fn check_expressions(cx: &Ctxt, container: &Container<'_>) {
    if let Some(target) = &container.attrs.target {
        if target.value.is_empty() {
            let what = err(
                &target.key,
                format!("`{}` has no expressions", symbol::TARGET),
            );
            cx.error(what.help(format!("write `{}`", symbol::TARGET.form)));
        }
        for element in &target.value {
            check_excluded(cx, &target.key, element);
        }
    }
    if let Some(predicate) = &container.attrs.target_where {
        check_excluded(cx, &predicate.key, &predicate.value);
    }
}

fn check_excluded(cx: &Ctxt, key: &Ident, expression: &Expr) {
    let tokens = expression.to_token_stream();
    if let Some(excluded) = find_ident(tokens, &|ident| ident == "excluded") {
        let what = format!("`{excluded}` means nothing in `{key}`");
        let note = "it is about the index, which knows nothing of the row that is proposed";
        let help = format!("write `{}`, which is the guard", symbol::UPDATE_IF.form);
        cx.error(err(&excluded, what).note(note).help(help));
    }
}

//     #[upsert(targets(by_email = emial, by_email = (name, name)))]
//     struct User { email: String, name: String }
fn check_named_targets(cx: &Ctxt, container: &Container<'_>) {
    let targets = container.attrs.targets.iter().flat_map(|it| &it.value);
    let mut names = HashSet::new();
    for NamedTarget { name, columns } in targets {
        if !names.insert(name.unraw()) {
            let what = format!("duplicate `{name}` in `{}`", symbol::TARGETS);
            cx.error(err(name, what));
        }
        let mut seen = HashSet::new();
        for column in columns {
            if !seen.insert(column.unraw()) {
                let what = format!("duplicate column `{column}` in `{name}`");
                cx.error(err(column, what));
            } else if container.column(column).is_none() {
                cx.error(unknown_column(container, column));
            }
        }
    }
}

fn unknown_column(container: &Container<'_>, written: &Ident) -> Diag {
    let name = &container.original.ident;
    let what = err(written, format!("`{name}` has no column `{written}`"));
    let mut columns = container.columns();
    let field = columns.find(|(field, _)| *written == field.name());
    if let Some((_, column)) = field {
        let column = column.ident.unraw();
        return what.help(format!("write the column of that field: `{column}`"));
    }
    let columns: Vec<_> = container
        .columns()
        .map(|(_, column)| column.ident.unraw().to_string())
        .collect();
    diag::did_you_mean(what, &written.unraw().to_string(), &columns, "columns")
}

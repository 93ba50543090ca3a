//! What happens to rows that exist.

use std::collections::HashMap;

use syn::ext::IdentExt;

use crate::ast::{Column, Container, Field};
use crate::attr::Assignment;
use crate::ctxt::Ctxt;
use crate::diag::{Diag, err};
use crate::rule::Rule;
use crate::symbol;

pub(super) fn check(cx: &Ctxt, container: &Container<'_>) {
    check_do_nothing_with_rule(cx, container);
    check_assignments(cx, container);
    check_has_update_rule(cx, container);
    check_has_compared(cx, container);
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
        let Some(rule) = field.written_rule() else {
            continue;
        };
        if column.rule.is_update() {
            let (do_nothing, word) = (symbol::DO_NOTHING, &rule.key);
            let name = field.name();
            let what =
                format!("`{do_nothing}` cannot be combined with the {word} rule on `{name}`");
            cx.error(err(&rule.key, what));
        }
    }
}

// The struct's `set(..)` and `touch(..)` are for columns that the model does
// not have, each once:
//
//     #[upsert(set(name = "a", seen_at = now), touch(seen_at = now))]
//     struct Product { name: String }
fn check_assignments(cx: &Ctxt, container: &Container<'_>) {
    let mut first_of: HashMap<String, String> = HashMap::new();
    for (rule, key, assignment) in container.attrs.assignments() {
        let written = &assignment.column;
        let column = written.unraw().to_string();
        if let Some(first) = first_of.get(&column) {
            let what = format!("column `{written}` has a second rule in `{key}`");
            let note = format!("it has one in `{first}` already, and a column has one");
            cx.error(err(written, what).note(note));
            continue;
        }
        first_of.insert(column, key.to_string());
        if let Some((field, column)) = container.column(written) {
            cx.error(assigned_field(rule, assignment, field, column));
        }
    }
}

fn assigned_field(rule: Rule, assignment: &Assignment, field: &Field<'_>, column: &Column) -> Diag {
    let (name, written) = (field.name(), &assignment.column);
    let what = format!("column `{written}` is the field `{name}`, which has a rule of its own");
    let what = err(written, what);
    if column.is_key {
        return what.note("a conflict key is never updated");
    }
    let form = match rule {
        Rule::Touch => symbol::TOUCH.other_form.unwrap_or(symbol::TOUCH.form),
        _ => symbol::SET.form,
    };
    what.help(format!("write `{form}` on `{name}`"))
}

// A model has to say what happens to rows that exist. An embedded struct may
// say it for the model, which the model's `CHECK` looks at.
fn check_has_update_rule(cx: &Ctxt, container: &Container<'_>) {
    let attrs = &container.attrs;
    let is_unknown = attrs.is_incomplete || container.has_embedded() || has_bad_rule(container);
    let is_said = attrs.do_nothing.is_some() || attrs.embedded.is_some() || container.has_update();
    if is_unknown || is_said || container.columns().next().is_none() {
        return;
    }
    let all_keys = container.columns().all(|(_, column)| column.is_key);
    cx.error(if all_keys {
        only_keys(container)
    } else {
        no_update_rule(container)
    });
}

// What is touched is touched where another column changes, and a row is
// unchanged where no column changes:
//
//     #[upsert(skip_unchanged)]
//     struct Product {
//         #[on_conflict(touch)]
//         seen_at: NaiveDateTime,
//
// An embedded struct is a part of what is compared, and a model with one is
// looked at by `CHECK`.
fn check_has_compared(cx: &Ctxt, container: &Container<'_>) {
    let attrs = &container.attrs;
    let is_unknown = attrs.is_incomplete || container.has_embedded() || has_bad_rule(container);
    let is_other = attrs.do_nothing.is_some() || attrs.embedded.is_some();
    if is_unknown || is_other || container.has_compared() || !container.has_update() {
        return;
    }
    let name = &container.original.ident;
    let keys = container.touch().into_iter().chain(&attrs.skip_unchanged);
    for key in keys {
        let what = format!("`{key}` needs a column to compare, and `{name}` has none");
        let help = format!("write `{}` on the fields to compare", symbol::UPDATE.form);
        let note = "compared are the columns that are updated and not touched";
        cx.error(err(key, what).note(note).help(help));
    }
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

//! The guard by a field: `newer_by` and `not_older_by`.

use syn::Member;

use crate::ast::{Container, Field, Kind};
use crate::attr::Keyed;
use crate::ctxt::Ctxt;
use crate::diag::{self, Diag, err};
use crate::rule::Rule;
use crate::symbol;

pub(super) fn check(cx: &Ctxt, container: &Container<'_>) {
    let attrs = &container.attrs;
    // What the guard is for is wrong already.
    if attrs.do_nothing.is_some() || attrs.embedded.is_some() {
        return;
    }
    for guard in attrs.newer_by.iter().chain(&attrs.not_older_by) {
        match container.field(&guard.value) {
            None => cx.error(unknown_field(container, guard)),
            Some((_, field)) => {
                if let Some(fault) = not_comparable(guard, field) {
                    cx.error(fault);
                }
            }
        }
    }
}

//     #[upsert(newer_by = verison)]
//     struct Product { version: i32 }
fn unknown_field(container: &Container<'_>, guard: &Keyed<Member>) -> Diag {
    let name = &container.original.ident;
    let written = diag::member(&guard.value);
    let what = err(&guard.value, format!("`{name}` has no field `{written}`"));
    if let Member::Named(column) = &guard.value {
        if let Some((field, _)) = container.column(column) {
            let field = field.name();
            return what.help(format!("write the field of that column: `{field}`"));
        }
    }
    let fields: Vec<_> = container.columns().map(|(field, _)| field.name()).collect();
    diag::did_you_mean(what, &written, &fields, "fields")
}

// The guard lets a row pass that is newer than the existing one, which then
// has to become as new:
//
//     #[upsert(newer_by = version)]
//     struct Product {
//         #[on_conflict(keep)]
//         version: i32,
fn not_comparable(guard: &Keyed<Member>, field: &Field<'_>) -> Option<Diag> {
    let (key, name) = (&guard.key, field.name());
    let fault = |which| {
        err(
            &guard.value,
            format!("`{key}` compares `{name}`, which {which}"),
        )
    };
    let Kind::Column(column) = &field.kind else {
        return Some(fault("is not a column"));
    };
    if column.is_key {
        let why = "rows that conflict have the same key, so none is newer";
        return Some(fault("is a conflict key").note(why));
    }
    if column.rule.follows_new() {
        return None;
    }
    let which = match column.rule {
        Rule::Touch => "is not always updated",
        _ => "does not become the newer one",
    };
    let why = "the guard would compare with the first version for ever";
    let help = format!("write `{}` on `{name}`", symbol::UPDATE.form);
    Some(fault(which).note(why).help(help))
}

//! Expressions: they are parts of the statement, which all rows share.

use proc_macro2::Ident;
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, Path};

use crate::ast::{Container, Field};
use crate::ctxt::Ctxt;
use crate::diag::err;

pub(super) fn check(cx: &Ctxt, container: &Container<'_>) {
    let attrs = &container.attrs;
    let rules = container.fields.iter().filter_map(Field::written_rule);
    let of_fields = rules.filter_map(|it| Some((&it.key, it.value.expression.as_ref()?)));
    let of_columns = attrs
        .assignments()
        .map(|(_, key, it)| (key, &it.expression));
    let guard = attrs.update_if.iter().map(|it| (&it.key, &it.value));
    let target = attrs.target.iter();
    let target = target.flat_map(|it| it.value.iter().map(|element| (&it.key, element)));
    let target_where = attrs.target_where.iter().map(|it| (&it.key, &it.value));
    for (key, expression) in of_fields.chain(of_columns).chain(guard) {
        check_self(
            cx,
            key,
            expression,
            Some("write `excluded(column)` for the row's value"),
        );
    }
    for (key, expression) in target.chain(target_where) {
        check_self(cx, key, expression, None);
    }
}

//     #[on_conflict(set = self.stock)]
fn check_self(cx: &Ctxt, key: &Ident, expression: &Expr, help: Option<&str>) {
    let mut search = FindSelf { found: None };
    search.visit_expr_mut(&mut expression.clone());
    if let Some(found) = search.found {
        let what = format!("`{found}` means nothing in `{key}`");
        let note = "the expression is a part of the statement, which all rows share";
        let what = err(&found, what).note(note);
        cx.error(match help {
            Some(help) => what.help(help),
            None => what,
        });
    }
}

/// Looks for the first `self` or `Self` that is not `self::path`.
struct FindSelf {
    found: Option<Ident>,
}

impl VisitMut for FindSelf {
    fn visit_path_mut(&mut self, path: &mut Path) {
        let is_alone = path.segments.len() == 1;
        if let Some(first) = path.segments.first() {
            if first.ident == "Self" || (first.ident == "self" && is_alone) {
                self.found.get_or_insert_with(|| first.ident.clone());
            }
        }
        visit_mut::visit_path_mut(self, path);
    }
}

//! What is changed in the user's expressions.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote_spanned};
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, ExprParen, UnOp, token};

use crate::paths::Paths;

/// The expression with parentheses for the invisible groups around what comes
/// from a `macro_rules!` fragment, which rustc does not see
/// (<https://github.com/rust-lang/rust/issues/67062>):
///
/// ```text
/// set = $a * 2    with `x + 1` for `$a`    =>    set = (x + 1) * 2
/// ```
pub(crate) fn grouped(expr: &Expr) -> TokenStream {
    let mut expr = expr.clone();
    Groups.visit_expr_mut(&mut expr);
    expr.into_token_stream()
}

/// The same, with a call around each literal. PostgreSQL finds an index by its
/// expressions and its predicate, in which a bind is not the literal that it
/// stands for:
///
/// ```text
/// target_where = deleted.eq(false)    =>    deleted.eq(literal(false))
/// ```
pub(crate) fn with_literals(expr: &Expr, paths: &Paths<'_>) -> TokenStream {
    let mut expr = expr.clone();
    Literals { paths }.visit_expr_mut(&mut expr);
    grouped(&expr)
}

struct Groups;

impl VisitMut for Groups {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        visit_mut::visit_expr_mut(self, expr);
        if let Expr::Group(group) = expr {
            let inner = &*group.expr;
            let is_one = matches!(inner, Expr::Path(_) | Expr::Lit(_) | Expr::Paren(_));
            if !is_one {
                *expr = Expr::Paren(ExprParen {
                    attrs: Vec::new(),
                    paren_token: token::Paren(inner.span()),
                    expr: group.expr.clone(),
                });
            }
        }
    }
}

struct Literals<'a> {
    paths: &'a Paths<'a>,
}

impl VisitMut for Literals<'_> {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        if is_literal(expr) {
            let span = expr.span();
            let p = self.paths.private_among(span);
            *expr = Expr::Verbatim(quote_spanned!(span=> #p::literal(#expr)));
        } else if !is_sql(expr) {
            visit_mut::visit_expr_mut(self, expr);
        }
    }
}

/// A literal, or a negative number.
fn is_literal(expr: &Expr) -> bool {
    match expr {
        Expr::Lit(_) => true,
        Expr::Group(group) => is_literal(&group.expr),
        Expr::Unary(unary) => matches!(unary.op, UnOp::Neg(_)) && is_literal(&unary.expr),
        _ => false,
    }
}

/// Is it `sql::<Bool>("deleted_at IS NULL")`, whose literal is SQL already?
fn is_sql(expr: &Expr) -> bool {
    let Expr::Call(call) = expr else {
        return false;
    };
    let Expr::Path(function) = &*call.func else {
        return false;
    };
    let last = function.path.segments.last();
    last.is_some_and(|it| it.ident == "sql")
}

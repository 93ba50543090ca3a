//! The where-clauses of the generated impls.

use std::collections::{HashMap, HashSet};

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote_spanned};
use syn::{Lifetime, Type};

use crate::ast::{Column, Container, Field, Kind, NoneMeans};
use crate::expand::Paths;
use crate::ty;

/// The where-clause of `Fields` and `Upsertable`.
pub(crate) fn for_fields(container: &Container<'_>, paths: &Paths<'_>) -> TokenStream {
    let mut predicates = Predicates::of_struct(container);
    predicates.add_for_fields(container, paths);
    predicates.into_where_clause()
}

/// The where-clause of `BindFields<db>`.
pub(crate) fn for_bind_fields(
    container: &Container<'_>,
    paths: &Paths<'_>,
    db: &Ident,
) -> TokenStream {
    let mut predicates = Predicates::of_struct(container);
    predicates.add_for_fields(container, paths);

    let p = &paths.private;
    predicates.add(quote_spanned!(Span::mixed_site()=> #db: #p::Dialect));

    let table = &container.table;
    // Diesel implements it for backends that keep a private trait, which a
    // bound on the backend cannot name.
    predicates.add(quote_spanned! {Span::mixed_site()=>
        <#table::table as #p::diesel::QuerySource>::FromClause:
            #p::diesel::query_builder::QueryFragment<#db>
    });
    let mut bounds = Vec::new();
    for field in &container.fields {
        let span = field.span;
        match &field.kind {
            Kind::Skipped => {}
            Kind::Embedded => bounds.push(Bound {
                span,
                ty: ty::peel_references(&field.original.ty).1,
                kind: BoundKind::BindFields,
                bound: quote_spanned!(span=> #p::BindFields<#db, Table = #table::table>),
            }),
            Kind::Column(column) => {
                let st = paths.sql_type(field, column);
                let how = bind_how(container, field, column, paths);
                bounds.push(Bound {
                    span,
                    ty: bound_ty(field),
                    kind: bind_kind(container, field),
                    bound: quote_spanned!(span=> #p::Bind<#st, #how, #db>),
                });
            }
        }
    }
    predicates.add_all(&bounds);
    predicates.into_where_clause()
}

/// The type that a column's `Bind` is for.
///
/// References are taken off: a bound on `str` serves `&'a str` and `&'b str`,
/// two bounds that differ in their lifetimes alone are ambiguous (see
/// [`Predicates::add_all`]).
pub(crate) fn bound_ty<'a>(field: &'a Field<'_>) -> &'a Type {
    ty::peel_references(field.written_ty()).1
}

/// The parameter `How` of a column's `Bind`.
pub(crate) fn bind_how(
    container: &Container<'_>,
    field: &Field<'_>,
    column: &Column,
    paths: &Paths<'_>,
) -> TokenStream {
    let p = &paths.private;
    let span = field.span;
    match bind_kind(container, field) {
        BoundKind::BindWhole | BoundKind::BindFields => quote_spanned!(span=> #p::Whole),
        BoundKind::BindOption => paths.nullability(field, column),
    }
}

fn bind_kind(container: &Container<'_>, field: &Field<'_>) -> BoundKind {
    if field.is_option() && container.none_means(field) != NoneMeans::Null {
        BoundKind::BindOption
    } else {
        BoundKind::BindWhole
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum BoundKind {
    BindWhole,
    BindOption,
    BindFields,
}

/// `ty: bound`.
struct Bound<'a> {
    span: Span,
    ty: &'a Type,
    kind: BoundKind,
    bound: TokenStream,
}

/// Predicates, none of them twice.
struct Predicates {
    seen: HashSet<String>,
    tokens: Vec<TokenStream>,
}

impl Predicates {
    /// Those that the user wrote.
    fn of_struct(container: &Container<'_>) -> Self {
        let mut this = Self {
            seen: HashSet::new(),
            tokens: Vec::new(),
        };
        let written = container.original.generics.where_clause.iter();
        for predicate in written.flat_map(|it| &it.predicates) {
            this.add(predicate.to_token_stream());
        }
        this
    }

    fn add(&mut self, predicate: TokenStream) {
        if self.seen.insert(predicate.to_string()) {
            self.tokens.push(predicate);
        }
    }

    /// What `Fields` needs of types that are only known to the user of a
    /// generic struct. For other types, a bound would only hide which field is
    /// at fault.
    fn add_for_fields(&mut self, container: &Container<'_>, paths: &Paths<'_>) {
        let p = &paths.private;
        for field in &container.fields {
            let span = field.span;
            let ty = &field.original.ty;
            if !ty::mentions_parameter(ty, &container.original.generics) {
                continue;
            }
            if let Kind::Embedded = field.kind {
                let (_, inner) = ty::peel_references(ty);
                self.add(quote_spanned!(span=> #inner: #p::Fields));
            } else if field.is_converted() {
                let written = field.written_ty();
                self.add(quote_spanned! {span=>
                    #ty: #p::core::clone::Clone + #p::core::convert::Into<#written>
                });
            }
        }
    }

    /// Adds the bounds. Where two are on the same type with different
    /// lifetimes, rustc cannot choose between them
    /// (<https://github.com/rust-lang/rust/issues/21974>), so that
    ///
    /// ```text
    /// Cow<'a, str>: Bind<Text, Whole, DB>,
    /// Cow<'b, str>: Bind<Text, Whole, DB>,
    /// ```
    ///
    /// becomes
    ///
    /// ```text
    /// for<'x> Cow<'x, str>: Bind<Text, Whole, DB>,
    /// ```
    fn add_all(&mut self, bounds: &[Bound<'_>]) {
        let mut lifetimes_of: HashMap<(BoundKind, String), HashSet<Vec<String>>> = HashMap::new();
        for bound in bounds {
            let shape = ty::shape(bound.ty);
            let lifetimes = lifetimes_of.entry((bound.kind, shape.text)).or_default();
            lifetimes.insert(shape.lifetimes);
        }
        for Bound { span, ty, kind, bound } in bounds {
            let span = *span;
            let shape = ty::shape(ty);
            let is_ambiguous = lifetimes_of
                .get(&(*kind, shape.text))
                .is_some_and(|it| it.len() > 1);
            self.add(if is_ambiguous && !shape.has_binder {
                let (binder, ty) = for_any_lifetimes(ty);
                quote_spanned!(span=> for<#(#binder),*> #ty: #bound)
            } else {
                quote_spanned!(span=> #ty: #bound)
            });
        }
    }

    fn into_where_clause(self) -> TokenStream {
        let tokens = self.tokens;
        if tokens.is_empty() {
            TokenStream::new()
        } else {
            quote_spanned!(Span::mixed_site()=> where #(#tokens,)*)
        }
    }
}

/// `Pair<'a, 'b>` as `Pair<'__upsert_0, '__upsert_1>`, and these lifetimes.
fn for_any_lifetimes(ty: &Type) -> (Vec<Lifetime>, TokenStream) {
    let mut binder = Vec::new();
    let ty = ty::map_lifetimes(ty.to_token_stream(), &mut |lifetime| {
        let name = format_ident!("__upsert_{}", binder.len(), span = lifetime.span());
        binder.push(Lifetime {
            apostrophe: lifetime.span(),
            ident: name.clone(),
        });
        name
    });
    (binder, ty)
}

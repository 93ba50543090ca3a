//! Checks that a database can have what the struct says, so that rustc shows
//! the field or the attribute at fault, and not only the call.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::spanned::Spanned;

use crate::ast::{Column, Container, Field, Kind};
use crate::attr::{CheckForBackend, StructAttrs};
use crate::bound::{self, is_whole};
use crate::paths::{Paths, site};
use crate::{tokens, ty};

/// A constant beside the impls: all in one, so that rustc shows a path that it
/// cannot find once.
pub(crate) fn checks(container: &Container<'_>, paths: &Paths<'_>) -> TokenStream {
    let fields = container.fields.iter();
    let fields = fields.filter_map(|field| check_field(container, field, paths));
    let target = check_target(container, paths);
    quote_spanned!(site()=> const _: &[()] = &[#(#fields)* #(#target)*];)
}

/// The databases of `check_for_backend`, or `None` where one of those of the
/// crate's features is enough.
fn backends<'a>(container: &'a Container<'_>) -> Option<&'a CheckForBackend> {
    let written = container.attrs.check_for_backend.as_ref();
    written.map(|it| &it.value)
}

fn check_field(
    container: &Container<'_>,
    field: &Field<'_>,
    paths: &Paths<'_>,
) -> Option<TokenStream> {
    let ty = ty::known(bound::bound_ty(field), &container.original.generics)?;
    match &field.kind {
        Kind::Skipped => None,
        Kind::Embedded => Some(check_embedded(container, field, &ty, paths)),
        Kind::Column(column) => Some(check_column(container, field, column, &ty, paths)),
    }
}

fn check_embedded(
    container: &Container<'_>,
    field: &Field<'_>,
    ty: &TokenStream,
    paths: &Paths<'_>,
) -> TokenStream {
    let span = field.span;
    let p = paths.private(span);
    let table = &container.table;
    // Rustc shows what is the user's without the derive.
    let unit = quote_spanned!(field.original.ty.span()=> ());
    quote_spanned! {span=>
        <#unit as #p::Embeds<<#ty as #p::Fields>::Table, #table::table>>::CHECK,
    }
}

fn check_column(
    container: &Container<'_>,
    field: &Field<'_>,
    column: &Column,
    ty: &TokenStream,
    paths: &Paths<'_>,
) -> TokenStream {
    let span = field.span;
    let p = paths.private(span);
    let st = paths.sql_type(field, column);
    let how = how(container, field, column, paths);
    match backends(container) {
        Some(CheckForBackend::Disabled) => TokenStream::new(),
        Some(CheckForBackend::Backends(backends)) => quote_spanned! {span=>
            #(<#ty as #p::Bind<#st, #how, #backends>>::CHECK,)*
        },
        None => quote_spanned! {span=>
            <#ty as #p::BindOnAny<#st, { #p::binds_on_any!(#ty, #st, #how) }>>::CHECK,
        },
    }
}

/// The second parameter of `Bind`.
pub(crate) fn how(
    container: &Container<'_>,
    field: &Field<'_>,
    column: &Column,
    paths: &Paths<'_>,
) -> TokenStream {
    if is_whole(container, field) {
        let p = paths.private(field.span);
        quote_spanned!(field.span=> #p::Whole)
    } else {
        paths.nullability(field, column)
    }
}

/// The kinds of conflict target that not every database has: the trait of
/// those that have it, and where it is asked for.
pub(crate) fn target_kinds(attrs: &StructAttrs) -> impl Iterator<Item = (&'static str, &Ident)> {
    let StructAttrs {
        constraint,
        target,
        target_where,
        ..
    } = attrs;
    let kinds = [
        (
            "SupportsConstraintTarget",
            constraint.as_ref().map(|it| &it.key),
        ),
        (
            "SupportsExpressionTarget",
            target.as_ref().map(|it| &it.key),
        ),
        (
            "SupportsPartialTarget",
            target_where.as_ref().map(|it| &it.key),
        ),
    ];
    let kinds = kinds.into_iter();
    kinds.filter_map(|(supports, key)| Some((supports, key?)))
}

fn check_target<'a>(
    container: &'a Container<'_>,
    paths: &'a Paths<'_>,
) -> impl Iterator<Item = TokenStream> + use<'a> {
    target_kinds(&container.attrs).map(|(supports, key)| {
        let span = Span::mixed_site().located_at(key.span());
        let p = paths.private(span);
        let supports = Ident::new(supports, span);
        match backends(container) {
            Some(CheckForBackend::Disabled) => TokenStream::new(),
            Some(CheckForBackend::Backends(backends)) => {
                let backends = backends.iter();
                let backends = backends.map(|it| tokens::located_at(it.to_token_stream(), span));
                quote_spanned!(span=> #(<#backends as #p::#supports>::CHECK,)*)
            }
            None => quote_spanned!(span=> <#p::MostCapable as #p::#supports>::CHECK,),
        }
    })
}

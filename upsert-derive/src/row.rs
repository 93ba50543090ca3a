//! Where a row has the values of its columns, and in which order.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::quote_spanned;
use syn::{Index, Type};

use crate::ast::{Container, Field, Kind};
use crate::paths::{Paths, site};
use crate::ty;

/// The place that holds what is written to the column.
pub(crate) fn value(field: &Field<'_>, slot: &Index, paths: &Paths<'_>) -> TokenStream {
    let span = field.span;
    let (references, _) = ty::peel_references(field.written_ty());
    let stars = (0..references).map(|_| quote_spanned!(span=> *));
    if field.default().is_some() {
        let p = paths.private(span);
        let member = &field.member;
        return quote_spanned! {span=>
            *match &self.#member {
                #p::core::option::Option::None => &__upsert_converted.#slot,
                __upsert_value => __upsert_value,
            }
        };
    }
    if field.is_converted() {
        quote_spanned!(span=> #(#stars)*__upsert_converted.#slot)
    } else {
        let member = &field.member;
        quote_spanned!(span=> #(#stars)*self.#member)
    }
}

/// The fields with their places in `Fields::Converted`, which mean nothing for
/// those that are not there.
pub(crate) fn with_slots<'a>(
    container: &'a Container<'a>,
) -> impl Iterator<Item = (&'a Field<'a>, Index)> {
    let mut next = 0;
    container.fields.iter().map(move |field| {
        let index = next;
        next += u32::from(field.is_converted());
        let span = field.span;
        (field, Index { index, span })
    })
}

pub(crate) fn embedded_ty<'a>(field: &'a Field<'_>) -> &'a Type {
    ty::peel_references(&field.original.ty).1
}

pub(crate) fn embedded_value(field: &Field<'_>, receiver: &Ident) -> TokenStream {
    let span = field.span;
    let member = &field.member;
    let (references, _) = ty::peel_references(&field.original.ty);
    let stars = (0..references).map(|_| quote_spanned!(span=> *));
    quote_spanned!(span=> &#(#stars)*#receiver.#member)
}

/// Is the type of an `embed` field known here, so that it is checked by itself? A type
/// parameter may stand for a reference, which is no model.
pub(crate) fn is_known(container: &Container<'_>, field: &Field<'_>) -> bool {
    ty::known(&field.original.ty, &container.original.generics).is_some()
}

/// An embedded struct, whose methods are where [`embedded_binds`] says.
pub(crate) fn embedded_model(
    container: &Container<'_>,
    field: &Field<'_>,
    paths: &Paths<'_>,
) -> TokenStream {
    let value = embedded_value(field, &Ident::new("self", field.span));
    if is_known(container, field) {
        return value;
    }
    let p = paths.private(field.span);
    let inner = embedded_ty(field);
    quote_spanned!(field.span=> <#inner as #p::Fields>::as_model(#value))
}

/// Where the methods of `BindFields` are for an embedded struct.
pub(crate) fn embedded_binds(
    container: &Container<'_>,
    field: &Field<'_>,
    paths: &Paths<'_>,
    db: &Ident,
) -> TokenStream {
    let p = paths.private(field.span);
    let inner = embedded_ty(field);
    if is_known(container, field) {
        quote_spanned!(field.span=> <#inner as #p::BindFields<#db>>)
    } else {
        quote_spanned!(field.span=> <#db as #p::Upserts<<#inner as #p::Fields>::Model>>)
    }
}

/// A constant expression.
pub(crate) fn embedded_count(field: &Field<'_>, paths: &Paths<'_>) -> TokenStream {
    let p = paths.private(field.span);
    let inner = embedded_ty(field);
    quote_spanned!(field.span=> #p::count_columns(<#inner as #p::Fields>::FIELDS))
}

/// For each field, the position of its first column: `__upsert_first` and
/// those before it.
pub(crate) fn positions(container: &Container<'_>, paths: &Paths<'_>) -> Vec<TokenStream> {
    let mut columns: usize = 0;
    let mut embedded = Vec::new();
    let positions = container.fields.iter().map(|field| {
        let position = offset(columns, &embedded);
        match field.kind {
            Kind::Skipped => {}
            Kind::Embedded => embedded.push(embedded_count(field, paths)),
            Kind::Column(_) => columns += 1,
        }
        position
    });
    positions.collect()
}

fn offset(columns: usize, embedded: &[TokenStream]) -> TokenStream {
    let columns = (columns > 0).then(|| Literal::usize_unsuffixed(columns));
    match (columns, embedded) {
        (None, []) => quote_spanned!(site()=> __upsert_first),
        (Some(columns), []) => quote_spanned!(site()=> __upsert_first + #columns),
        (None, _) => quote_spanned!(site()=> __upsert_first + const { #(#embedded)+* }),
        (Some(columns), _) => {
            quote_spanned!(site()=> __upsert_first + const { #columns #(+ #embedded)* })
        }
    }
}

//! `impl Fields`: the columns, and which of them a row supplies.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};

use crate::ast::{Column, Container, Field, Kind, NoneMeans};
use crate::paths::{Paths, site};
use crate::tokens::find_ident;
use crate::{bound, rewrite, row, ty};

/// `impl Fields`.
pub(crate) fn expand(container: &Container<'_>, paths: &Paths<'_>) -> TokenStream {
    let p = paths.private(site());
    let name = &container.original.ident;
    let table = &container.table;
    let (impl_generics, ty_generics, _) = container.original.generics.split_for_impl();
    let where_clause = bound::for_fields(container, paths);
    let converted = converted_tys(container, paths);
    let defs = field_defs(container, paths);
    let conversions: Vec<_> = container
        .fields
        .iter()
        .filter_map(|it| conversion(container, it, paths))
        .collect();
    // Clippy minds a `()` that is written down.
    let conversions =
        (!conversions.is_empty()).then(|| quote_spanned!(site()=> (#(#conversions,)*)));
    let supplied = supplied(container, paths);
    let convert_self = convert_self(container, site());
    let allow = allow_in_default(container);
    quote_spanned! {site()=>
        #[automatically_derived]
        impl #impl_generics #p::Fields for #name #ty_generics #where_clause {
            type Table = #table::table;

            type Model = Self;

            type Converted = #converted;

            const FIELDS: &'static [#p::FieldDef] = &[#(#defs),*];

            fn as_model(&self) -> &Self {
                self
            }

            #allow
            fn convert(&#convert_self) -> <Self as #p::Fields>::Converted {
                #conversions
            }

            fn supplied(
                &self,
                __upsert_converted: &<Self as #p::Fields>::Converted,
                __upsert_first: #p::core::primitive::usize,
                __upsert_supplied: &mut #p::Supplied,
            ) {
                #(#supplied)*
            }
        }
    }
}

/// `Fields::Converted`: an element for each field that [`Field::is_converted`].
fn converted_tys(container: &Container<'_>, paths: &Paths<'_>) -> TokenStream {
    let converted = container.fields.iter().filter(|it| it.is_converted());
    let tys = converted.map(|field| match field.kind {
        Kind::Embedded => {
            let p = paths.private(field.span);
            let inner = row::embedded_ty(field);
            quote_spanned!(field.span=> <#inner as #p::Fields>::Converted)
        }
        // A default has the type of its field: `None` where it is not used.
        Kind::Skipped | Kind::Column(_) => field.written_ty().to_token_stream(),
    });
    quote_spanned!(site()=> (#(#tys,)*))
}

/// The receiver of `Fields::convert`, which is the `self` of the user's
/// expressions in it. A struct made by a `macro_rules!` macro may have it from
/// the macro's caller.
fn convert_self(container: &Container<'_>, span: Span) -> Ident {
    let defaults = container.fields.iter().filter_map(Field::default);
    let written = defaults
        .filter_map(|default| find_ident(default.to_token_stream(), &|ident| ident == "self"));
    let site = written.map(|ident| ident.span()).next();
    let site = site.unwrap_or_else(Span::call_site);
    Ident::new("self", site.located_at(span))
}

// In `default = (a + b)`, rustc would mind the parentheses.
fn allow_in_default(container: &Container<'_>) -> Option<TokenStream> {
    let mut defaults = container.fields.iter().filter_map(Field::default);
    let allow = quote_spanned!(site()=> #[allow(unused_parens, unused_braces)]);
    defaults.next().map(|_| allow)
}

fn conversion(
    container: &Container<'_>,
    field: &Field<'_>,
    paths: &Paths<'_>,
) -> Option<TokenStream> {
    let p = paths.private(field.span);
    let span = field.span;
    let member = &field.member;
    let receiver = convert_self(container, span);
    if let Kind::Embedded = field.kind {
        let inner = row::embedded_ty(field);
        let value = row::embedded_value(field, &receiver);
        return Some(quote_spanned!(span=> <#inner as #p::Fields>::convert(#value)));
    }
    if let Some(default) = field.default() {
        let default = rewrite::grouped(default);
        // It is a value of the type that the field names, and not yet an
        // argument of `Some`, of which rustc would tell too.
        let ty = ty::inside_of_option(field.written_ty());
        let ty = ty.map(|ty| quote_spanned!(span=> : #ty));
        return Some(quote_spanned! {span=>
            match &#receiver.#member {
                #p::core::option::Option::None => {
                    let __upsert_default #ty = #default;
                    #p::core::option::Option::Some(__upsert_default)
                }
                _ => #p::core::option::Option::None,
            }
        });
    }
    let ty = &field.original.ty;
    let written = field.written_ty();
    field.is_converted().then(|| {
        quote_spanned! {span=>
            <#ty as #p::core::convert::Into<#written>>::into(
                <#ty as #p::core::clone::Clone>::clone(&#receiver.#member),
            )
        }
    })
}

/// The elements of `Fields::FIELDS`.
pub(crate) fn field_defs<'a>(
    container: &'a Container<'_>,
    paths: &'a Paths<'_>,
) -> impl Iterator<Item = TokenStream> + use<'a> {
    container.fields.iter().filter_map(move |field| {
        let span = field.span;
        let p = paths.private(span);
        match &field.kind {
            Kind::Skipped => None,
            Kind::Embedded => {
                let inner = row::embedded_ty(field);
                Some(quote_spanned! {span=>
                    #p::FieldDef::Embedded(<#inner as #p::Fields>::FIELDS)
                })
            }
            Kind::Column(column) => {
                let rule = Ident::new(column.rule.variant(), span);
                let key = column.is_key.then(|| quote_spanned!(span=> .key()));
                let column = paths.column(field, column);
                Some(quote_spanned! {span=>
                    #p::FieldDef::Column(#p::ColumnDef::of::<#column>(#p::Rule::#rule)#key)
                })
            }
        }
    })
}

/// The statements of `Fields::supplied`.
fn supplied(container: &Container<'_>, paths: &Paths<'_>) -> Vec<TokenStream> {
    let fields = row::with_slots(container).zip(row::positions(container, paths));
    let statements = fields.filter_map(|((field, slot), position)| {
        let span = field.span;
        let p = paths.private(span);
        match &field.kind {
            Kind::Skipped => None,
            Kind::Embedded => {
                let inner = row::embedded_ty(field);
                let value = row::embedded_value(field, &Ident::new("self", span));
                Some(quote_spanned! {span=>
                    <#inner as #p::Fields>::supplied(
                        #value,
                        &__upsert_converted.#slot,
                        #position,
                        __upsert_supplied,
                    );
                })
            }
            Kind::Column(column) => {
                let insert = quote_spanned! {span=>
                    #p::Supplied::insert(__upsert_supplied, #position);
                };
                let condition = is_supplied(container, field, column, paths, &slot);
                let otherwise = field.default().map(|_| {
                    quote_spanned! {span=>
                        else { #p::Supplied::insert_default(__upsert_supplied, #position); }
                    }
                });
                Some(match condition {
                    Some(condition) => {
                        quote_spanned!(span=> if #condition { #insert } #otherwise)
                    }
                    None => insert,
                })
            }
        }
    });
    statements.collect()
}

/// When a row supplies the column; `None` where each row does.
fn is_supplied(
    container: &Container<'_>,
    field: &Field<'_>,
    column: &Column,
    paths: &Paths<'_>,
    slot: &syn::Index,
) -> Option<TokenStream> {
    let p = paths.private(field.span);
    let span = field.span;
    let none_means = container.none_means(field);
    if !field.is_option() || none_means == NoneMeans::Null {
        return None;
    }
    if field.default().is_some() {
        let member = &field.member;
        return Some(quote_spanned!(span=> #p::core::option::Option::is_some(&self.#member)));
    }
    let value = row::value(field, slot, paths);
    let is_some = quote_spanned!(span=> #p::core::option::Option::is_some(&#value));
    Some(if none_means == NoneMeans::NotSupplied {
        is_some
    } else {
        let nullability = paths.nullability(field, column);
        quote_spanned!(span=> #is_some || <#nullability as #p::Nullability>::NULLABLE)
    })
}

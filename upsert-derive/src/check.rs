//! The rules that need the table's primary key or the embedded structs: the
//! macro sees neither, so rustc checks them as constants.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote_spanned;

use crate::ast::{Container, Kind, Rule};
use crate::attr::ConflictRule;
use crate::expand::{Paths, field_defs};
use crate::symbol;

pub(crate) struct Checks {
    /// The value of `Upsertable::CHECK`.
    pub(crate) inside: TokenStream,
    /// Items beside the impls, so that a check fails whether or not the model
    /// is used.
    pub(crate) beside: TokenStream,
}

pub(crate) fn checks(container: &Container<'_>, paths: &Paths<'_>) -> Checks {
    let p = paths.private(site());
    if container.has_embedded() {
        let mut asserts = vec![target(container, paths), action(container, paths)];
        asserts.extend(primary_key_updates(container, paths));
        let fields = quote_spanned!(site()=> <Self as #p::Fields>::FIELDS);
        Checks {
            inside: block(paths, &fields, &asserts),
            beside: use_check(container, paths),
        }
    } else if container.has_rule(Rule::Key) {
        // The macro has seen all there is to see.
        Checks {
            inside: TokenStream::new(),
            beside: TokenStream::new(),
        }
    } else {
        let mut asserts = vec![target(container, paths)];
        asserts.extend(primary_key_updates(container, paths));
        asserts.extend(update_all_of_primary_key(container, paths));
        let fields = quote_spanned!(site()=> __UPSERT_FIELDS);
        let block = block(paths, &fields, &asserts);
        // The columns do not depend on the struct's parameters, so that this
        // can stand outside of the impl.
        let defs = field_defs(container, paths);
        Checks {
            inside: TokenStream::new(),
            beside: quote_spanned! {site()=>
                const __UPSERT_FIELDS: &[#p::FieldDef] = &[#(#defs),*];

                const _: () = { #block };
            },
        }
    }
}

fn site() -> Span {
    Span::mixed_site()
}

/// The assertions in order: the first that fails is shown, and those after it
/// can rely on those before.
fn block(paths: &Paths<'_>, fields: &TokenStream, asserts: &[TokenStream]) -> TokenStream {
    let primary_key = paths.primary_key();
    quote_spanned! {site()=>
        let __upsert_fields = #fields;
        let __upsert_primary_key = #primary_key;
        #(#asserts)*
    }
}

/// Evaluates `CHECK` where the model is declared, which a generic model's
/// cannot be.
fn use_check(container: &Container<'_>, paths: &Paths<'_>) -> TokenStream {
    let p = paths.private(site());
    let name = &container.original.ident;
    let generics = &container.original.generics;
    let is_generic =
        generics.type_params().next().is_some() || generics.const_params().next().is_some();
    if is_generic {
        return TokenStream::new();
    }
    let lifetimes = generics.lifetimes().map(|_| quote_spanned!(site()=> '_));
    quote_spanned! {site()=>
        const _: () = <#name<#(#lifetimes),*> as #p::Upsertable>::CHECK;
    }
}

/// Without `#[conflict_key]`, the model has the columns of the primary key.
fn target(container: &Container<'_>, paths: &Paths<'_>) -> TokenStream {
    let name = &container.original.ident;
    let has_primary_key = has_primary_key(paths);
    let condition = if container.has_embedded() {
        let has_key = has_rule(paths, "Key");
        quote_spanned!(site()=> #has_key || #has_primary_key)
    } else {
        has_primary_key
    };
    let message = format!(
        "`{name}` has no conflict target\n\
         note: the database needs one unique index to decide whether a row already exists\n\
         help: mark the fields of that index with `{}`, or add those of the primary key",
        symbol::CONFLICT_KEY.form,
    );
    assert_that(paths, name.span(), &condition, &message)
}

/// The model or a struct embedded in it says what happens to rows that exist.
fn action(container: &Container<'_>, paths: &Paths<'_>) -> TokenStream {
    let name = &container.original.ident;
    let has_update = has_rule(paths, "Update");
    let do_nothing_form = symbol::DO_NOTHING.form;
    if let Some(do_nothing) = &container.attrs.do_nothing {
        let message = format!(
            "`{do_nothing}` cannot be combined with the update rule of a struct embedded in `{name}`"
        );
        let condition = quote_spanned!(site()=> !#has_update);
        assert_that(paths, do_nothing.span(), &condition, &message)
    } else {
        let message = format!(
            "neither `{name}` nor a struct embedded in it says what happens to rows that exist\n\
             note: `{do_nothing_form}` skips them\n\
             help: write `{}` on the fields to update, or `{}`",
            symbol::UPDATE.form,
            symbol::UPDATE_ALL.form,
        );
        assert_that(paths, name.span(), &has_update, &message)
    }
}

/// No `#[on_conflict(update)]` is on a column of the primary key, where that
/// is the target.
fn primary_key_updates(container: &Container<'_>, paths: &Paths<'_>) -> Vec<TokenStream> {
    let name = &container.original.ident;
    let updated = updated_fields(container).filter_map(|(position, index)| {
        let field = &container.fields[index];
        let rule = field.attrs.on_conflict.as_ref()?.rule.as_ref()?;
        if rule.value != ConflictRule::Update {
            return None;
        }
        let is_outside = is_outside_primary_key(paths, position);
        let condition = if container.has_embedded() {
            let has_key = has_rule(paths, "Key");
            quote_spanned!(site()=> #has_key || #is_outside)
        } else {
            is_outside
        };
        let field = field.name();
        let message = format!(
            "`{field}` is in the conflict target of `{name}`, so it is never updated\n\
             note: without `{}`, the target is the primary key\n\
             help: remove `{}` from `{field}`",
            symbol::CONFLICT_KEY.form,
            symbol::UPDATE.form,
        );
        Some(assert_that(paths, rule.key.span(), &condition, &message))
    });
    updated.collect()
}

/// `update_all` leaves a column to update, where the primary key is the target.
fn update_all_of_primary_key(container: &Container<'_>, paths: &Paths<'_>) -> Option<TokenStream> {
    let update_all = container.attrs.update_all.as_ref()?;
    let name = &container.original.ident;
    let outside =
        updated_fields(container).map(|(position, _)| is_outside_primary_key(paths, position));
    let condition = quote_spanned!(site()=> #(#outside)||*);
    let message = format!(
        "`{name}` has nothing to update\n\
         note: without `{}`, the primary key is the conflict target and never updated\n\
         help: write `{}` to skip the rows that exist",
        symbol::CONFLICT_KEY.form,
        symbol::DO_NOTHING.form,
    );
    Some(assert_that(paths, update_all.span(), &condition, &message))
}

/// The positions in `Fields::FIELDS` of the struct's own columns that are
/// updated, and the indices of their fields.
fn updated_fields(container: &Container<'_>) -> impl Iterator<Item = (usize, usize)> {
    let fields = container.fields.iter().enumerate();
    fields
        .filter(|(_, field)| !matches!(field.kind, Kind::Skipped))
        .enumerate()
        .filter_map(|(position, (index, field))| match &field.kind {
            Kind::Column(column) if column.rule == Rule::Update => Some((position, index)),
            _ => None,
        })
}

/// All fields together have the columns of the primary key. All but one have
/// them too, if that one is not among them.
fn is_outside_primary_key(paths: &Paths<'_>, position: usize) -> TokenStream {
    let p = paths.private(site());
    let before = Literal::usize_unsuffixed(position);
    let after = Literal::usize_unsuffixed(position + 1);
    quote_spanned! {site()=>
        #p::has_columns(
            &[
                #p::FieldDef::Embedded(__upsert_fields.split_at(#before).0),
                #p::FieldDef::Embedded(__upsert_fields.split_at(#after).1),
            ],
            __upsert_primary_key,
        )
    }
}

fn has_primary_key(paths: &Paths<'_>) -> TokenStream {
    let p = paths.private(site());
    quote_spanned!(site()=> #p::has_columns(__upsert_fields, __upsert_primary_key))
}

fn has_rule(paths: &Paths<'_>, rule: &str) -> TokenStream {
    let p = paths.private(site());
    let rule = Ident::new(rule, site());
    quote_spanned!(site()=> #p::has_rule(__upsert_fields, #p::Rule::#rule))
}

/// An assertion that shows at `span`.
fn assert_that(
    paths: &Paths<'_>,
    span: Span,
    condition: &TokenStream,
    message: &str,
) -> TokenStream {
    let span = site().located_at(span);
    let p = paths.private(span);
    quote_spanned!(span=> #p::core::assert!(#condition, "{}", #message);)
}

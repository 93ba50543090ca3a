//! The rules that need the table's primary key or the embedded structs: the
//! macro sees neither, so rustc checks them as constants.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote_spanned;

use crate::ast::{Container, Kind};
use crate::attr::{ConflictRule, Keyed};
use crate::fields::field_defs;
use crate::guard::NewerBy;
use crate::paths::{Paths, site};
use crate::rule::Rule;
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
        let asserts = with_embedded(container, paths);
        // What depends on the struct's parameters is checked where it is used.
        let Some(model) = without_parameters(container) else {
            let fields = quote_spanned!(site()=> <Self as #p::Fields>::FIELDS);
            return Checks {
                inside: block(paths, &fields, &asserts),
                beside: TokenStream::new(),
            };
        };
        let fields = quote_spanned!(site()=> <#model as #p::Fields>::FIELDS);
        let block = block(paths, &fields, &asserts);
        return Checks {
            inside: TokenStream::new(),
            beside: quote_spanned!(site()=> const _: () = { #block };),
        };
    }
    // The columns do not depend on the struct's parameters, so that this can
    // stand outside of the impl.
    let asserts = of_primary_key(container, paths);
    let beside = (!asserts.is_empty()).then(|| {
        let block = block(paths, &quote_spanned!(site()=> __UPSERT_FIELDS), &asserts);
        let defs = field_defs(container, paths);
        quote_spanned! {site()=>
            const __UPSERT_FIELDS: &[#p::FieldDef] = &[#(#defs),*];

            const _: () = { #block };
        }
    });
    Checks {
        inside: TokenStream::new(),
        beside: beside.unwrap_or_default(),
    }
}

/// Where some of the columns are in other structs.
fn with_embedded(container: &Container<'_>, paths: &Paths<'_>) -> Vec<TokenStream> {
    let mut asserts = Vec::new();
    if !container.attrs.has_target() {
        asserts.push(target(container, paths));
    }
    asserts.extend(action(container, paths));
    asserts.extend(compared(container, paths));
    asserts.extend(assigned_outside(container, paths));
    if !container.attrs.has_target() {
        asserts.extend(primary_key_updates(container, paths));
        asserts.extend(primary_key_guard(container, paths));
    }
    asserts.push(repeated_column(container, paths));
    asserts
}

/// Where the struct has all the columns, and the primary key is the target.
fn of_primary_key(container: &Container<'_>, paths: &Paths<'_>) -> Vec<TokenStream> {
    if !container.targets_primary_key() {
        // The macro has seen all there is to see.
        return Vec::new();
    }
    let mut asserts = vec![target(container, paths)];
    asserts.extend(primary_key_updates(container, paths));
    asserts.extend(update_all_of_primary_key(container, paths));
    asserts.extend(compared_outside_primary_key(container, paths));
    asserts.extend(primary_key_guard(container, paths));
    asserts
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

/// The model as a type, where it has no parameters but lifetimes.
fn without_parameters(container: &Container<'_>) -> Option<TokenStream> {
    let name = &container.original.ident;
    let generics = &container.original.generics;
    let is_generic =
        generics.type_params().next().is_some() || generics.const_params().next().is_some();
    let lifetimes = generics.lifetimes().map(|_| quote_spanned!(site()=> '_));
    (!is_generic).then(|| quote_spanned!(site()=> #name<#(#lifetimes),*>))
}

/// No embedded struct has a column that the model or another one has.
fn repeated_column(container: &Container<'_>, paths: &Paths<'_>) -> TokenStream {
    let name = &container.original.ident;
    let repeats = of_fields(paths, "repeats_column");
    let message = format!(
        "a column is written twice, by `{name}` and by a struct that it embeds\n\
         help: remove the field from one of them, or mark it `{}`",
        symbol::SKIP_INSERTION.form,
    );
    assert_that(
        paths,
        name.span(),
        &quote_spanned!(site()=> !#repeats),
        &message,
    )
}

/// Without `#[conflict_key]`, the model has the columns of the primary key.
fn target(container: &Container<'_>, paths: &Paths<'_>) -> TokenStream {
    let name = &container.original.ident;
    let has_primary_key = has_primary_key(paths);
    let condition = if container.has_embedded() {
        let has_key = of_fields(paths, "has_key");
        quote_spanned!(site()=> #has_key || #has_primary_key)
    } else {
        has_primary_key
    };
    let message = format!(
        "`{name}` has no conflict target\n\
         note: the database needs one unique index to decide whether a row already exists\n\
         help: mark the fields of that index with `{}`, or add those of the primary key; where \
         other models embed `{name}`, write `{}`",
        symbol::CONFLICT_KEY.form,
        symbol::EMBEDDED.form,
    );
    assert_that(paths, name.span(), &condition, &message)
}

/// The model or a struct embedded in it says what happens to rows that exist.
fn action(container: &Container<'_>, paths: &Paths<'_>) -> Option<TokenStream> {
    let name = &container.original.ident;
    let has_update = of_fields(paths, "has_update");
    let do_nothing_form = symbol::DO_NOTHING.form;
    if let Some(do_nothing) = &container.attrs.do_nothing {
        let message = format!(
            "`{do_nothing}` cannot be combined with the update rule of a struct embedded in `{name}`"
        );
        let condition = quote_spanned!(site()=> !#has_update);
        Some(assert_that(paths, do_nothing.span(), &condition, &message))
    } else if container.has_update() {
        None
    } else {
        let message = format!(
            "neither `{name}` nor a struct embedded in it says what happens to rows that exist\n\
             note: `{do_nothing_form}` skips them\n\
             help: write `{}` on the fields to update, or `{}`",
            symbol::UPDATE.form,
            symbol::UPDATE_ALL.form,
        );
        Some(assert_that(paths, name.span(), &has_update, &message))
    }
}

/// What is touched is touched where something else changes.
fn compared(container: &Container<'_>, paths: &Paths<'_>) -> Option<TokenStream> {
    if container.attrs.do_nothing.is_some() || container.has_compared() {
        return None;
    }
    let name = &container.original.ident;
    let message = format!(
        "neither `{name}` nor a struct embedded in it has a column to compare\n\
         note: what is marked `{touch}` is updated where another updated column changes\n\
         help: write `{}` on the fields to update",
        symbol::UPDATE.form,
        touch = symbol::TOUCH,
    );
    let condition = of_fields(paths, "has_compared");
    let span = container.touch().map_or(name.span(), Ident::span);
    Some(assert_that(paths, span, &condition, &message))
}

/// `set(..)` and `touch(..)` are for columns that the model does not have.
fn assigned_outside(container: &Container<'_>, paths: &Paths<'_>) -> Vec<TokenStream> {
    let name = &container.original.ident;
    let p = paths.private(site());
    let asserts = container.attrs.assignments().map(|(_, key, it)| {
        let written = &it.column;
        let span = site().located_at(written.span());
        let column = paths.column_at(span, written);
        let condition = quote_spanned! {span=>
            !#p::has_columns(__upsert_fields, &[<#column as #p::diesel::Column>::NAME])
        };
        let message = format!(
            "column `{written}` of `{key}` is a field of a struct embedded in `{name}`\n\
             help: write the rule on that field",
        );
        assert_that(paths, written.span(), &condition, &message)
    });
    asserts.collect()
}

/// No rule but `keep` is written at a column of the primary key, where that is
/// the target.
fn primary_key_updates(container: &Container<'_>, paths: &Paths<'_>) -> Vec<TokenStream> {
    let name = &container.original.ident;
    let updated = columns_with(container, Rule::is_update).filter_map(|(position, index)| {
        let field = &container.fields[index];
        let rule = field.written_rule()?;
        let condition = unless_keyed(container, paths, is_outside_primary_key(paths, position));
        let field = field.name();
        let message = format!(
            "`{field}` is in the conflict target of `{name}`, so it is never updated\n\
             note: without `{}`, the target is the primary key\n\
             help: remove `{}` from `{field}`",
            symbol::CONFLICT_KEY.form,
            rule_form(rule),
        );
        Some(assert_that(paths, rule.key.span(), &condition, &message))
    });
    updated.collect()
}

/// The attribute as it is written, but for the expression.
fn rule_form(rule: &Keyed<ConflictRule>) -> String {
    let (on_conflict, word) = (symbol::ON_CONFLICT, &rule.key);
    let value = rule.value.expression.as_ref().map_or("", |_| " = ..");
    format!("#[{on_conflict}({word}{value})]")
}

/// `update_all` leaves a column to update, where the primary key is the target.
fn update_all_of_primary_key(container: &Container<'_>, paths: &Paths<'_>) -> Option<TokenStream> {
    let update_all = container.attrs.update_all.as_ref()?;
    if container.attrs.assignments().next().is_some() {
        return None;
    }
    let name = &container.original.ident;
    let message = format!(
        "`{name}` has nothing to update\n\
         note: without `{}`, the primary key is the conflict target and never updated\n\
         help: write `{}` to skip the rows that exist",
        symbol::CONFLICT_KEY.form,
        symbol::DO_NOTHING.form,
    );
    let condition = any_outside_primary_key(container, paths, Rule::is_update);
    Some(assert_that(paths, update_all.span(), &condition, &message))
}

/// `update_all` leaves a column to compare with, too.
fn compared_outside_primary_key(
    container: &Container<'_>,
    paths: &Paths<'_>,
) -> Option<TokenStream> {
    let touch = container.touch()?;
    if container.attrs.update_all.is_none() || container.attrs.set.is_some() {
        return None;
    }
    let name = &container.original.ident;
    let message = format!(
        "`{touch}` needs a column to compare, and `{name}` has none\n\
         note: without `{}`, the primary key is the conflict target and never updated\n\
         help: write `{}` on the fields to compare",
        symbol::CONFLICT_KEY.form,
        symbol::UPDATE.form,
    );
    let condition = any_outside_primary_key(container, paths, Rule::is_compared);
    Some(assert_that(paths, touch.span(), &condition, &message))
}

/// The primary key is the same in both rows, where it is the target.
fn primary_key_guard(container: &Container<'_>, paths: &Paths<'_>) -> Option<TokenStream> {
    let (key, _) = container.attrs.newer_by()?;
    let (index, field) = container.field(&key.value)?;
    let position = container.position_in_fields(index);
    let condition = unless_keyed(container, paths, is_outside_primary_key(paths, position));
    let written = &key.key;
    let message = format!(
        "`{written}` compares `{field}`, which is in the conflict target\n\
         note: without `{}`, the target is the primary key",
        symbol::CONFLICT_KEY.form,
        field = field.name(),
    );
    Some(assert_that(paths, key.key.span(), &condition, &message))
}

/// The primary key is not the target where an embedded struct has keys.
fn unless_keyed(
    container: &Container<'_>,
    paths: &Paths<'_>,
    condition: TokenStream,
) -> TokenStream {
    if container.has_embedded() {
        let has_key = of_fields(paths, "has_key");
        quote_spanned!(site()=> #has_key || #condition)
    } else {
        condition
    }
}

/// The rules that only some SQL types have.
pub(crate) fn rules(container: &Container<'_>, paths: &Paths<'_>) -> TokenStream {
    let typed = container.columns().filter_map(|(field, column)| {
        let written = field.written_rule()?;
        let variant = column.rule.is_typed().then(|| column.rule.variant())?;
        Some((variant, &column.ident, written.key.span()))
    });
    let newer = NewerBy::of(container).map(|it| ("Newer", &it.column.ident, it.span));
    let checks = typed.chain(newer).map(|(rule, column, span)| {
        let span = site().located_at(span);
        let p = paths.private(span);
        let rule = Ident::new(rule, span);
        let st = paths.sql_type_of(column);
        quote_spanned! {span=>
            const _: #p::Rule = <#p::rule::#rule as #p::rule::RuleFor<#st>>::RULE;
        }
    });
    checks.collect()
}

/// The positions in `Fields::FIELDS` of the struct's own columns whose rule
/// `is`, and the indices of their fields.
fn columns_with(
    container: &Container<'_>,
    is: fn(Rule) -> bool,
) -> impl Iterator<Item = (usize, usize)> {
    let fields = container.fields.iter().enumerate();
    fields.filter_map(move |(index, field)| match &field.kind {
        Kind::Column(column) if is(column.rule) => {
            Some((container.position_in_fields(index), index))
        }
        _ => None,
    })
}

fn any_outside_primary_key(
    container: &Container<'_>,
    paths: &Paths<'_>,
    is: fn(Rule) -> bool,
) -> TokenStream {
    let columns = columns_with(container, is);
    let outside = columns.map(|(position, _)| is_outside_primary_key(paths, position));
    quote_spanned!(site()=> #(#outside)||*)
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

/// One of the core's functions of the fields.
fn of_fields(paths: &Paths<'_>, function: &str) -> TokenStream {
    let p = paths.private(site());
    let function = Ident::new(function, site());
    quote_spanned!(site()=> #p::#function(__upsert_fields))
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

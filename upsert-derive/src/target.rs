//! Conflict targets that are not the marked columns.

use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt;

use crate::ast::Container;
use crate::attr::NamedTarget;
use crate::paths::{Paths, site};
use crate::tokens;

/// `Upsertable::TARGET`.
pub(crate) fn constant(container: &Container<'_>, paths: &Paths<'_>) -> Option<TokenStream> {
    let p = paths.private(site());
    let target = if let Some(constraint) = &container.attrs.constraint {
        let name = &constraint.value;
        quote_spanned!(site()=> #p::TargetDef::Constraint(#name))
    } else if container.attrs.target.is_some() {
        quote_spanned!(site()=> #p::TargetDef::Expressions)
    } else {
        return None;
    };
    Some(quote_spanned!(site()=> const TARGET: #p::TargetDef = #target;))
}

/// The functions of `targets(..)`, but for those that are errors:
///
/// ```text
/// pub fn by_source() -> (users::source, users::external_id) {
///     (users::source, users::external_id)
/// }
/// ```
pub(crate) fn functions(container: &Container<'_>, paths: &Paths<'_>) -> Option<TokenStream> {
    let targets = container.attrs.targets.as_ref()?;
    let name = &container.original.ident;
    let (impl_generics, ty_generics, where_clause) = container.original.generics.split_for_impl();
    let mut names = HashSet::new();
    let targets = targets.value.iter().filter(|it| {
        let is_new = names.insert(it.name.unraw());
        let mut columns = it.columns.iter();
        is_new && columns.all(|column| container.column(column).is_some())
    });
    let functions: Vec<_> = targets.map(|it| function(it, container, paths)).collect();
    Some(quote_spanned! {site()=>
        #[automatically_derived]
        // A target need not be used, and is as public as the struct.
        #[allow(dead_code, unreachable_pub)]
        impl #impl_generics #name #ty_generics #where_clause {
            #(#functions)*
        }
    })
}

fn function(target: &NamedTarget, container: &Container<'_>, paths: &Paths<'_>) -> TokenStream {
    let NamedTarget { name, columns } = target;
    // rustc shows the whole head of a function.
    let span = site().located_at(name.span());
    let visibility = tokens::located_at(container.original.vis.to_token_stream(), span);
    let columns: Vec<_> = columns
        .iter()
        .map(|column| {
            let ident = match container.column(column) {
                Some((_, column)) => &column.ident,
                None => column,
            };
            paths.column_at(site().located_at(column.span()), ident)
        })
        .collect();
    let value = match &*columns {
        [one] => one.clone(),
        all => quote_spanned!(site()=> (#(#all,)*)),
    };
    let doc = format!("The conflict target `{name}`.");
    quote_spanned! {span=>
        #[doc = #doc]
        #[must_use]
        #visibility fn #name() -> #value {
            #value
        }
    }
}

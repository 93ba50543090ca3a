//! The impls. What comes here is valid, and nothing here fails.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{Generics, Lifetime, parse_quote};

use crate::ast::Container;
use crate::bound::{self, Binds};
use crate::expression::Expressions;
use crate::paths::{Paths, site};
use crate::tokens::find_ident;
use crate::{backend, check, fields, guard, hint, target, visit};

pub(crate) fn expand(container: &Container<'_>) -> TokenStream {
    let paths = Paths::new(container);
    let fields = fields::expand(container, &paths);
    let bind_fields = bind_fields(container, &paths);
    let rule_checks = check::rules(container, &paths);
    let hints = hint::imports(container, &paths);
    let backend_checks = backend::checks(container, &paths);
    let model = (container.attrs.embedded.is_none()).then(|| model(container, &paths));
    in_const(&quote_spanned! {site()=>
        #hints
        #fields
        #bind_fields
        #rule_checks
        #backend_checks
        #model
    })
}

/// What an embedded struct does not have.
fn model(container: &Container<'_>, paths: &Paths<'_>) -> TokenStream {
    let upsertable = upsertable(container, paths);
    let select_fields = select_fields(container, paths);
    let named_targets = target::functions(container, paths);
    quote_spanned! {site()=>
        #upsertable
        #select_fields
        #named_targets
    }
}

/// Keeps what is generated out of the user's namespace.
pub(crate) fn in_const(items: &TokenStream) -> TokenStream {
    quote_spanned! {site()=>
        #[doc(hidden)]
        // A deprecated field or struct is deprecated for whoever names it, and
        // the struct's own impls do not.
        #[allow(deprecated)]
        const _: () = {
            #items
        };
    }
}

/// `impl BindFields<DB>`.
fn bind_fields(container: &Container<'_>, paths: &Paths<'_>) -> TokenStream {
    let p = paths.private(site());
    let name = &container.original.ident;
    let table = &container.table;
    let db = database(container);
    let generics = with_db(&container.original.generics, &db);
    let (impl_generics, ..) = generics.split_for_impl();
    let (_, ty_generics, _) = container.original.generics.split_for_impl();
    let binds = Binds::new(container);
    let expressions = Expressions::new(container);
    let where_clause = bound::for_bind_fields(container, paths, &binds, &expressions, &db);
    let binds_trait = binds.items(paths);
    let expressions_trait = expressions.items(paths);
    let method = expressions.method(paths, &db);
    let b = Lifetime::new("'__upsert_b", site());
    let body = visit::body(container, paths, &binds, &db);
    quote_spanned! {site()=>
        #binds_trait

        #expressions_trait

        #[automatically_derived]
        impl #impl_generics #p::BindFields<#db> for #name #ty_generics #where_clause {
            type FromClause = <#table::table as #p::diesel::QuerySource>::FromClause;

            fn from_clause() -> <Self as #p::BindFields<#db>>::FromClause {
                #p::diesel::QuerySource::from_clause(&#table::table)
            }

            fn visit<#b, __UpsertV>(
                &#b self,
                __upsert_converted: &#b <Self as #p::Fields>::Converted,
                __upsert_position: #p::core::primitive::usize,
                __upsert_visitor: __UpsertV,
            ) -> <__UpsertV as #p::ValueVisitor<#b, #db>>::Output
            where
                __UpsertV: #p::ValueVisitor<#b, #db>,
            {
                // A model whose types are all known, or all unknown, needs one
                // of them.
                #[allow(unused_imports)]
                use #p::{AsPlain as _, AsUnknown as _};

                #body
            }

            #method
        }
    }
}

/// The parameter of `BindFields`, which rustc shows to users: a name of theirs,
/// unless the struct has it.
pub(crate) fn database(container: &Container<'_>) -> Ident {
    let name = "DB";
    let input = container.original.to_token_stream();
    let is_taken = find_ident(input, &|ident| ident == name).is_some();
    Ident::new(if is_taken { "__UpsertDB" } else { name }, site())
}

pub(crate) fn with_db(generics: &Generics, db: &Ident) -> Generics {
    let mut generics = generics.clone();
    generics.params.push(parse_quote!(#db));
    generics
}

/// `impl Upsertable`, and the checks that need the table.
fn upsertable(container: &Container<'_>, paths: &Paths<'_>) -> TokenStream {
    let p = paths.private(site());
    let name = &container.original.ident;
    let (impl_generics, ty_generics, _) = container.original.generics.split_for_impl();
    let where_clause = bound::for_fields(container, paths);
    let primary_key = paths.primary_key();
    let do_nothing = container.attrs.do_nothing.is_some();
    let skip_unchanged = skip_unchanged(container, paths);
    let newer_by = guard::newer_by(container, paths);
    let target = target::constant(container, paths);
    let check::Checks { inside, beside } = check::checks(container, paths);
    quote_spanned! {site()=>
        #[automatically_derived]
        impl #impl_generics #p::Upsertable for #name #ty_generics #where_clause {
            const PRIMARY_KEY: &'static [&'static #p::core::primitive::str] = #primary_key;

            const DO_NOTHING: #p::core::primitive::bool = #do_nothing;

            #skip_unchanged

            #newer_by

            #target

            const CHECK: () = { #inside };
        }

        #beside
    }
}

fn skip_unchanged(container: &Container<'_>, paths: &Paths<'_>) -> Option<TokenStream> {
    let p = paths.private(site());
    let skip_unchanged = container.attrs.skip_unchanged.as_ref();
    skip_unchanged.map(|_| {
        quote_spanned! {site()=>
            const SKIP_UNCHANGED: #p::core::primitive::bool = true;
        }
    })
}

/// `impl SelectFields`: the SQL types of the columns, where they can be told
/// without looking into another struct.
fn select_fields(container: &Container<'_>, paths: &Paths<'_>) -> Option<TokenStream> {
    if container.has_embedded() {
        return None;
    }
    let p = paths.private(site());
    let name = &container.original.ident;
    let (impl_generics, ty_generics, _) = container.original.generics.split_for_impl();
    let where_clause = bound::for_fields(container, paths);
    let columns = container.columns();
    let sql_types: Vec<_> = columns
        .map(|(field, column)| paths.sql_type(field, column))
        .collect();
    let sql_type = match &*sql_types {
        [one] => one.clone(),
        all => quote_spanned!(site()=> (#(#all,)*)),
    };
    Some(quote_spanned! {site()=>
        #[automatically_derived]
        impl #impl_generics #p::SelectFields for #name #ty_generics #where_clause {
            type SqlType = #sql_type;
        }
    })
}

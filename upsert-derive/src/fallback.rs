//! Impls that stand in for those of a struct with errors, so that its uses are
//! not errors too.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote_spanned};

use crate::ast::Container;
use crate::expand::{database, in_const, with_db};
use crate::paths::{Paths, site};
use crate::{hint, target, tokens};

/// The errors, and the impls.
pub(crate) fn expand(container: &Container<'_>, errors: &syn::Error) -> TokenStream {
    let errors = errors.to_compile_error();
    let input = container.original;
    let paths = Paths::new(container);
    let p = paths.private(site());
    let name = &input.ident;
    let db = database(container);
    let (impl_generics, ty_generics, where_clause) = input.generics.split_for_impl();
    let generics = with_db(&input.generics, &db);
    let (bind_impl_generics, ..) = generics.split_for_impl();
    let predicates = where_clause
        .map(|it| it.predicates.iter())
        .into_iter()
        .flatten();
    let named_targets = target::functions(container, &paths);
    let table = &container.table;
    let upsert_from = upsert_from(container, &paths);
    let hints = hint::imports(container, &paths);
    let stubs = in_const(&quote_spanned! {site()=>
        #hints

        #[automatically_derived]
        impl #impl_generics #p::Fields for #name #ty_generics #where_clause {
            // The columns in the uses are those of the right table. Where there
            // is no such table, or its name could not be read, rustc takes any
            // for it: in a module with an error of a macro it does not mind
            // names that it cannot find.
            type Table = #table::table;

            type Model = Self;

            type Converted = ();

            const FIELDS: &'static [#p::FieldDef] = &[];

            fn as_model(&self) -> &Self {
                self
            }

            fn convert(&self) {}

            fn supplied(
                &self,
                _: &(),
                _: #p::core::primitive::usize,
                _: &mut #p::Supplied,
            ) {
            }
        }

        #[automatically_derived]
        impl #bind_impl_generics #p::BindFields<#db> for #name #ty_generics
        where
            #(#predicates,)*
            #db: #p::diesel::backend::Backend,
        {
            type FromClause = #p::Never;

            fn from_clause() -> #p::Never {
                #p::core::unreachable!()
            }

            fn visit<'__upsert_b, __UpsertV>(
                &'__upsert_b self,
                _: &'__upsert_b (),
                _: #p::core::primitive::usize,
                __upsert_visitor: __UpsertV,
            ) -> <__UpsertV as #p::ValueVisitor<'__upsert_b, #db>>::Output
            where
                __UpsertV: #p::ValueVisitor<'__upsert_b, #db>,
            {
                #p::ValueVisitor::<'_, #db>::visit_absent(__upsert_visitor)
            }
        }

        #[automatically_derived]
        impl #impl_generics #p::Upsertable for #name #ty_generics #where_clause {
            const PRIMARY_KEY: &'static [&'static #p::core::primitive::str] = &[];

            const DO_NOTHING: #p::core::primitive::bool = true;

            const CHECK: () = ();
        }

        #named_targets

        #upsert_from
    });
    quote_spanned! {site()=>
        #errors
        #stubs
    }
}

/// `upsert_from` with any query, which the struct has before that of
/// `Upsertable`: which queries are right is not known.
fn upsert_from(container: &Container<'_>, paths: &Paths<'_>) -> Option<TokenStream> {
    if container.attrs.embedded.is_some() {
        return None;
    }
    let p = paths.private(site());
    let krate = tokens::located_at(container.krate.to_token_stream(), site());
    let input = container.original;
    let name = &input.ident;
    let visibility = &input.vis;
    let (impl_generics, ty_generics, where_clause) = input.generics.split_for_impl();
    Some(quote_spanned! {site()=>
        #[automatically_derived]
        #[allow(dead_code, unreachable_pub)]
        impl #impl_generics #name #ty_generics #where_clause {
            #[doc(hidden)]
            #visibility fn upsert_from<'__upsert_f, __UpsertQ>(
                _: __UpsertQ,
            ) -> #krate::UpsertFrom<
                '__upsert_f,
                <__UpsertQ as #p::diesel::query_builder::AsQuery>::Query,
                Self,
            >
            where
                __UpsertQ: #p::diesel::query_builder::AsQuery,
            {
                #p::core::unreachable!()
            }
        }
    })
}

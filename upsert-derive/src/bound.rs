//! The where-clauses of the generated impls.

use std::collections::{HashMap, HashSet};

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::Type;

use crate::ast::{Column, Container, Field, Kind, NoneMeans};
use crate::backend;
use crate::expression::Expressions;
use crate::paths::Paths;
use crate::row;
use crate::ty::{self, Shape};

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
    binds: &Binds,
    expressions: &Expressions<'_>,
    db: &Ident,
) -> TokenStream {
    let mut predicates = Predicates::of_struct(container);
    predicates.add_for_fields(container, paths);

    let p = paths.private(Span::mixed_site());
    let table = &container.table;
    let site = Span::mixed_site();
    predicates.add(quote_spanned!(site=> #db: #p::diesel::backend::Backend));
    predicates.add(quote_spanned! {site=>
        <#table::table as #p::diesel::QuerySource>::FromClause:
            #p::diesel::query_builder::QueryFragment<#db>
    });
    if !expressions.is_empty() {
        predicates.add(quote_spanned!(site=> #db: __UpsertExpressions));
    }
    predicates.add_for_target(container, paths, db);
    for field in &container.fields {
        let span = field.span;
        match &field.kind {
            Kind::Skipped => {}
            Kind::Embedded => {
                let p = paths.private(span);
                let (_, inner) = ty::peel_references(&field.original.ty);
                if row::is_known(container, field) {
                    predicates.add(quote_spanned!(span=> #inner: #p::BindFields<#db>));
                } else {
                    predicates.add(quote_spanned! {span=>
                        #inner: #p::Fields<Table = #table::table>
                    });
                    predicates.add(quote_spanned! {span=>
                        #db: #p::Upserts<<#inner as #p::Fields>::Model>
                    });
                }
            }
            Kind::Column(column) => {
                let ty = bound_ty(field);
                let bind = binds.trait_for(container, field, column, paths, db);
                predicates.add(quote_spanned!(span=> #ty: #bind));
            }
        }
    }
    predicates.into_where_clause()
}

/// The type that a column's `Bind` is for.
///
/// References are taken off: a bound on `str` serves `&'a str` and `&'b str`.
pub(crate) fn bound_ty<'a>(field: &'a Field<'_>) -> &'a Type {
    ty::peel_references(field.written_ty()).1
}

/// Is an `Option` looked into, or bound as a whole?
pub(crate) fn is_whole(container: &Container<'_>, field: &Field<'_>) -> bool {
    !field.is_option() || container.none_means(field) == NoneMeans::Null
}

/// Which trait binds which column.
///
/// Where two columns have one type but for its lifetimes, rustc cannot choose
/// between the bounds (<https://github.com/rust-lang/rust/issues/21974>):
///
/// ```text
/// Cow<'a, str>: Bind<Text, Whole, DB>,
/// Cow<'b, str>: Bind<Text, Whole, DB>,
/// ```
///
/// Such columns go through a trait beside the impls that has the column in the
/// place of its SQL type, so that no two bounds are alike:
///
/// ```text
/// Cow<'a, str>: __UpsertBind<products::sku, Whole, DB>,
/// Cow<'b, str>: __UpsertBind<products::name, Whole, DB>,
/// ```
pub(crate) struct Binds {
    /// The shapes of the types that are there with different lifetimes.
    ambiguous: HashSet<String>,
}

impl Binds {
    pub(crate) fn new(container: &Container<'_>) -> Self {
        let mut lifetimes_of: HashMap<String, Vec<String>> = HashMap::new();
        let mut ambiguous = HashSet::new();
        for (field, _) in container.columns() {
            let Shape { text, lifetimes } = ty::shape(bound_ty(field));
            let first = lifetimes_of
                .entry(text.clone())
                .or_insert_with(|| lifetimes.clone());
            if *first != lifetimes {
                ambiguous.insert(text);
            }
        }
        Self { ambiguous }
    }

    pub(crate) fn trait_for(
        &self,
        container: &Container<'_>,
        field: &Field<'_>,
        column: &Column,
        paths: &Paths<'_>,
        db: &Ident,
    ) -> TokenStream {
        let p = paths.private(field.span);
        let span = field.span;
        let how = backend::how(container, field, column, paths);
        if self.ambiguous.contains(&ty::shape(bound_ty(field)).text) {
            let column = paths.column(field, column);
            quote_spanned!(span=> __UpsertBind<#column, #how, #db>)
        } else {
            let st = paths.sql_type(field, column);
            quote_spanned!(span=> #p::Bind<#st, #how, #db>)
        }
    }

    /// The trait beside the impls, where it is needed.
    pub(crate) fn items(&self, paths: &Paths<'_>) -> TokenStream {
        if self.ambiguous.is_empty() {
            return TokenStream::new();
        }
        let p = paths.private(Span::mixed_site());
        quote_spanned! {Span::mixed_site()=>
            trait __UpsertBind<C, How, DB: #p::diesel::backend::Backend> {
                fn bind<'b, V>(&'b self, plain: #p::Plain<'b>, visitor: V) -> V::Output
                where
                    V: #p::ValueVisitor<'b, DB>;
            }

            impl<T, C, How, DB> __UpsertBind<C, How, DB> for T
            where
                T: #p::Bind<<C as #p::diesel::Expression>::SqlType, How, DB> + ?#p::core::marker::Sized,
                C: #p::diesel::Expression,
                DB: #p::diesel::backend::Backend,
            {
                fn bind<'b, V>(&'b self, plain: #p::Plain<'b>, visitor: V) -> V::Output
                where
                    V: #p::ValueVisitor<'b, DB>,
                {
                    #p::Bind::<<C as #p::diesel::Expression>::SqlType, How, DB>::bind(self, plain, visitor)
                }
            }
        }
    }
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
        for field in &container.fields {
            let span = field.span;
            let p = paths.private(span);
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

    /// Not every database has every kind of conflict target.
    fn add_for_target(&mut self, container: &Container<'_>, paths: &Paths<'_>, db: &Ident) {
        for (supports, key) in backend::target_kinds(&container.attrs) {
            let span = Span::mixed_site().located_at(key.span());
            let p = paths.private(span);
            let supports = Ident::new(supports, span);
            self.add(quote_spanned!(span=> #db: #p::#supports));
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

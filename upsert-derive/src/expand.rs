//! The impls. What comes here is valid, and nothing here fails.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{Generics, Lifetime, Type, parse_quote};

use crate::ast::{Column, Container, Field, Kind, NoneMeans, Rule};
use crate::bound::Binds;
use crate::{bound, check, ty};

// Everything but the user's own tokens is made at this span or, where the user
// should see the fault in a field, at the field's own with the same hygiene.
// A `self` made by `quote!` would be another `self`.
fn site() -> Span {
    Span::mixed_site()
}

/// Paths that the generated code goes through.
pub(crate) struct Paths<'a> {
    container: &'a Container<'a>,
}

impl<'a> Paths<'a> {
    fn new(container: &'a Container<'a>) -> Self {
        Self { container }
    }

    /// `::upsert_core::__private`, shown at `span`: an error in a path that is
    /// partly elsewhere would be shown at all that lies between.
    pub(crate) fn private(&self, span: Span) -> TokenStream {
        let krate = self.container.krate.to_token_stream();
        let krate: TokenStream = krate
            .into_iter()
            .map(|mut token| {
                token.set_span(token.span().located_at(span));
                token
            })
            .collect();
        quote_spanned!(span=> #krate::__private)
    }

    /// The column's type, as `table!` made it.
    pub(crate) fn column(&self, field: &Field<'_>, column: &Column) -> TokenStream {
        let table = &self.container.table;
        let ident = &column.ident;
        quote_spanned!(field.span=> #table::#ident)
    }

    pub(crate) fn sql_type(&self, field: &Field<'_>, column: &Column) -> TokenStream {
        let p = self.private(field.span);
        let column = self.column(field, column);
        quote_spanned!(field.span=> <#column as #p::diesel::Expression>::SqlType)
    }

    /// Diesel's type for whether the column can hold NULL.
    pub(crate) fn nullability(&self, field: &Field<'_>, column: &Column) -> TokenStream {
        let p = self.private(field.span);
        let st = self.sql_type(field, column);
        quote_spanned!(field.span=> <#st as #p::diesel::sql_types::SqlType>::IsNull)
    }

    /// The names of the table's primary key.
    pub(crate) fn primary_key(&self) -> TokenStream {
        let p = self.private(site());
        let table = &self.container.table;
        quote_spanned! {site()=>
            <<#table::table as #p::diesel::Table>::PrimaryKey as #p::PrimaryKey<_>>::NAMES
        }
    }
}

pub(crate) fn expand(container: &Container<'_>) -> TokenStream {
    let paths = Paths::new(container);
    let fields = fields(container, &paths);
    let bind_fields = bind_fields(container, &paths);
    let upsertable = (container.attrs.embedded.is_none()).then(|| upsertable(container, &paths));
    in_const(&quote_spanned! {site()=>
        #fields
        #bind_fields
        #upsertable
    })
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

/// `impl Fields`.
fn fields(container: &Container<'_>, paths: &Paths<'_>) -> TokenStream {
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
        .filter_map(|it| conversion(it, paths))
        .collect();
    // Clippy minds a `()` that is written down.
    let conversions =
        (!conversions.is_empty()).then(|| quote_spanned!(site()=> (#(#conversions,)*)));
    let supplied = supplied(container, paths);
    quote_spanned! {site()=>
        #[automatically_derived]
        impl #impl_generics #p::Fields for #name #ty_generics #where_clause {
            type Table = #table::table;

            type Converted = #converted;

            const FIELDS: &'static [#p::FieldDef] = &[#(#defs),*];

            fn convert(&self) -> <Self as #p::Fields>::Converted {
                #conversions
            }

            fn supplied(
                &self,
                __upsert_converted: &<Self as #p::Fields>::Converted,
                __upsert_first: #p::core::primitive::usize,
                __upsert_supplied: &mut #p::ColumnSet,
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
            let inner = embedded_ty(field);
            quote_spanned!(field.span=> <#inner as #p::Fields>::Converted)
        }
        Kind::Skipped | Kind::Column(_) => field.written_ty().to_token_stream(),
    });
    quote_spanned!(site()=> (#(#tys,)*))
}

fn conversion(field: &Field<'_>, paths: &Paths<'_>) -> Option<TokenStream> {
    let p = paths.private(field.span);
    let span = field.span;
    let member = &field.member;
    if let Kind::Embedded = field.kind {
        let inner = embedded_ty(field);
        let value = embedded_value(field);
        return Some(quote_spanned!(span=> <#inner as #p::Fields>::convert(#value)));
    }
    let ty = &field.original.ty;
    let written = field.written_ty();
    field.is_converted().then(|| {
        quote_spanned! {span=>
            <#ty as #p::core::convert::Into<#written>>::into(
                <#ty as #p::core::clone::Clone>::clone(&self.#member),
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
                let inner = embedded_ty(field);
                Some(quote_spanned! {span=>
                    #p::FieldDef::Embedded(<#inner as #p::Fields>::FIELDS)
                })
            }
            Kind::Column(column) => {
                let rule = rule(column.rule, span);
                let column = paths.column(field, column);
                Some(quote_spanned! {span=>
                    #p::FieldDef::Column(#p::ColumnDef {
                        name: <#column as #p::diesel::Column>::NAME,
                        rule: #p::Rule::#rule,
                    })
                })
            }
        }
    })
}

fn rule(rule: Rule, span: Span) -> Ident {
    let variant = match rule {
        Rule::Key => "Key",
        Rule::Keep => "Keep",
        Rule::Update => "Update",
    };
    Ident::new(variant, span)
}

/// The statements of `Fields::supplied`.
fn supplied(container: &Container<'_>, paths: &Paths<'_>) -> Vec<TokenStream> {
    let mut statements = Vec::new();
    let mut columns: usize = 0;
    let mut embedded = Vec::new();
    for (field, slot) in with_slots(container) {
        let span = field.span;
        let p = paths.private(span);
        let position = offset(columns, &embedded);
        match &field.kind {
            Kind::Skipped => {}
            Kind::Embedded => {
                let inner = embedded_ty(field);
                let value = embedded_value(field);
                statements.push(quote_spanned! {span=>
                    <#inner as #p::Fields>::supplied(
                        #value,
                        &__upsert_converted.#slot,
                        #position,
                        __upsert_supplied,
                    );
                });
                embedded.push(embedded_count(field, paths));
            }
            Kind::Column(column) => {
                let insert = quote_spanned! {span=>
                    #p::ColumnSet::insert(__upsert_supplied, #position);
                };
                statements.push(match is_supplied(container, field, column, paths, &slot) {
                    Some(condition) => quote_spanned!(span=> if #condition { #insert }),
                    None => insert,
                });
                columns += 1;
            }
        }
    }
    statements
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
    let value = value(field, slot);
    let is_some = quote_spanned!(span=> #p::core::option::Option::is_some(&#value));
    Some(if none_means == NoneMeans::NotSupplied {
        is_some
    } else {
        let nullability = paths.nullability(field, column);
        quote_spanned!(span=> #is_some || <#nullability as #p::Nullability>::NULLABLE)
    })
}

/// `__upsert_first`, plus the columns before a field.
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

/// `impl BindFields<DB>`.
fn bind_fields(container: &Container<'_>, paths: &Paths<'_>) -> TokenStream {
    let p = paths.private(site());
    let name = &container.original.ident;
    let table = &container.table;
    let db = Ident::new("__UpsertDB", site());
    let generics = with_db(&container.original.generics, &db);
    let (impl_generics, ..) = generics.split_for_impl();
    let (_, ty_generics, _) = container.original.generics.split_for_impl();
    let binds = Binds::new(container);
    let where_clause = bound::for_bind_fields(container, paths, &binds, &db);
    let items = binds.items(paths);
    let b = Lifetime::new("'__upsert_b", site());
    let body = visit_body(container, paths, &binds, &db);
    quote_spanned! {site()=>
        #items

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
        }
    }
}

pub(crate) fn with_db(generics: &Generics, db: &Ident) -> Generics {
    let mut generics = generics.clone();
    generics.params.push(parse_quote!(#db));
    generics
}

/// The body of `BindFields::visit`, which walks over the runs of columns and
/// the embedded structs between them:
///
/// ```text
/// match position {
///     0 => .., 1 => ..,
///     _ => {
///         let position = position - 2;
///         if position < COUNT { inner.visit(..) } else { .. }
///     }
/// }
/// ```
fn visit_body(
    container: &Container<'_>,
    paths: &Paths<'_>,
    binds: &Binds,
    db: &Ident,
) -> TokenStream {
    let p = paths.private(site());
    let mut rest = Rest {
        tokens: quote_spanned! {site()=>
            #p::ValueVisitor::<'_, #db>::visit_absent(__upsert_visitor)
        },
        reads_position: false,
    };
    let mut run = Vec::new();
    let fields: Vec<_> = with_slots(container).collect();
    for (field, slot) in fields.iter().rev() {
        match &field.kind {
            Kind::Skipped => {}
            Kind::Embedded => {
                rest = rest.after_columns(&mut run);
                rest = rest.after_embedded(field, slot, paths, db);
            }
            Kind::Column(column) => {
                let bind = binds.trait_for(container, field, column, paths, db);
                run.push(bind_column(field, slot, paths, &bind));
            }
        }
    }
    rest.after_columns(&mut run).tokens
}

/// What `visit` does at the positions that come after those seen so far.
struct Rest {
    tokens: TokenStream,
    reads_position: bool,
}

impl Rest {
    /// With the columns of `run`, last one first, before it.
    fn after_columns(self, run: &mut Vec<TokenStream>) -> Self {
        if run.is_empty() {
            return self;
        }
        let count = Literal::usize_unsuffixed(run.len()).to_token_stream();
        let arms = run.drain(..).rev().enumerate().map(|(position, bind)| {
            let position = Literal::usize_unsuffixed(position);
            quote_spanned!(site()=> #position => #bind,)
        });
        let arms: TokenStream = arms.collect();
        let rest = self.past(&count);
        Self {
            tokens: quote_spanned!(site()=> match __upsert_position { #arms _ => { #rest } }),
            reads_position: true,
        }
    }

    /// With the columns of an embedded struct before it.
    fn after_embedded(
        self,
        field: &Field<'_>,
        slot: &syn::Index,
        paths: &Paths<'_>,
        db: &Ident,
    ) -> Self {
        let p = paths.private(field.span);
        let inner = embedded_ty(field);
        let value = embedded_value(field);
        let count = embedded_count(field, paths);
        let count = quote_spanned!(field.span=> const { #count });
        let rest = self.past(&count);
        Self {
            tokens: quote_spanned! {field.span=>
                if __upsert_position < #count {
                    <#inner as #p::BindFields<#db>>::visit(
                        #value,
                        &__upsert_converted.#slot,
                        __upsert_position,
                        __upsert_visitor,
                    )
                } else {
                    #rest
                }
            },
            reads_position: true,
        }
    }

    /// Itself, where `count` columns came before it.
    fn past(self, count: &TokenStream) -> TokenStream {
        let tokens = self.tokens;
        let shift = self
            .reads_position
            .then(|| quote_spanned!(site()=> let __upsert_position = __upsert_position - #count;));
        quote_spanned!(site()=> #shift #tokens)
    }
}

/// Hands a column's value to the visitor.
fn bind_column(
    field: &Field<'_>,
    slot: &syn::Index,
    paths: &Paths<'_>,
    bind: &TokenStream,
) -> TokenStream {
    let p = paths.private(field.span);
    let ty = bound::bound_ty(field);
    let value = value(field, slot);
    quote_spanned! {field.span=>
        <#ty as #bind>::bind(
            &#value,
            (&&#p::Probe(&#value)).__upsert_plain(),
            __upsert_visitor,
        )
    }
}

/// The place that holds what is written to the column.
fn value(field: &Field<'_>, slot: &syn::Index) -> TokenStream {
    let span = field.span;
    let (references, _) = ty::peel_references(field.written_ty());
    let stars = (0..references).map(|_| quote_spanned!(span=> *));
    if field.is_converted() {
        quote_spanned!(span=> #(#stars)*__upsert_converted.#slot)
    } else {
        let member = &field.member;
        quote_spanned!(span=> #(#stars)*self.#member)
    }
}

/// The fields with their places in `Fields::Converted`, which mean nothing for
/// those that are not there.
fn with_slots<'a>(
    container: &'a Container<'a>,
) -> impl Iterator<Item = (&'a Field<'a>, syn::Index)> {
    let mut next = 0;
    container.fields.iter().map(move |field| {
        let index = next;
        next += u32::from(field.is_converted());
        let span = field.span;
        (field, syn::Index { index, span })
    })
}

fn embedded_ty<'a>(field: &'a Field<'_>) -> &'a Type {
    ty::peel_references(&field.original.ty).1
}

fn embedded_value(field: &Field<'_>) -> TokenStream {
    let span = field.span;
    let member = &field.member;
    let (references, _) = ty::peel_references(&field.original.ty);
    let stars = (0..references).map(|_| quote_spanned!(span=> *));
    quote_spanned!(span=> &#(#stars)*self.#member)
}

/// A constant expression.
fn embedded_count(field: &Field<'_>, paths: &Paths<'_>) -> TokenStream {
    let p = paths.private(field.span);
    let inner = embedded_ty(field);
    quote_spanned!(field.span=> #p::count_columns(<#inner as #p::Fields>::FIELDS))
}

/// `impl Upsertable`, and the checks that need the table.
fn upsertable(container: &Container<'_>, paths: &Paths<'_>) -> TokenStream {
    let p = paths.private(site());
    let name = &container.original.ident;
    let (impl_generics, ty_generics, _) = container.original.generics.split_for_impl();
    let where_clause = bound::for_fields(container, paths);
    let primary_key = paths.primary_key();
    let do_nothing = container.attrs.do_nothing.is_some();
    let check::Checks { inside, beside } = check::checks(container, paths);
    quote_spanned! {site()=>
        #[automatically_derived]
        impl #impl_generics #p::Upsertable for #name #ty_generics #where_clause {
            const PRIMARY_KEY: &'static [&'static #p::core::primitive::str] = #primary_key;

            const DO_NOTHING: #p::core::primitive::bool = #do_nothing;

            const CHECK: () = { #inside };
        }

        #beside
    }
}

//! Paths and spans of the generated code.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};

use crate::ast::{Column, Container, Field};

/// Where everything but the user's own tokens is made. What the user should
/// see the fault of is made at the user's span, with the same hygiene: a
/// `self` made by `quote!` would be another `self`.
pub(crate) fn site() -> Span {
    Span::mixed_site()
}

/// Paths that the generated code goes through.
pub(crate) struct Paths<'a> {
    container: &'a Container<'a>,
}

impl<'a> Paths<'a> {
    pub(crate) fn new(container: &'a Container<'a>) -> Self {
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
        self.column_at(field.span, &column.ident)
    }

    /// The same, shown at `span`.
    pub(crate) fn column_at(&self, span: Span, column: &Ident) -> TokenStream {
        let table = &self.container.table;
        let mut column = column.clone();
        column.set_span(span);
        quote_spanned!(span=> #table::#column)
    }

    pub(crate) fn sql_type(&self, field: &Field<'_>, column: &Column) -> TokenStream {
        self.sql_type_at(field.span, &column.ident)
    }

    pub(crate) fn sql_type_at(&self, span: Span, column: &Ident) -> TokenStream {
        let p = self.private(span);
        let column = self.column_at(span, column);
        quote_spanned!(span=> <#column as #p::diesel::Expression>::SqlType)
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

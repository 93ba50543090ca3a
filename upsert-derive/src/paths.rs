//! Paths and spans of the generated code.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};

use crate::ast::{Column, Container, Field};
use crate::tokens;

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
        let krate = tokens::located_at(self.container.krate.to_token_stream(), span);
        quote_spanned!(span=> #krate::__private)
    }

    /// The same among the user's own tokens at `span`, with their hygiene:
    /// rustc shows what was made by the derive at the derive, where it is an
    /// argument of what was not.
    pub(crate) fn private_among(&self, span: Span) -> TokenStream {
        if self.container.attrs.krate.is_some() {
            return self.private(span);
        }
        let krate = self.container.krate.segments.iter();
        let krate = krate.map(|it| Ident::new(&it.ident.to_string(), span));
        quote_spanned!(span=> #(::#krate)*::__private)
    }

    /// The column's type, as `table!` made it.
    pub(crate) fn column(&self, field: &Field<'_>, column: &Column) -> TokenStream {
        let table = &self.container.table;
        // Where there is no such column, the name is at fault.
        let column = &column.ident;
        quote_spanned!(field.span=> #table::#column)
    }

    /// The same, shown at `span`.
    pub(crate) fn column_at(&self, span: Span, column: &Ident) -> TokenStream {
        let table = &self.container.table;
        let mut column = column.clone();
        column.set_span(span);
        quote_spanned!(span=> #table::#column)
    }

    pub(crate) fn sql_type(&self, field: &Field<'_>, column: &Column) -> TokenStream {
        let p = self.private(field.span);
        let column = self.column(field, column);
        quote_spanned!(field.span=> <#column as #p::diesel::Expression>::SqlType)
    }

    /// The same, shown at the column.
    pub(crate) fn sql_type_of(&self, column: &Ident) -> TokenStream {
        let span = column.span();
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
            <<#table::table as #p::diesel::Table>::PrimaryKey as #p::ConflictTarget<#table::table, _>>::COLUMNS
        }
    }
}

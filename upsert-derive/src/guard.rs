//! The guard by a field: `newer_by` and `not_older_by`.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;

use crate::ast::{Column, Container, Kind};
use crate::paths::{Paths, site};

/// The column that the guard compares, and where it is written.
pub(crate) struct NewerBy<'a> {
    pub(crate) column: &'a Column,
    /// That of the key.
    pub(crate) span: Span,
    or_equal: bool,
}

impl<'a> NewerBy<'a> {
    pub(crate) fn of(container: &'a Container<'_>) -> Option<Self> {
        let (written, or_equal) = container.attrs.newer_by()?;
        let (_, field) = container.field(&written.value)?;
        let Kind::Column(column) = &field.kind else {
            return None;
        };
        Some(Self {
            column,
            span: site().located_at(written.key.span()),
            or_equal,
        })
    }
}

/// `Upsertable::NEWER_BY`.
pub(crate) fn newer_by(container: &Container<'_>, paths: &Paths<'_>) -> Option<TokenStream> {
    let NewerBy {
        column,
        span,
        or_equal,
        ..
    } = NewerBy::of(container)?;
    let p = paths.private(span);
    let column = paths.column_at(span, &column.ident);
    Some(quote_spanned! {span=>
        const NEWER_BY: #p::core::option::Option<#p::NewerBy> =
            #p::core::option::Option::Some(#p::NewerBy {
                column: <#column as #p::diesel::Column>::NAME,
                or_equal: #or_equal,
            });
    })
}

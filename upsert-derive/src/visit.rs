//! The body of `BindFields::visit`.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::Index;

use crate::ast::{Container, Field, Kind};
use crate::bound::{self, Binds};
use crate::paths::{Paths, site};
use crate::row;

/// It walks over the runs of columns and
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
pub(crate) fn body(
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
    let fields: Vec<_> = row::with_slots(container).collect();
    for (field, slot) in fields.iter().rev() {
        match &field.kind {
            Kind::Skipped => {}
            Kind::Embedded => {
                rest = rest.after_columns(&mut run);
                rest = rest.after_embedded(container, field, slot, paths, db);
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
        container: &Container<'_>,
        field: &Field<'_>,
        slot: &Index,
        paths: &Paths<'_>,
        db: &Ident,
    ) -> Self {
        let value = row::embedded_model(container, field, paths);
        let binds = row::embedded_binds(container, field, paths, db);
        let count = row::embedded_count(field, paths);
        let count = quote_spanned!(field.span=> const { #count });
        let rest = self.past(&count);
        Self {
            tokens: quote_spanned! {field.span=>
                if __upsert_position < #count {
                    #binds::visit(
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
    slot: &Index,
    paths: &Paths<'_>,
    bind: &TokenStream,
) -> TokenStream {
    let p = paths.private(field.span);
    let ty = bound::bound_ty(field);
    let value = row::value(field, slot, paths);
    quote_spanned! {field.span=>
        <#ty as #bind>::bind(
            &#value,
            (&&#p::Probe(&#value)).__upsert_plain(),
            __upsert_visitor,
        )
    }
}

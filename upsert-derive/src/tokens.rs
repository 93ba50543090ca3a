//! Tokens as such.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};

/// The first ident that `is`, in groups too.
pub(crate) fn find_ident(tokens: TokenStream, is: &dyn Fn(&Ident) -> bool) -> Option<Ident> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) => is(&ident).then_some(ident),
        TokenTree::Group(group) => find_ident(group.stream(), is),
        TokenTree::Punct(_) | TokenTree::Literal(_) => None,
    })
}

/// The same tokens, shown at `span`.
pub(crate) fn located_at(tokens: TokenStream, span: Span) -> TokenStream {
    let located = tokens.into_iter().map(|mut token| {
        let at = token.span().located_at(span);
        if let TokenTree::Group(group) = &token {
            let stream = located_at(group.stream(), span);
            token = Group::new(group.delimiter(), stream).into();
        }
        token.set_span(at);
        token
    });
    located.collect()
}

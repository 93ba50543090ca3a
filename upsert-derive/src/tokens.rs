//! Searches in tokens.

use proc_macro2::{Ident, TokenStream, TokenTree};

/// The first ident that `is`, in groups too.
pub(crate) fn find_ident(tokens: TokenStream, is: &dyn Fn(&Ident) -> bool) -> Option<Ident> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) => is(&ident).then_some(ident),
        TokenTree::Group(group) => find_ident(group.stream(), is),
        TokenTree::Punct(_) | TokenTree::Literal(_) => None,
    })
}

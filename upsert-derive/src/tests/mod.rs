//! The macro as a function from tokens to tokens.

use proc_macro2::{TokenStream, TokenTree};
use syn::parse::Parser;
use syn::{LitStr, Token};

use crate::derive;

mod accepted;
mod expansion;
mod messages;
mod random;
mod symbols;

fn expand(source: &str) -> TokenStream {
    derive::expand(source.parse().expect("the test's source is Rust"))
}

/// The messages of `compile_error!`s in `tokens`.
fn errors(tokens: TokenStream) -> Vec<String> {
    let mut messages = Vec::new();
    find_macros(tokens, "compile_error", &mut |arguments| {
        let message = syn::parse2::<LitStr>(arguments).expect("a message");
        messages.push(message.value());
    });
    messages
}

/// The messages of `assert!(condition, "{}", message)`s in `tokens`.
fn assertions(tokens: TokenStream) -> Vec<String> {
    let mut messages = Vec::new();
    find_macros(tokens, "assert", &mut |arguments| {
        let parser = syn::punctuated::Punctuated::<syn::Expr, Token![,]>::parse_terminated;
        let arguments = parser.parse2(arguments).expect("expressions");
        match arguments.last() {
            Some(syn::Expr::Lit(syn::ExprLit {
                lit: syn::Lit::Str(message),
                ..
            })) => messages.push(message.value()),
            _ => panic!("no message"),
        }
    });
    messages
}

fn find_macros(tokens: TokenStream, name: &str, found: &mut dyn FnMut(TokenStream)) {
    let mut last = [None, None];
    for token in tokens {
        if let TokenTree::Group(group) = &token {
            if last == [Some(name.to_owned()), Some("!".to_owned())] {
                found(group.stream());
            } else {
                find_macros(group.stream(), name, found);
            }
        }
        let [_, previous] = last;
        last = [previous, Some(token.to_string())];
    }
}

//! The macro as a function from tokens to tokens, apart from the crate's root for
//! those who have its modules in a crate of their own.

use proc_macro2::TokenStream;
use syn::DeriveInput;

use crate::ast::Container;
use crate::ctxt::Ctxt;
use crate::{expand, fallback, validate};

pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let input = match syn::parse2::<DeriveInput>(input) {
        Ok(input) => input,
        Err(err) => return err.into_compile_error(),
    };
    let cx = Ctxt::new();
    let container = Container::from_ast(&cx, &input);
    validate::check(&cx, &container);
    match cx.finish() {
        Ok(()) => expand::expand(&container),
        Err(err) => fallback::expand(&container, &err),
    }
}

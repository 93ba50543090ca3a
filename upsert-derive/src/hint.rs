//! What an editor shows where an attribute is written: the core has an item for each,
//! which the words of the attributes name.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::{Attribute, Meta};

use crate::ast::Container;
use crate::paths::{Paths, site};
use crate::symbol::{self, Place};

/// Imports of the items, which import nothing.
pub(crate) fn imports(container: &Container<'_>, paths: &Paths<'_>) -> TokenStream {
    let p = paths.private(site());
    let of_struct = container.original.attrs.iter();
    let of_fields = container.fields.iter().flat_map(|it| &it.original.attrs);
    let items = of_struct.chain(of_fields).filter_map(items);
    quote_spanned! {site()=>
        #[allow(unused_imports)]
        use #p::attributes::{#(#items)*};
    }
}

/// The items of an attribute: its own, and those of its keys.
fn items(attribute: &Attribute) -> Option<TokenStream> {
    let name = attribute.path().get_ident()?;
    let (_, place) = PLACES.iter().find(|(it, _)| name == it.name)?;
    let tokens = match &attribute.meta {
        Meta::List(list) => list.tokens.clone(),
        Meta::Path(_) | Meta::NameValue(_) => TokenStream::new(),
    };
    let keys = keys(tokens).filter(|key| {
        let is_known = symbol::at(*place).any(|it| key == it.name);
        // No item can be called `crate`.
        is_known && key != symbol::CRATE.name
    });
    Some(quote!(#name as _, #(#name::#keys as _,)*))
}

/// The attributes with items, and where their keys stand.
const PLACES: &[(symbol::Symbol, Place)] = &[
    (symbol::UPSERT, Place::UpsertKey),
    (symbol::CONFLICT_KEY, Place::ConflictKeyOption),
    (symbol::ON_CONFLICT, Place::ConflictRule),
    (symbol::ON_INSERT, Place::OnInsertOption),
];

/// The words at the beginning and behind commas.
fn keys(tokens: TokenStream) -> impl Iterator<Item = Ident> {
    let mut is_first = true;
    tokens.into_iter().filter_map(move |token| {
        let was_first = is_first;
        is_first = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ',');
        match token {
            TokenTree::Ident(ident) if was_first => Some(ident),
            _ => None,
        }
    })
}

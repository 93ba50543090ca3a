//! What can be told of a type from its tokens.

use proc_macro2::{Delimiter, Group, Ident, Spacing, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{GenericArgument, Generics, PathArguments, Type};

use crate::tokens::find_ident;

/// Without parentheses, and without the invisible group around a type that
/// comes from a `macro_rules!` fragment.
pub(crate) fn ungroup(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            _ => return ty,
        };
    }
}

/// Is it written `Option<..>`, whatever the path before it? Diesel's own
/// derives look no further either.
pub(crate) fn is_option(ty: &Type) -> bool {
    inside_of_option(ty).is_some()
}

/// The type in the brackets of what [`is_option`].
pub(crate) fn inside_of_option(ty: &Type) -> Option<&Type> {
    let Type::Path(ty) = ungroup(ty) else {
        return None;
    };
    let last = ty.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    match arguments.args.last() {
        Some(GenericArgument::Type(inner)) if last.ident == "Option" => Some(inner),
        _ => None,
    }
}

/// The type behind the shared references of `ty`, and how many there are.
pub(crate) fn peel_references(ty: &Type) -> (usize, &Type) {
    let mut references = 0;
    let mut ty = ungroup(ty);
    while let Type::Reference(reference) = ty {
        if reference.mutability.is_some() {
            break;
        }
        references += 1;
        ty = ungroup(&reference.elem);
    }
    (references, ty)
}

/// Does the type mention a type or const parameter?
pub(crate) fn mentions_parameter(ty: &Type, generics: &Generics) -> bool {
    let parameters: Vec<&Ident> = generics
        .type_params()
        .map(|it| &it.ident)
        .chain(generics.const_params().map(|it| &it.ident))
        .collect();
    find_ident(ty.to_token_stream(), &|ident| parameters.contains(&ident)).is_some()
}

/// The type with `'static` for its lifetimes, as it can be named beside the impls;
/// `None` where it has a parameter, or that is another type.
pub(crate) fn known(ty: &Type, generics: &Generics) -> Option<TokenStream> {
    if mentions_parameter(ty, generics) {
        return None;
    }
    let tokens = ty.to_token_stream();
    let binds = |ident: &Ident| ident == "for" || ident == "Self";
    let is_bound = find_ident(tokens.clone(), &binds).is_some();
    // A macro may take a lifetime by its name.
    let is_macro = tokens.to_string().contains('!');
    (!is_bound && !is_macro).then(|| with_static(tokens))
}

fn with_static(tokens: TokenStream) -> TokenStream {
    let mut after_quote = false;
    let tokens = tokens.into_iter().map(|mut token| {
        if let TokenTree::Ident(lifetime) = &token {
            if after_quote {
                token = Ident::new("static", lifetime.span()).into();
            }
        } else if let TokenTree::Group(group) = &token {
            let mut inner = Group::new(group.delimiter(), with_static(group.stream()));
            inner.set_span(group.span());
            token = inner.into();
        }
        after_quote = is_quote(&token);
        token
    });
    tokens.collect()
}

/// A lifetime is a joint `'` and an ident.
fn is_quote(token: &TokenTree) -> bool {
    matches!(
        token,
        TokenTree::Punct(punct) if punct.as_char() == '\'' && punct.spacing() == Spacing::Joint
    )
}

/// A type's text without its lifetimes, and these in order.
pub(crate) struct Shape {
    pub(crate) text: String,
    pub(crate) lifetimes: Vec<String>,
}

pub(crate) fn shape(ty: &Type) -> Shape {
    let mut shape = Shape {
        text: String::new(),
        lifetimes: Vec::new(),
    };
    shape.add(ty.to_token_stream());
    shape
}

impl Shape {
    fn add(&mut self, tokens: TokenStream) {
        let mut after_quote = false;
        for token in tokens {
            match &token {
                TokenTree::Ident(name) if after_quote => {
                    self.lifetimes.push(name.to_string());
                }
                TokenTree::Group(group) => {
                    // A type from a `macro_rules!` fragment has invisible
                    // groups, which make no difference.
                    let (open, close) = match group.delimiter() {
                        Delimiter::Parenthesis => ("(", ")"),
                        Delimiter::Brace => ("{", "}"),
                        Delimiter::Bracket => ("[", "]"),
                        Delimiter::None => ("", ""),
                    };
                    self.text += open;
                    self.add(group.stream());
                    self.text += close;
                }
                other => {
                    self.text += &other.to_string();
                    self.text.push(' ');
                }
            }
            after_quote = is_quote(&token);
        }
    }
}

#[cfg(test)]
mod tests {
    use quote::ToTokens;
    use syn::{Type, parse_quote};

    use super::{is_option, mentions_parameter, peel_references, shape};

    #[test]
    fn is_option_looks_at_the_last_segment() {
        assert!(is_option(&parse_quote!(Option<i32>)));
        assert!(is_option(&parse_quote!((::core::option::Option<&'a str>))));
        assert!(!is_option(&parse_quote!(Vec<Option<i32>>)));
        assert!(!is_option(&parse_quote!(&Option<i32>)));
        assert!(!is_option(&parse_quote!(Option)));
    }

    #[test]
    fn peel_references_stops_at_mut() {
        let peeled = |ty: &Type| {
            let (references, ty) = peel_references(ty);
            (references, ty.to_token_stream().to_string())
        };
        assert_eq!(peeled(&parse_quote!(&'a (&'b str))), (2, "str".to_owned()));
        assert_eq!(peeled(&parse_quote!(String)), (0, "String".to_owned()));
        assert_eq!(peeled(&parse_quote!(&mut T)).0, 0);
    }

    #[test]
    fn shape_takes_lifetimes_out() {
        let a = shape(&parse_quote!(Option<Cow<'a, str>>));
        let b = shape(&parse_quote!(Option<Cow<'static, str>>));
        assert_eq!(a.text, b.text);
        assert_eq!(a.lifetimes, ["a"]);
        assert_eq!(b.lifetimes, ["static"]);
        assert_ne!(a.text, shape(&parse_quote!(Option<Cow<'a, [u8]>>)).text);
    }

    #[test]
    fn mentions_parameter_looks_everywhere() {
        let generics = parse_quote!(<'a, T, const N: usize>);
        let mentions = |ty: &Type| mentions_parameter(ty, &generics);
        assert!(mentions(&parse_quote!(Vec<(i32, T)>)));
        assert!(mentions(&parse_quote!([u8; N])));
        assert!(!mentions(&parse_quote!(&'a str)));
    }
}

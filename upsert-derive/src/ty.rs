//! What can be told of a type from its tokens.

use proc_macro2::{Delimiter, Group, Ident, Punct, Spacing, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{GenericArgument, Generics, PathArguments, Type};

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
    let Type::Path(ty) = ungroup(ty) else {
        return false;
    };
    let Some(last) = ty.path.segments.last() else {
        return false;
    };
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return false;
    };
    last.ident == "Option" && matches!(arguments.args.last(), Some(GenericArgument::Type(_)))
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
    any_ident(ty.to_token_stream(), &|ident| parameters.contains(&ident))
}

fn any_ident(tokens: TokenStream, is: &dyn Fn(&Ident) -> bool) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => is(&ident),
        TokenTree::Group(group) => any_ident(group.stream(), is),
        _ => false,
    })
}

/// A type's text with its lifetimes taken out, and the lifetimes in order.
pub(crate) struct Shape {
    pub(crate) text: String,
    pub(crate) lifetimes: Vec<String>,
    /// A `for<'x>` in the type: its lifetimes are not free.
    pub(crate) has_binder: bool,
}

pub(crate) fn shape(ty: &Type) -> Shape {
    let mut lifetimes = Vec::new();
    let erased = map_lifetimes(ty.to_token_stream(), &mut |lifetime| {
        lifetimes.push(lifetime.to_string());
        Ident::new("_", lifetime.span())
    });
    Shape {
        text: erased.to_string(),
        lifetimes,
        has_binder: any_ident(ty.to_token_stream(), &|ident| ident == "for"),
    }
}

/// Replaces the name of each lifetime, and takes invisible groups away.
pub(crate) fn map_lifetimes(
    tokens: TokenStream,
    name: &mut dyn FnMut(Ident) -> Ident,
) -> TokenStream {
    let mut mapped = TokenStream::new();
    let mut after_quote = false;
    for token in tokens {
        let is_quote = is_quote(&token);
        match token {
            TokenTree::Ident(ident) if after_quote => {
                mapped.extend([TokenTree::from(name(ident))]);
            }
            TokenTree::Group(group) => {
                let inner = map_lifetimes(group.stream(), name);
                if group.delimiter() == Delimiter::None {
                    mapped.extend(inner);
                } else {
                    let mut new = Group::new(group.delimiter(), inner);
                    new.set_span(group.span());
                    mapped.extend([TokenTree::from(new)]);
                }
            }
            token => mapped.extend([token]),
        }
        after_quote = is_quote;
    }
    mapped
}

// A lifetime is a joint `'` and an ident.
fn is_quote(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if is_joint_quote(punct))
}

fn is_joint_quote(punct: &Punct) -> bool {
    punct.as_char() == '\'' && punct.spacing() == Spacing::Joint
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
        assert!(!a.has_binder);
        assert!(shape(&parse_quote!(for<'x> fn(&'x str))).has_binder);
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

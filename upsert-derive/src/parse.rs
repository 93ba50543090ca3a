//! How the words of an attribute and their values are read.
//!
//! What is wrong goes to the [`Ctxt`], and reading goes on at the next word.

use proc_macro2::{Ident, Span, TokenTree};
use syn::ext::IdentExt;
use syn::parse::discouraged::Speculative;
use syn::parse::{Parse, ParseStream};
use syn::{
    Attribute, Expr, Lit, LitBool, LitStr, Meta, Token, Type, TypePath, parenthesized, token,
};

use crate::attr::{CheckForBackend, Keyed};
use crate::ctxt::Ctxt;
use crate::diag::err;
use crate::naming;
use crate::symbol::{self, Symbol};

mod kw {
    syn::custom_keyword!(disable);
}

/// The value of `#[diesel(column_name = ..)]`.
pub(crate) struct ColumnName {
    /// Without `r#`.
    pub(crate) text: String,
    pub(crate) span: Span,
}

/// A key that may be written once on `owner`.
pub(crate) struct Once<'a> {
    pub(crate) cx: &'a Ctxt,
    pub(crate) key: &'a Ident,
    pub(crate) owner: &'a str,
}

impl Once<'_> {
    pub(crate) fn set<T>(&self, slot: &mut Option<Keyed<T>>, value: T) {
        if slot.is_some() {
            self.duplicate();
        } else {
            *slot = Some(Keyed {
                key: self.key.clone(),
                value,
            });
        }
    }

    pub(crate) fn flag(
        &self,
        slot: &mut Option<Ident>,
        symbol: Symbol,
        input: ParseStream<'_>,
    ) -> syn::Result<()> {
        if slot.is_some() {
            self.duplicate();
        } else {
            *slot = Some(self.key.clone());
        }
        self.bare(symbol, input)
    }

    /// The key stands alone.
    pub(crate) fn bare(&self, symbol: Symbol, input: ParseStream<'_>) -> syn::Result<()> {
        if is_at_end(input) {
            return Ok(());
        }
        // `key = ..`, `key(..)`, or the next key.
        let is_value = input.peek(Token![=]) || input.peek(token::Paren);
        Err(if is_value {
            let what = err(self.key, format!("`{symbol}` takes no value"));
            what.help(format!("write `{}`", symbol.form)).into()
        } else {
            input.error(format!("expected `,` after `{symbol}`"))
        })
    }

    fn duplicate(&self) {
        let Self { cx, key, owner } = self;
        cx.error(err(key, format!("duplicate `{key}` on `{owner}`")));
    }
}

/// Calls `read` at each `key ..` of `#[name(key .., key ..)]`. Returns whether
/// all of them could be read; what could not is reported.
///
/// `read` need not consume the value if it fails.
pub(crate) fn read_list(
    cx: &Ctxt,
    attribute: &Attribute,
    example: Symbol,
    read: impl FnMut(&Ident, ParseStream<'_>) -> syn::Result<()>,
) -> bool {
    let Meta::List(list) = &attribute.meta else {
        let name = attribute.path().get_ident().map(Ident::to_string);
        let name = name.unwrap_or_default();
        let what = match attribute.meta {
            Meta::NameValue(_) => format!("`#[{name}]` takes no value"),
            Meta::Path(_) | Meta::List(_) => format!("`#[{name}]` needs parentheses"),
        };
        let what = err(attribute, what);
        cx.error(what.help(format!("write `{}`", example.form)));
        return false;
    };
    let result =
        list.parse_args_with(|input: ParseStream<'_>| Ok(read_keys(cx, input, example, read)));
    result.unwrap_or_else(|error| {
        cx.error(error);
        false
    })
}

/// Calls `read` at each `key = ..` of `symbol(key = .., key = ..)`, of which
/// there has to be one.
pub(crate) fn read_nested_list(
    once: &Once<'_>,
    input: ParseStream<'_>,
    symbol: Symbol,
    mut read: impl FnMut(&Ident, ParseStream<'_>) -> syn::Result<()>,
) -> syn::Result<bool> {
    let help = format!("write `{}`", symbol.form);
    if !input.peek(token::Paren) {
        let what = format!("`{symbol}` needs parentheses");
        return Err(err(once.key, what).help(help).into());
    }
    let content;
    parenthesized!(content in input);
    if content.is_empty() {
        let what = format!("`{symbol}` is empty");
        return Err(err(once.key, what).help(help).into());
    }
    Ok(read_keys(once.cx, &content, symbol, &mut read))
}

/// The loop of the two above. Consumes all of `input`.
fn read_keys(
    cx: &Ctxt,
    input: ParseStream<'_>,
    example: Symbol,
    mut read: impl FnMut(&Ident, ParseStream<'_>) -> syn::Result<()>,
) -> bool {
    let mut is_read = true;
    let mut fail = |error| {
        is_read = false;
        cx.error(error);
    };
    while !input.is_empty() {
        match input.call(Ident::parse_any) {
            Ok(key) => {
                if let Err(error) = read(&key, input) {
                    fail(error);
                    skip_value(input);
                }
            }
            Err(error) => {
                let what = format!("expected a word\nhelp: write `{}`", example.form);
                fail(syn::Error::new(error.span(), what));
                skip_all(input);
            }
        }
        if !input.is_empty() {
            if let Err(error) = input.parse::<Token![,]>() {
                fail(error);
                skip_all(input);
            }
        }
    }
    is_read
}

/// `= value`, read by `parse`.
pub(crate) fn value_with<T>(
    key: &Ident,
    input: ParseStream<'_>,
    symbol: Symbol,
    parse: impl FnOnce(ParseStream<'_>) -> syn::Result<T>,
) -> syn::Result<T> {
    let fork = needs_value(key, input, symbol)?;
    match parse(&fork) {
        Ok(value) if is_at_end(&fork) => {
            input.advance_to(&fork);
            Ok(value)
        }
        _ => Err(unreadable(key, symbol)),
    }
}

fn unreadable(key: &Ident, symbol: Symbol) -> syn::Error {
    let what = format!("cannot read the value of `{key}`");
    let help = format!("write `{}`", symbol.form);
    err(key, what).help(help).into()
}

/// `= EXPR`. What is wrong in it is told where it is wrong.
pub(crate) fn expression(key: &Ident, input: ParseStream<'_>, symbol: Symbol) -> syn::Result<Expr> {
    let fork = needs_value(key, input, symbol)?;
    let value = fork.parse::<Expr>().map_err(|error| {
        let what = format!("cannot read the value of `{key}`: {error}");
        let help = format!("write `{}`", symbol.form);
        syn::Error::new(error.span(), format!("{what}\nhelp: {help}"))
    })?;
    if !is_at_end(&fork) {
        return Err(fork.error(format!("expected `,` after the value of `{key}`")));
    }
    input.advance_to(&fork);
    Ok(value)
}

/// The input after the `=` of `key = ..`.
fn needs_value<'a>(
    key: &Ident,
    input: ParseStream<'a>,
    symbol: Symbol,
) -> syn::Result<syn::parse::ParseBuffer<'a>> {
    let fork = input.fork();
    if fork.parse::<Token![=]>().is_err() {
        let what = format!("`{key}` needs a value");
        return Err(err(key, what)
            .help(format!("write `{}`", symbol.form))
            .into());
    }
    Ok(fork)
}

pub(crate) fn bool_value(key: &Ident, input: ParseStream<'_>) -> syn::Result<bool> {
    let symbol = symbol::TREAT_NONE_AS_DEFAULT_VALUE;
    Ok(value_with(key, input, symbol, LitBool::parse)?.value)
}

/// `(Backend, Backend)`, or `(disable = true)`, as Diesel takes it.
pub(crate) fn check_for_backend(
    key: &Ident,
    input: ParseStream<'_>,
) -> syn::Result<CheckForBackend> {
    let fork = input.fork();
    match backends(&fork) {
        Ok(Some(value)) if is_at_end(&fork) => {
            input.advance_to(&fork);
            Ok(value)
        }
        _ => Err(unreadable(key, symbol::CHECK_FOR_BACKEND)),
    }
}

fn backends(input: ParseStream<'_>) -> syn::Result<Option<CheckForBackend>> {
    let content;
    parenthesized!(content in input);
    if content.peek(kw::disable) && content.peek2(Token![=]) {
        content.parse::<kw::disable>()?;
        content.parse::<Token![=]>()?;
        let is_disabled = content.parse::<LitBool>()?.value;
        return Ok(is_disabled.then_some(CheckForBackend::Disabled));
    }
    let backends = content.parse_terminated(TypePath::parse, Token![,])?;
    let backends: Vec<TypePath> = backends.into_iter().collect();
    Ok((!backends.is_empty()).then_some(CheckForBackend::Backends(backends)))
}

/// An identifier or a string, as Diesel takes it.
pub(crate) fn name(input: ParseStream<'_>) -> syn::Result<ColumnName> {
    let span = input.span();
    let text = if input.peek(Lit) {
        let name = input.parse::<LitStr>()?.value();
        name.strip_prefix("r#").unwrap_or(&name).to_owned()
    } else {
        input.call(Ident::parse_any)?.unraw().to_string()
    };
    Ok(ColumnName { text, span })
}

/// `= column`, or `= (column, column)`.
pub(crate) fn columns(key: &Ident, input: ParseStream<'_>) -> syn::Result<Vec<Ident>> {
    let columns = value_with(key, input, symbol::TARGETS, |input| {
        if !input.peek(token::Paren) {
            return Ok(vec![input.call(Ident::parse_any)?]);
        }
        let content;
        parenthesized!(content in input);
        let columns = content.parse_terminated(Ident::parse_any, Token![,])?;
        Ok(columns.into_iter().collect())
    })?;
    if columns.is_empty() {
        let what = format!("`{key}` has no columns");
        let help = format!("write `{}`", symbol::TARGETS.form);
        return Err(err(key, what).help(help).into());
    }
    Ok(columns)
}

/// The name as an identifier that is no keyword.
pub(crate) fn identifier(name: &Ident, what: &str) -> syn::Result<Ident> {
    let text = name.unraw().to_string();
    naming::path_segment(&text, name.span())
        .ok_or_else(|| err(name, format!("`{name}` cannot be {what}")).into())
}

pub(crate) fn is_at_end(input: ParseStream<'_>) -> bool {
    input.is_empty() || input.peek(Token![,])
}

/// Skips the value of a key, up to the comma that ends it.
pub(crate) fn skip_value(input: ParseStream<'_>) {
    // `= Type<A, B>` and `= a.and(b)` have commas that do not end them; only
    // where neither reading ends at a comma, the next one is taken.
    if input.peek(Token![=]) && (skip::<Type>(input) || skip::<Expr>(input)) {
        return;
    }
    while !is_at_end(input) {
        if input.parse::<TokenTree>().is_err() {
            return;
        }
    }
}

fn skip<T: Parse>(input: ParseStream<'_>) -> bool {
    let fork = input.fork();
    let is_read = fork.parse::<Token![=]>().is_ok() && fork.parse::<T>().is_ok();
    let ends = is_read && is_at_end(&fork);
    if ends {
        input.advance_to(&fork);
    }
    ends
}

fn skip_all(input: ParseStream<'_>) {
    while input.parse::<TokenTree>().is_ok() {}
}

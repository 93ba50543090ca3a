//! The attributes of the struct and of its fields, as typed values that keep
//! the span of their key.
//!
//! Nothing here returns a `Result`: what is wrong goes to the [`Ctxt`], and
//! the rest of the attributes is read all the same.

use proc_macro2::{Ident, Span, TokenTree};
use syn::ext::IdentExt;
use syn::parse::discouraged::Speculative;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Expr, Lit, LitBool, LitStr, Meta, Path, Token, Type, token};

use crate::ctxt::Ctxt;
use crate::diag::{self, err};
use crate::symbol::{self, Place, Symbol};

/// A value, and the key that it was written with.
pub(crate) struct Keyed<T> {
    pub(crate) key: Ident,
    pub(crate) value: T,
}

/// `#[conflict_key]` of a field.
pub(crate) struct ConflictKey<'a> {
    pub(crate) original: &'a Attribute,
    pub(crate) nullable: Option<Ident>,
}

/// `#[on_conflict(..)]` of a field.
pub(crate) struct OnConflict<'a> {
    pub(crate) original: &'a Attribute,
    /// `None` where the rule cannot be read, which is an error already.
    pub(crate) rule: Option<Keyed<ConflictRule>>,
}

/// The value of `#[diesel(column_name = ..)]`.
pub(crate) struct ColumnName {
    /// Without `r#`.
    pub(crate) text: String,
    pub(crate) span: Span,
}

/// What `#[on_conflict(..)]` says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConflictRule {
    Update,
    Keep,
}

/// The attributes of the struct.
#[derive(Default)]
pub(crate) struct StructAttrs {
    pub(crate) update_all: Option<Ident>,
    pub(crate) do_nothing: Option<Ident>,
    pub(crate) embedded: Option<Ident>,
    pub(crate) krate: Option<Keyed<Path>>,
    pub(crate) table_name: Option<Keyed<Path>>,
    pub(crate) treat_none_as_default_value: Option<Keyed<bool>>,
    /// A part of `#[upsert(..)]` cannot be read, so that nothing follows from
    /// what is missing.
    pub(crate) is_incomplete: bool,
}

/// The attributes of a field.
#[derive(Default)]
pub(crate) struct FieldAttrs<'a> {
    pub(crate) conflict_key: Option<ConflictKey<'a>>,
    pub(crate) on_conflict: Option<OnConflict<'a>>,
    pub(crate) column_name: Option<Keyed<ColumnName>>,
    pub(crate) embed: Option<Ident>,
    pub(crate) serialize_as: Option<Keyed<Type>>,
    pub(crate) skip_insertion: Option<Ident>,
    pub(crate) treat_none_as_default_value: Option<Keyed<bool>>,
}

impl StructAttrs {
    pub(crate) fn from_ast(cx: &Ctxt, attributes: &[Attribute], owner: &str) -> Self {
        let mut this = Self::default();
        for attribute in attributes {
            let path = attribute.path();
            if path.is_ident(symbol::UPSERT.name) {
                this.read_upsert(cx, attribute, owner);
            } else if path.is_ident(symbol::DIESEL) {
                this.read_diesel(cx, attribute, owner);
            } else {
                let misplaced = symbol::at(Place::FieldAttribute);
                refuse_misplaced(cx, attribute, misplaced, "a field");
            }
        }
        this
    }

    fn read_upsert(&mut self, cx: &Ctxt, attribute: &Attribute, owner: &str) {
        let mut is_incomplete = false;
        let is_read = read_list(cx, attribute, symbol::UPSERT, |key, input| {
            let once = Once { cx, key, owner };
            if *key == symbol::UPDATE_ALL {
                once.flag(&mut self.update_all, symbol::UPDATE_ALL, input)
            } else if *key == symbol::DO_NOTHING {
                once.flag(&mut self.do_nothing, symbol::DO_NOTHING, input)
            } else if *key == symbol::EMBEDDED {
                once.flag(&mut self.embedded, symbol::EMBEDDED, input)
            } else if *key == symbol::CRATE {
                let path = value_with(key, input, symbol::CRATE, Path::parse_mod_style)?;
                once.set(&mut self.krate, path);
                Ok(())
            } else {
                is_incomplete = true;
                let what = ("`upsert` key", "keys");
                Err(diag::unknown(key, Place::UpsertKey, what).into())
            }
        });
        self.is_incomplete |= is_incomplete || !is_read;
    }

    fn read_diesel(&mut self, cx: &Ctxt, attribute: &Attribute, owner: &str) {
        read_list(cx, attribute, symbol::TABLE_NAME, |key, input| {
            let once = Once { cx, key, owner };
            if *key == symbol::TABLE_NAME {
                let path = value_with(key, input, symbol::TABLE_NAME, Path::parse_mod_style)?;
                if self.table_name.is_some() {
                    let two = err(key, format!("`{owner}` names two tables"));
                    cx.error(two.help("write one struct for each table"));
                } else {
                    once.set(&mut self.table_name, path);
                }
                Ok(())
            } else if *key == symbol::TREAT_NONE_AS_DEFAULT_VALUE {
                let value = bool_value(key, input)?;
                once.set(&mut self.treat_none_as_default_value, value);
                Ok(())
            } else {
                skip_value(input);
                Ok(())
            }
        });
    }
}

impl<'a> FieldAttrs<'a> {
    pub(crate) fn from_ast(cx: &Ctxt, attributes: &'a [Attribute], owner: &str) -> Self {
        let mut this = Self::default();
        for attribute in attributes {
            let path = attribute.path();
            if path.is_ident(symbol::CONFLICT_KEY.name) {
                this.read_conflict_key(cx, attribute, owner);
            } else if path.is_ident(symbol::ON_CONFLICT.name) {
                this.read_on_conflict(cx, attribute, owner);
            } else if path.is_ident(symbol::DIESEL) {
                this.read_diesel(cx, attribute, owner);
            } else {
                let misplaced = symbol::at(Place::StructAttribute);
                refuse_misplaced(cx, attribute, misplaced, "the struct");
            }
        }
        this
    }

    fn read_conflict_key(&mut self, cx: &Ctxt, attribute: &'a Attribute, owner: &str) {
        let mut nullable = None;
        if !matches!(attribute.meta, Meta::Path(_)) {
            read_list(cx, attribute, symbol::CONFLICT_KEY, |key, input| {
                let once = Once { cx, key, owner };
                if *key == symbol::NULLABLE {
                    once.flag(&mut nullable, symbol::NULLABLE, input)
                } else {
                    let unknown = err(key, format!("unknown `conflict_key` option `{key}`"));
                    let form = symbol::NULLABLE.form;
                    let help = format!("write `#[conflict_key]` or `{form}`");
                    Err(unknown.help(help).into())
                }
            });
        }
        if self.conflict_key.is_some() {
            cx.error(duplicate_attribute(attribute, symbol::CONFLICT_KEY, owner));
        } else {
            self.conflict_key = Some(ConflictKey {
                original: attribute,
                nullable,
            });
        }
    }

    fn read_on_conflict(&mut self, cx: &Ctxt, attribute: &'a Attribute, owner: &str) {
        let mut rule: Option<Keyed<ConflictRule>> = None;
        let mut is_empty = true;
        let is_read = read_list(cx, attribute, symbol::ON_CONFLICT, |key, input| {
            is_empty = false;
            let once = Once { cx, key, owner };
            let value = if *key == symbol::UPDATE {
                once.bare(symbol::UPDATE, input)?;
                ConflictRule::Update
            } else if *key == symbol::KEEP {
                once.bare(symbol::KEEP, input)?;
                ConflictRule::Keep
            } else {
                let what = ("conflict rule", "rules");
                return Err(diag::unknown(key, Place::ConflictRule, what).into());
            };
            if let Some(first) = &rule {
                let first = &first.key;
                let second = err(key, format!("`{owner}` has a second conflict rule `{key}`"));
                let note = format!("its rule is `{first}` already, and a field has one");
                cx.error(second.note(note));
            } else {
                once.set(&mut rule, value);
            }
            Ok(())
        });
        if is_read && is_empty {
            let none = err(attribute, format!("`{owner}` has an empty conflict rule"));
            cx.error(none.help(format!("write `{}`", symbol::UPDATE.form)));
        }
        if self.on_conflict.is_some() {
            cx.error(duplicate_attribute(attribute, symbol::ON_CONFLICT, owner));
        } else {
            self.on_conflict = Some(OnConflict {
                original: attribute,
                rule,
            });
        }
    }

    fn read_diesel(&mut self, cx: &Ctxt, attribute: &Attribute, owner: &str) {
        read_list(cx, attribute, symbol::COLUMN_NAME, |key, input| {
            let once = Once { cx, key, owner };
            if *key == symbol::COLUMN_NAME {
                let name = value_with(key, input, symbol::COLUMN_NAME, parse_name)?;
                once.set(&mut self.column_name, name);
                Ok(())
            } else if *key == symbol::EMBED {
                once.flag(&mut self.embed, symbol::EMBED, input)
            } else if *key == symbol::SERIALIZE_AS {
                let ty = value_with(key, input, symbol::SERIALIZE_AS, Type::parse)?;
                once.set(&mut self.serialize_as, ty);
                Ok(())
            } else if *key == symbol::SKIP_INSERTION {
                once.flag(&mut self.skip_insertion, symbol::SKIP_INSERTION, input)
            } else if *key == symbol::TREAT_NONE_AS_DEFAULT_VALUE {
                let value = bool_value(key, input)?;
                once.set(&mut self.treat_none_as_default_value, value);
                Ok(())
            } else {
                skip_value(input);
                Ok(())
            }
        });
    }
}

fn duplicate_attribute(attribute: &Attribute, symbol: Symbol, owner: &str) -> diag::Diag {
    err(attribute, format!("duplicate `#[{symbol}]` on `{owner}`"))
}

fn refuse_misplaced(
    cx: &Ctxt,
    attribute: &Attribute,
    mut misplaced: impl Iterator<Item = Symbol>,
    right_place: &str,
) {
    if let Some(symbol) = misplaced.find(|it| attribute.path().is_ident(it.name)) {
        let what = format!("`#[{symbol}]` is not expected here");
        cx.error(err(attribute, what).note(format!("it belongs on {right_place}")));
    }
}

/// A key that may be written once on `owner`.
struct Once<'a> {
    cx: &'a Ctxt,
    key: &'a Ident,
    owner: &'a str,
}

impl Once<'_> {
    fn set<T>(&self, slot: &mut Option<Keyed<T>>, value: T) {
        if slot.is_some() {
            self.duplicate();
        } else {
            *slot = Some(Keyed {
                key: self.key.clone(),
                value,
            });
        }
    }

    fn flag(
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
    fn bare(&self, symbol: Symbol, input: ParseStream<'_>) -> syn::Result<()> {
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
fn read_list(
    cx: &Ctxt,
    attribute: &Attribute,
    example: Symbol,
    mut read: impl FnMut(&Ident, ParseStream<'_>) -> syn::Result<()>,
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
    let mut is_read = true;
    let result = list.parse_args_with(|input: ParseStream<'_>| {
        while !input.is_empty() {
            let key = input.call(Ident::parse_any).map_err(|error| {
                let what = format!("expected a word\nhelp: write `{}`", example.form);
                syn::Error::new(error.span(), what)
            })?;
            if let Err(error) = read(&key, input) {
                is_read = false;
                cx.error(error);
                skip_value(input);
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    });
    if let Err(error) = result {
        is_read = false;
        cx.error(error);
    }
    is_read
}

/// `= value`, read by `parse`.
fn value_with<T>(
    key: &Ident,
    input: ParseStream<'_>,
    symbol: Symbol,
    parse: impl FnOnce(ParseStream<'_>) -> syn::Result<T>,
) -> syn::Result<T> {
    let unread = |what| err(key, what).help(format!("write `{}`", symbol.form));
    if !input.peek(Token![=]) {
        return Err(unread(format!("`{symbol}` needs a value")).into());
    }
    let fork = input.fork();
    fork.parse::<Token![=]>()?;
    match parse(&fork) {
        Ok(value) if is_at_end(&fork) => {
            input.advance_to(&fork);
            Ok(value)
        }
        _ => Err(unread(format!("cannot read the value of `{symbol}`")).into()),
    }
}

fn bool_value(key: &Ident, input: ParseStream<'_>) -> syn::Result<bool> {
    let symbol = symbol::TREAT_NONE_AS_DEFAULT_VALUE;
    Ok(value_with(key, input, symbol, LitBool::parse)?.value)
}

/// An identifier or a string, as Diesel takes it.
fn parse_name(input: ParseStream<'_>) -> syn::Result<ColumnName> {
    let span = input.span();
    let text = if input.peek(Lit) {
        let name = input.parse::<LitStr>()?.value();
        name.strip_prefix("r#").unwrap_or(&name).to_owned()
    } else {
        input.call(Ident::parse_any)?.unraw().to_string()
    };
    Ok(ColumnName { text, span })
}

fn is_at_end(input: ParseStream<'_>) -> bool {
    input.is_empty() || input.peek(Token![,])
}

/// Skips the value of a key, up to the comma that ends it.
fn skip_value(input: ParseStream<'_>) {
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

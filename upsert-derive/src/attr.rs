//! The attributes of the struct and of its fields, as typed values that keep
//! the span of their key.
//!
//! Nothing here returns a `Result` to the outside: what is wrong goes to the
//! [`Ctxt`], and the rest of the attributes is read all the same.

use proc_macro2::Ident;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Expr, LitStr, Member, Meta, Path, Type, TypePath};

use crate::ctxt::Ctxt;
use crate::diag::{self, err};
use crate::parse::{self, ColumnName, Once, read_list, skip_value, value_with};
use crate::rule::Rule;
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

/// What `#[on_conflict(..)]` says.
pub(crate) struct ConflictRule {
    pub(crate) rule: Rule,
    /// That of `set = EXPR` and `touch = EXPR`.
    pub(crate) expression: Option<Expr>,
}

/// `#[on_insert(..)]` of a field.
pub(crate) struct OnInsert<'a> {
    pub(crate) original: &'a Attribute,
    /// `None` where it cannot be read, which is an error already.
    pub(crate) default: Option<Keyed<Expr>>,
}

/// `column = EXPR` in `set(..)` and `touch(..)` of the struct.
pub(crate) struct Assignment {
    pub(crate) column: Ident,
    pub(crate) expression: Expr,
}

/// `name = (column, column)` in `targets(..)`.
pub(crate) struct NamedTarget {
    pub(crate) name: Ident,
    /// There is at least one.
    pub(crate) columns: Vec<Ident>,
}

/// `check_for_backend(..)`: where the fields can be written.
pub(crate) enum CheckForBackend {
    /// On each of these databases.
    Backends(Vec<TypePath>),
    /// It is not checked.
    Disabled,
}

/// The attributes of the struct.
#[derive(Default)]
pub(crate) struct StructAttrs {
    pub(crate) update_all: Option<Ident>,
    pub(crate) do_nothing: Option<Ident>,
    pub(crate) embedded: Option<Ident>,
    pub(crate) skip_unchanged: Option<Ident>,
    pub(crate) set: Option<Keyed<Vec<Assignment>>>,
    pub(crate) touch: Option<Keyed<Vec<Assignment>>>,
    pub(crate) update_if: Option<Keyed<Expr>>,
    pub(crate) newer_by: Option<Keyed<Member>>,
    pub(crate) not_older_by: Option<Keyed<Member>>,
    pub(crate) constraint: Option<Keyed<LitStr>>,
    pub(crate) target: Option<Keyed<Vec<Expr>>>,
    pub(crate) target_where: Option<Keyed<Expr>>,
    pub(crate) targets: Option<Keyed<Vec<NamedTarget>>>,
    pub(crate) krate: Option<Keyed<Path>>,
    pub(crate) table_name: Option<Keyed<Path>>,
    pub(crate) check_for_backend: Option<Keyed<CheckForBackend>>,
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
    pub(crate) on_insert: Option<OnInsert<'a>>,
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

    /// The assignments of `set(..)` and `touch(..)`, each with its key.
    pub(crate) fn assignments(&self) -> impl Iterator<Item = (Rule, &Ident, &Assignment)> {
        let lists = [(Rule::Set, &self.set), (Rule::Touch, &self.touch)];
        lists.into_iter().flat_map(|(rule, list)| {
            let list = list.iter();
            list.flat_map(move |it| it.value.iter().map(move |one| (rule, &it.key, one)))
        })
    }

    /// Is the conflict target something else than columns?
    pub(crate) fn has_target(&self) -> bool {
        self.target.is_some() || self.constraint.is_some()
    }

    /// The guard by a field, and whether an equal one passes.
    pub(crate) fn newer_by(&self) -> Option<(&Keyed<Member>, bool)> {
        let newer = self.newer_by.as_ref().map(|it| (it, false));
        newer.or(self.not_older_by.as_ref().map(|it| (it, true)))
    }

    fn read_upsert(&mut self, cx: &Ctxt, attribute: &Attribute, owner: &str) {
        let mut is_complete = true;
        let is_read = read_list(cx, attribute, symbol::UPSERT, |key, input| {
            is_complete &= self.read_upsert_key(&Once { cx, key, owner }, input)?;
            Ok(())
        });
        self.is_incomplete |= !(is_read && is_complete);
    }

    /// Returns whether all of the value could be read.
    fn read_upsert_key(&mut self, once: &Once<'_>, input: ParseStream<'_>) -> syn::Result<bool> {
        let key = once.key;
        if *key == symbol::UPDATE_ALL {
            once.flag(&mut self.update_all, symbol::UPDATE_ALL, input)?;
        } else if *key == symbol::DO_NOTHING {
            once.flag(&mut self.do_nothing, symbol::DO_NOTHING, input)?;
        } else if *key == symbol::EMBEDDED {
            once.flag(&mut self.embedded, symbol::EMBEDDED, input)?;
        } else if *key == symbol::SKIP_UNCHANGED {
            once.flag(&mut self.skip_unchanged, symbol::SKIP_UNCHANGED, input)?;
        } else if *key == symbol::SET_COLUMNS {
            return read_assignments(once, &mut self.set, symbol::SET_COLUMNS, input);
        } else if *key == symbol::TOUCH_COLUMNS {
            return read_assignments(once, &mut self.touch, symbol::TOUCH_COLUMNS, input);
        } else if *key == symbol::UPDATE_IF {
            let guard = parse::expression(key, input, symbol::UPDATE_IF)?;
            once.set(&mut self.update_if, guard);
        } else if *key == symbol::NEWER_BY {
            let field = value_with(key, input, symbol::NEWER_BY, Member::parse)?;
            once.set(&mut self.newer_by, field);
        } else if *key == symbol::NOT_OLDER_BY {
            let field = value_with(key, input, symbol::NOT_OLDER_BY, Member::parse)?;
            once.set(&mut self.not_older_by, field);
        } else if *key == symbol::CONSTRAINT {
            let name = value_with(key, input, symbol::CONSTRAINT, Parse::parse)?;
            once.set(&mut self.constraint, name);
        } else if *key == symbol::TARGET {
            let target = parse::expression(key, input, symbol::TARGET)?;
            once.set(&mut self.target, elements(target));
        } else if *key == symbol::TARGET_WHERE {
            let predicate = parse::expression(key, input, symbol::TARGET_WHERE)?;
            once.set(&mut self.target_where, predicate);
        } else if *key == symbol::TARGETS {
            return read_targets(once, &mut self.targets, input);
        } else if *key == symbol::CRATE {
            let path = value_with(key, input, symbol::CRATE, Path::parse_mod_style)?;
            once.set(&mut self.krate, path);
        } else {
            let what = ("`upsert` key", "keys");
            return Err(diag::unknown(key, Place::UpsertKey, what).into());
        }
        Ok(true)
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
            } else if *key == symbol::CHECK_FOR_BACKEND {
                let value = parse::check_for_backend(key, input)?;
                once.set(&mut self.check_for_backend, value);
                Ok(())
            } else if *key == symbol::TREAT_NONE_AS_DEFAULT_VALUE {
                let value = parse::bool_value(key, input)?;
                once.set(&mut self.treat_none_as_default_value, value);
                Ok(())
            } else {
                skip_diesel(key, input)
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
            } else if path.is_ident(symbol::ON_INSERT.name) {
                this.read_on_insert(cx, attribute, owner);
            } else if path.is_ident(symbol::DIESEL) {
                this.read_diesel(cx, attribute, owner);
            } else {
                let misplaced = symbol::at(Place::StructAttribute);
                refuse_misplaced(
                    cx,
                    attribute,
                    misplaced,
                    "the struct; a field has `#[conflict_key]`, `#[on_conflict(..)]`, \
                     `#[on_insert(..)]`",
                );
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
            let Some((symbol, value)) = Rule::of_word(key) else {
                let what = ("conflict rule", "rules");
                return Err(diag::unknown(key, Place::ConflictRule, what).into());
            };
            let expression = match value {
                Rule::Set => Some(parse::expression(key, input, symbol)?),
                Rule::Touch if !parse::is_at_end(input) => {
                    let form = symbol.other_form.unwrap_or(symbol.form);
                    let with_value = Symbol { form, ..symbol };
                    Some(parse::expression(key, input, with_value)?)
                }
                _ => {
                    once.bare(symbol, input)?;
                    None
                }
            };
            if let Some(first) = &rule {
                let first = &first.key;
                let second = err(key, format!("`{owner}` has a second conflict rule `{key}`"));
                let note = format!("its rule is `{first}` already, and a field has one");
                cx.error(second.note(note));
            } else {
                let rule_of_field = ConflictRule {
                    rule: value,
                    expression,
                };
                once.set(&mut rule, rule_of_field);
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

    fn read_on_insert(&mut self, cx: &Ctxt, attribute: &'a Attribute, owner: &str) {
        let mut default = None;
        let mut is_empty = true;
        let is_read = read_list(cx, attribute, symbol::ON_INSERT, |key, input| {
            is_empty = false;
            if *key != symbol::DEFAULT {
                let unknown = err(key, format!("unknown `on_insert` option `{key}`"));
                let help = format!("write `{}`", symbol::DEFAULT.form);
                return Err(unknown.help(help).into());
            }
            let value = parse::expression(key, input, symbol::DEFAULT)?;
            Once { cx, key, owner }.set(&mut default, value);
            Ok(())
        });
        if is_read && is_empty {
            let none = err(attribute, format!("`{owner}` has an empty `on_insert`"));
            cx.error(none.help(format!("write `{}`", symbol::DEFAULT.form)));
        }
        if self.on_insert.is_some() {
            cx.error(duplicate_attribute(attribute, symbol::ON_INSERT, owner));
        } else {
            self.on_insert = Some(OnInsert {
                original: attribute,
                default,
            });
        }
    }

    fn read_diesel(&mut self, cx: &Ctxt, attribute: &Attribute, owner: &str) {
        read_list(cx, attribute, symbol::COLUMN_NAME, |key, input| {
            let once = Once { cx, key, owner };
            if *key == symbol::COLUMN_NAME {
                let name = value_with(key, input, symbol::COLUMN_NAME, parse::name)?;
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
                let value = parse::bool_value(key, input)?;
                once.set(&mut self.treat_none_as_default_value, value);
                Ok(())
            } else {
                skip_diesel(key, input)
            }
        });
    }
}

/// Skips a key that Diesel's own derives read, unless it is a slip.
fn skip_diesel(key: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
    if let Some(slip) = diag::slip_in_diesel(key) {
        return Err(slip.into());
    }
    skip_value(input);
    Ok(())
}

/// `set(column = EXPR, ..)`.
fn read_assignments(
    once: &Once<'_>,
    slot: &mut Option<Keyed<Vec<Assignment>>>,
    symbol: Symbol,
    input: ParseStream<'_>,
) -> syn::Result<bool> {
    let mut assignments = Vec::new();
    let is_read = parse::read_nested_list(once, input, symbol, |column, input| {
        assignments.push(Assignment {
            column: parse::identifier(column, "a column in `diesel::table!`")?,
            expression: parse::expression(column, input, symbol)?,
        });
        Ok(())
    })?;
    once.set(slot, assignments);
    Ok(is_read)
}

/// `targets(name = column, name = (column, column), ..)`.
fn read_targets(
    once: &Once<'_>,
    slot: &mut Option<Keyed<Vec<NamedTarget>>>,
    input: ParseStream<'_>,
) -> syn::Result<bool> {
    let symbol = symbol::TARGETS;
    let mut targets = Vec::new();
    let is_read = parse::read_nested_list(once, input, symbol, |name, input| {
        let name = parse::identifier(name, "the name of a function")?;
        let columns = parse::columns(&name, input)?;
        targets.push(NamedTarget { name, columns });
        Ok(())
    })?;
    once.set(slot, targets);
    Ok(is_read)
}

/// `(EXPR, EXPR)`, or one expression.
fn elements(target: Expr) -> Vec<Expr> {
    match target {
        Expr::Tuple(tuple) => tuple.elems.into_iter().collect(),
        Expr::Group(group) if matches!(*group.expr, Expr::Tuple(_)) => elements(*group.expr),
        one => vec![one],
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

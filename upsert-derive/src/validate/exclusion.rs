//! Attributes that exclude each other.

use proc_macro2::TokenStream;
use quote::ToTokens;

use crate::ast::{Container, Field};
use crate::attr::{FieldAttrs, StructAttrs};
use crate::ctxt::Ctxt;
use crate::diag::err;
use crate::rule::Rule;
use crate::symbol::{self, Symbol};

/// Two attributes that exclude each other: the first is named, the second is
/// pointed at.
struct Exclusion {
    first: Symbol,
    second: Symbol,
    why: &'static str,
}

const fn exclusion(first: Symbol, second: Symbol, why: &'static str) -> Exclusion {
    Exclusion { first, second, why }
}

const ON_INNER_FIELDS: &str = "it belongs on the fields of the embedded struct";
const LEFT_AS_THEY_ARE: &str = "rows that exist are left as they are";
const ON_MODEL: &str = "it belongs on the model that embeds the struct";

const FIELD_EXCLUSIONS: &[Exclusion] = &[
    exclusion(
        symbol::CONFLICT_KEY,
        symbol::ON_INSERT,
        "a row has to say which row it is",
    ),
    exclusion(symbol::EMBED, symbol::CONFLICT_KEY, ON_INNER_FIELDS),
    exclusion(symbol::EMBED, symbol::ON_CONFLICT, ON_INNER_FIELDS),
    exclusion(symbol::EMBED, symbol::ON_INSERT, ON_INNER_FIELDS),
    exclusion(
        symbol::EMBED,
        symbol::SERIALIZE_AS,
        "an embedded struct is written by its own fields",
    ),
    exclusion(
        symbol::EMBED,
        symbol::TREAT_NONE_AS_DEFAULT_VALUE,
        ON_INNER_FIELDS,
    ),
    exclusion(
        symbol::SERIALIZE_AS,
        symbol::ON_INSERT,
        "the default would not be converted",
    ),
    exclusion(
        symbol::SKIP_INSERTION,
        symbol::ON_CONFLICT,
        "no value is proposed for a field that is not inserted",
    ),
    exclusion(
        symbol::SKIP_INSERTION,
        symbol::ON_INSERT,
        "the field is not inserted",
    ),
];

const STRUCT_EXCLUSIONS: &[Exclusion] = &[
    exclusion(
        symbol::DO_NOTHING,
        symbol::UPDATE_ALL,
        "rows that exist are either left as they are or updated",
    ),
    exclusion(symbol::DO_NOTHING, symbol::SET_COLUMNS, LEFT_AS_THEY_ARE),
    exclusion(symbol::DO_NOTHING, symbol::TOUCH_COLUMNS, LEFT_AS_THEY_ARE),
    exclusion(symbol::DO_NOTHING, symbol::UPDATE_IF, LEFT_AS_THEY_ARE),
    exclusion(symbol::DO_NOTHING, symbol::NEWER_BY, LEFT_AS_THEY_ARE),
    exclusion(symbol::DO_NOTHING, symbol::NOT_OLDER_BY, LEFT_AS_THEY_ARE),
    exclusion(symbol::DO_NOTHING, symbol::SKIP_UNCHANGED, LEFT_AS_THEY_ARE),
    exclusion(
        symbol::EMBEDDED,
        symbol::DO_NOTHING,
        "the model that embeds the struct says what happens to rows that exist",
    ),
    exclusion(symbol::EMBEDDED, symbol::SET_COLUMNS, ON_MODEL),
    exclusion(symbol::EMBEDDED, symbol::TOUCH_COLUMNS, ON_MODEL),
    exclusion(symbol::EMBEDDED, symbol::UPDATE_IF, ON_MODEL),
    exclusion(symbol::EMBEDDED, symbol::NEWER_BY, ON_MODEL),
    exclusion(symbol::EMBEDDED, symbol::NOT_OLDER_BY, ON_MODEL),
    exclusion(symbol::EMBEDDED, symbol::SKIP_UNCHANGED, ON_MODEL),
    exclusion(symbol::EMBEDDED, symbol::CONSTRAINT, ON_MODEL),
    exclusion(symbol::EMBEDDED, symbol::TARGET, ON_MODEL),
    exclusion(symbol::EMBEDDED, symbol::TARGET_WHERE, ON_MODEL),
    exclusion(symbol::EMBEDDED, symbol::TARGETS, ON_MODEL),
    exclusion(
        symbol::NEWER_BY,
        symbol::NOT_OLDER_BY,
        "an equal one either passes or does not",
    ),
    exclusion(
        symbol::CONSTRAINT,
        symbol::TARGET,
        "the constraint is the conflict target",
    ),
    exclusion(
        symbol::CONSTRAINT,
        symbol::TARGET_WHERE,
        "a constraint has no predicate",
    ),
];

// The pairs of `FIELD_EXCLUSIONS`, and
//
//     #[conflict_key]
//     #[diesel(skip_insertion)]
//     id: i32,
pub(super) fn check_field(cx: &Ctxt, container: &Container<'_>, field: &Field<'_>) {
    // Exhaustive, so that a new attribute has to be classified.
    let FieldAttrs {
        conflict_key,
        on_conflict,
        on_insert,
        column_name: _,
        embed,
        serialize_as,
        skip_insertion,
        treat_none_as_default_value,
    } = &field.attrs;
    let name = field.name();
    if let (Some(key), Some(_)) = (conflict_key, skip_insertion) {
        let skip = symbol::SKIP_INSERTION.form;
        let what = format!("conflict key `{name}` is `{skip}`, so no value is proposed for it");
        cx.error(err(key.original, what));
    }
    check_rule_of_key(cx, container, field);
    let key_of_treat_none = treat_none_as_default_value.as_ref().map(|it| &it.key);
    let attributes = [
        place(
            symbol::CONFLICT_KEY,
            conflict_key.as_ref().map(|it| it.original),
        ),
        place(
            symbol::ON_CONFLICT,
            on_conflict.as_ref().map(|it| it.original),
        ),
        place(symbol::ON_INSERT, on_insert.as_ref().map(|it| it.original)),
        place(symbol::EMBED, embed.as_ref()),
        place(
            symbol::SERIALIZE_AS,
            serialize_as.as_ref().map(|it| &it.key),
        ),
        place(symbol::SKIP_INSERTION, skip_insertion.as_ref()),
        place(symbol::TREAT_NONE_AS_DEFAULT_VALUE, key_of_treat_none),
    ];
    check_exclusions(cx, FIELD_EXCLUSIONS, &attributes, &name);
}

// Where the columns are the conflict target, they are the same in both rows:
//
//     #[conflict_key]
//     #[on_conflict(update)]
//     id: i32,
//
// Where it is something else, such as `lower(email)`, the key's text may
// change.
fn check_rule_of_key(cx: &Ctxt, container: &Container<'_>, field: &Field<'_>) {
    let (Some(_), Some(on_conflict)) = (&field.attrs.conflict_key, &field.attrs.on_conflict) else {
        return;
    };
    let name = field.name();
    let key = symbol::CONFLICT_KEY;
    if !container.attrs.has_target() {
        let symbol = symbol::ON_CONFLICT;
        let what = format!("`{symbol}` cannot be combined with `{key}` on `{name}`");
        cx.error(err(on_conflict.original, what).note("a conflict key is never updated"));
        return;
    }
    let Some(rule) = &on_conflict.rule else {
        return;
    };
    if !matches!(rule.value.rule, Rule::Update | Rule::Keep) {
        let word = &rule.key;
        let what = format!("`{word}` cannot be combined with `{key}` on `{name}`");
        let (update, keep) = (symbol::UPDATE.form, symbol::KEEP.form);
        cx.error(err(word, what).help(format!("write `{update}` or `{keep}`")));
    }
}

// The pairs of `STRUCT_EXCLUSIONS`.
pub(super) fn check_struct(cx: &Ctxt, container: &Container<'_>) {
    let StructAttrs {
        update_all,
        do_nothing,
        embedded,
        skip_unchanged,
        set,
        touch,
        update_if,
        newer_by,
        not_older_by,
        constraint,
        target,
        target_where,
        targets,
        krate: _,
        table_name: _,
        check_for_backend: _,
        treat_none_as_default_value: _,
        is_incomplete: _,
    } = &container.attrs;
    let attributes = [
        place(symbol::UPDATE_ALL, update_all.as_ref()),
        place(symbol::DO_NOTHING, do_nothing.as_ref()),
        place(symbol::EMBEDDED, embedded.as_ref()),
        place(symbol::SKIP_UNCHANGED, skip_unchanged.as_ref()),
        place(symbol::SET_COLUMNS, set.as_ref().map(|it| &it.key)),
        place(symbol::TOUCH_COLUMNS, touch.as_ref().map(|it| &it.key)),
        place(symbol::UPDATE_IF, update_if.as_ref().map(|it| &it.key)),
        place(symbol::NEWER_BY, newer_by.as_ref().map(|it| &it.key)),
        place(
            symbol::NOT_OLDER_BY,
            not_older_by.as_ref().map(|it| &it.key),
        ),
        place(symbol::CONSTRAINT, constraint.as_ref().map(|it| &it.key)),
        place(symbol::TARGET, target.as_ref().map(|it| &it.key)),
        place(
            symbol::TARGET_WHERE,
            target_where.as_ref().map(|it| &it.key),
        ),
        place(symbol::TARGETS, targets.as_ref().map(|it| &it.key)),
    ];
    let name = container.original.ident.to_string();
    check_exclusions(cx, STRUCT_EXCLUSIONS, &attributes, &name);
}

fn place<T: ToTokens>(symbol: Symbol, written: Option<&T>) -> (Symbol, Option<TokenStream>) {
    (symbol, written.map(T::to_token_stream))
}

fn check_exclusions(
    cx: &Ctxt,
    exclusions: &[Exclusion],
    attributes: &[(Symbol, Option<TokenStream>)],
    owner: &str,
) {
    let find = |wanted: Symbol| {
        let mut written = attributes.iter().filter(|(symbol, _)| *symbol == wanted);
        written.find_map(|(_, at)| at.as_ref())
    };
    for exclusion in exclusions {
        let Exclusion { first, second, why } = exclusion;
        if let (Some(_), Some(at)) = (find(*first), find(*second)) {
            let what = format!("`{second}` cannot be combined with `{first}` on `{owner}`");
            cx.error(err(at, what).note(why));
        }
    }
}

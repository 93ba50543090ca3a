//! Every message has the form that the others have.

use super::symbols::is_accepted;
use super::{assertions, errors, expand};

/// A struct, and the first lines of its errors.
const FAULTS: &[(&str, &[&str])] = &[
    (
        "enum Product { A }",
        &["`Product` is an enum, so it has no columns"],
    ),
    (
        "union Product { a: i32 }",
        &["`Product` is a union, so it has no columns"],
    ),
    (
        "struct Product;",
        &["`Product` has no fields, so it has no columns"],
    ),
    (
        "struct Product {}",
        &["`Product` has no fields, so it has no columns"],
    ),
    (
        "#[upsert(update_al)] struct Product { id: i32 }",
        &["unknown `upsert` key `update_al`"],
    ),
    (
        "#[upsert] #[conflict_key] #[on_conflict(update)] struct Product { id: i32 }",
        &[
            "`#[upsert]` needs parentheses",
            "`#[conflict_key]` is not expected here",
            "`#[on_conflict]` is not expected here",
        ],
    ),
    (
        "#[upsert(update_all, update_all = 1, crate)] struct Product { id: i32 }",
        &[
            "duplicate `update_all` on `Product`",
            "`update_all` takes no value",
            "`crate` needs a value",
        ],
    ),
    (
        "#[upsert(update_all embedded)] struct Product {
            #[conflict_key = 1] id: i32,
            #[on_conflict = update] sku: i32,
        }",
        &[
            "expected `,` after `update_all`",
            "`#[conflict_key]` takes no value",
            "`#[on_conflict]` takes no value",
        ],
    ),
    (
        "#[upsert(update_all, 1)] struct Product { id: i32 }",
        &["expected a word"],
    ),
    (
        "#[upsert(update_all)] #[diesel(table_name = a, table_name = b)]
         struct Product { id: i32 }",
        &["`Product` names two tables"],
    ),
    (
        "#[upsert(update_all)] #[diesel(table_name = 1, treat_none_as_default_value = 1)]
         struct Product { id: i32 }",
        &[
            "cannot read the value of `table_name`",
            "cannot read the value of `treat_none_as_default_value`",
        ],
    ),
    (
        "#[upsert(update_all, do_nothing, embedded)] struct Product { id: i32 }",
        &[
            "`update_all` cannot be combined with `do_nothing` on `Product`",
            "`do_nothing` cannot be combined with `embedded` on `Product`",
        ],
    ),
    (
        "struct Product {
            #[conflict_key] #[conflict_key] id: i32,
            #[conflict_key(nulable)] sku: i32,
            #[on_conflict(update)] #[on_conflict(update)] name: i32,
        }",
        &[
            "duplicate `#[conflict_key]` on `id`",
            "unknown `conflict_key` option `nulable`",
            "duplicate `#[on_conflict]` on `name`",
        ],
    ),
    (
        "struct Product {
            #[on_conflict(updaet)] id: i32,
            #[on_conflict] sku: i32,
            #[on_conflict()] name: i32,
            #[on_conflict(update, keep)] stock: i32,
            #[on_conflict(keep = 1)] price: i32,
            #[upsert(update_all)] note: i32,
        }",
        &[
            "unknown conflict rule `updaet`",
            "`#[on_conflict]` needs parentheses",
            "`name` has an empty conflict rule",
            "`stock` has a second conflict rule `keep`",
            "`keep` takes no value",
            "`#[upsert]` is not expected here",
        ],
    ),
    (
        "struct Product { #[conflict_key] #[on_conflict(update)] id: i32, name: i32 }",
        &[
            "`on_conflict` cannot be combined with `conflict_key` on `id`",
            "`Product` does not say what happens to rows that exist",
        ],
    ),
    (
        "struct Product {
            #[diesel(embed, serialize_as = A, treat_none_as_default_value = true)]
            #[conflict_key]
            #[on_conflict(keep)]
            inner: Inner,
        }",
        &[
            "`on_conflict` cannot be combined with `conflict_key` on `inner`",
            "`conflict_key` cannot be combined with `embed` on `inner`",
            "`on_conflict` cannot be combined with `embed` on `inner`",
            "`serialize_as` cannot be combined with `embed` on `inner`",
            "`treat_none_as_default_value` cannot be combined with `embed` on `inner`",
        ],
    ),
    (
        "#[upsert(update_all)] struct Product {
            #[diesel(skip_insertion)] #[conflict_key] id: i32,
            #[diesel(skip_insertion)] #[on_conflict(keep)] sku: i32,
            name: i32,
        }",
        &[
            "conflict key `id` is `#[diesel(skip_insertion)]`, so no value is proposed for it",
            "`on_conflict` cannot be combined with `skip_insertion` on `sku`",
        ],
    ),
    (
        "#[upsert(update_all)] struct Product {
            #[conflict_key] region: Option<i32>,
            #[conflict_key(nullable)] sku: i32,
            #[diesel(treat_none_as_default_value = true)] name: i32,
        }",
        &[
            "conflict key `region` is an `Option`: rows with NULL never conflict",
            "conflict key `sku` is `nullable`, but not an `Option`",
            "`treat_none_as_default_value` means nothing on `name`, which is not an `Option`",
        ],
    ),
    (
        "#[upsert(update_all)] struct Product(i32, #[diesel(column_name = \"a b\")] i32);",
        &[
            "field `0` has no column",
            "`a b` cannot be a column in `diesel::table!`",
        ],
    ),
    (
        "#[upsert(update_all)] struct Product {
            r#type: i32,
            #[diesel(column_name = \"type\")] kind: i32,
        }",
        &["`kind` and `r#type` are the same column `type`"],
    ),
    (
        "struct Product { #[diesel(skip_insertion)] id: i32 }",
        &["every field of `Product` is `#[diesel(skip_insertion)]`, so it has no columns"],
    ),
    (
        "#[upsert(do_nothing)] struct Product { id: i32, #[on_conflict(update)] name: i32 }",
        &["`do_nothing` cannot be combined with the update rule on `name`"],
    ),
    (
        "#[upsert(update_all)] struct Product { #[conflict_key] id: i32 }",
        &["every field of `Product` is a conflict key, so there is nothing to update"],
    ),
    (
        "struct Product { #[conflict_key] id: i32, name: i32 }",
        &["`Product` does not say what happens to rows that exist"],
    ),
];

/// Structs whose faults only rustc can see, and the first lines of what it is
/// told to say.
const ASSERTED: &[(&str, &[&str])] = &[
    (
        "#[upsert(update_all)] struct Product { id: i32 }",
        &[
            "`Product` has no conflict target",
            "`Product` has nothing to update",
        ],
    ),
    (
        "struct Product { #[on_conflict(update)] id: i32 }",
        &[
            "`Product` has no conflict target",
            "`id` is in the conflict target of `Product`, so it is never updated",
        ],
    ),
    (
        "struct Product { #[diesel(embed)] inner: Inner }",
        &[
            "`Product` has no conflict target",
            "neither `Product` nor a struct embedded in it says what happens to rows that exist",
        ],
    ),
    (
        "#[upsert(do_nothing)] struct Product { #[diesel(embed)] inner: Inner }",
        &[
            "`Product` has no conflict target",
            "`do_nothing` cannot be combined with the update rule of a struct embedded in \
             `Product`",
        ],
    ),
];

#[test]
fn all_faults_are_reported_once() {
    for (source, expected) in FAULTS {
        assert_eq!(first_lines(&errors(expand(source))), *expected, "{source}");
    }
    for (source, expected) in ASSERTED {
        let expanded = expand(source);
        assert_eq!(errors(expanded.clone()), [""; 0], "{source}");
        assert_eq!(first_lines(&assertions(expanded)), *expected, "{source}");
    }
}

#[test]
fn faults_leave_the_impls_in_place() {
    for (source, _) in FAULTS {
        let expanded = expand(source);
        let file = syn::parse2::<syn::File>(expanded).expect("items");
        assert!(
            matches!(file.items.last(), Some(syn::Item::Const(_))),
            "{source}"
        );
    }
}

#[test]
fn messages_have_one_form() {
    let faults = FAULTS.iter().flat_map(|(source, _)| errors(expand(source)));
    let asserted = ASSERTED
        .iter()
        .flat_map(|(source, _)| assertions(expand(source)));
    for message in faults.chain(asserted) {
        let lines: Vec<_> = message.lines().collect();
        assert!(lines.len() <= 3, "{message}");
        for (index, line) in lines.iter().enumerate() {
            let is_noted = line.starts_with("note: ") || line.starts_with("help: ");
            assert_eq!(is_noted, index > 0, "{message}");
            assert!(!line.ends_with('.'), "{message}");
            assert!(!line.contains("  "), "{message}");
            let first = line.chars().next();
            assert!(
                first.is_some_and(|it| it == '`' || it.is_lowercase()),
                "{message}"
            );
            assert_eq!(line.matches('`').count() % 2, 0, "{message}");
        }
    }
}

#[test]
fn attributes_in_help_are_accepted() {
    let mut seen = 0;
    let faults = FAULTS.iter().flat_map(|(source, _)| errors(expand(source)));
    let asserted = ASSERTED
        .iter()
        .flat_map(|(source, _)| assertions(expand(source)));
    for message in faults.chain(asserted) {
        let help = message.lines().filter(|line| line.starts_with("help: "));
        for quoted in help.flat_map(|line| line.split('`').skip(1).step_by(2)) {
            if quoted.starts_with("#[") {
                assert!(is_accepted(quoted), "{message}");
                seen += 1;
            }
        }
    }
    assert!(seen > 0);
}

fn first_lines(messages: &[String]) -> Vec<&str> {
    let lines = messages.iter().filter_map(|it| it.lines().next());
    lines.collect()
}

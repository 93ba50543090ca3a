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
    (
        "#[upsert(set, touch(), set(name), newer_by, update_if = , target = a b)]
         struct Product { #[on_conflict(update)] id: i32 }",
        &[
            "`set` needs parentheses",
            "`touch` is empty",
            "`name` needs a value",
            "`newer_by` needs a value",
            "cannot read the value of `update_if`: expected an expression",
            "expected `,` after the value of `target`",
        ],
    ),
    (
        "#[upsert(set(a = 1 b = 2), touch(1 = 2, c = 3), targets(by = 1, by(a)))]
         struct Product { #[on_conflict(update)] id: i32 }",
        &[
            "expected `,` after the value of `a`",
            "expected a word",
            "cannot read the value of `by`",
            "`by` needs a value",
        ],
    ),
    (
        "#[upsert(set(self = 1), targets(by = (), crate = id), constraint = name)]
         struct Product { #[on_conflict(update)] id: i32 }",
        &[
            "`self` cannot be a column in `diesel::table!`",
            "`by` has no columns",
            "`crate` cannot be the name of a function",
            "cannot read the value of `constraint`",
        ],
    ),
    (
        "#[upsert(set(a = 1), set(b = 1), update_if = a, update_if = b, skip_unchanged,
                  skip_unchanged = 1, skip_unchangd)]
         struct Product { #[on_conflict(update)] id: i32 }",
        &[
            "duplicate `set` on `Product`",
            "duplicate `update_if` on `Product`",
            "duplicate `skip_unchanged` on `Product`",
            "`skip_unchanged` takes no value",
            "unknown `upsert` key `skip_unchangd`",
        ],
    ),
    (
        "#[on_insert(default = 1)] struct Product {
            #[on_conflict(set)] id: i32,
            #[on_conflict(touch(1))] sku: i32,
            #[on_conflict(add = 1)] stock: i32,
            #[on_conflict(set = 1, touch)] name: i32,
            #[on_conflict(colaesce)] note: i32,
        }",
        &[
            "`#[on_insert]` is not expected here",
            "`set` needs a value",
            "`touch` needs a value",
            "`add` takes no value",
            "`name` has a second conflict rule `touch`",
            "unknown conflict rule `colaesce`",
        ],
    ),
    (
        "#[upsert(update_all)] struct Product {
            #[on_insert] a: Option<i32>,
            #[on_insert()] b: Option<i32>,
            #[on_insert(defualt = 1)] c: Option<i32>,
            #[on_insert(default)] d: Option<i32>,
            #[on_insert(default = 1, default = 2)] e: Option<i32>,
            #[on_insert(default = 1)] #[on_insert(default = 2)] f: Option<i32>,
        }",
        &[
            "`#[on_insert]` needs parentheses",
            "`b` has an empty `on_insert`",
            "unknown `on_insert` option `defualt`",
            "`default` needs a value",
            "duplicate `default` on `e`",
            "duplicate `#[on_insert]` on `f`",
        ],
    ),
    (
        "#[upsert(update_all)] struct Product {
            #[on_insert(default = 1)] a: i32,
            #[on_insert(default = 1)] #[conflict_key(nullable)] b: Option<i32>,
            #[on_insert(default = 1)] #[diesel(skip_insertion)] c: Option<i32>,
            #[on_insert(default = 1)] #[diesel(embed)] d: Option<i32>,
            #[on_insert(default = 1)] #[diesel(serialize_as = Option<A>)] e: Option<i32>,
            #[on_insert(default = 1)] #[diesel(treat_none_as_default_value = false)]
            f: Option<i32>,
        }",
        &[
            "`on_insert` means nothing on `a`, which is not an `Option`",
            "`on_insert` cannot be combined with `conflict_key` on `b`",
            "`on_insert` cannot be combined with `skip_insertion` on `c`",
            "`on_insert` cannot be combined with `embed` on `d`",
            "`on_insert` cannot be combined with `serialize_as` on `e`",
            "`on_insert` cannot be combined with `treat_none_as_default_value = false` on `f`",
        ],
    ),
    (
        "#[upsert(update_all)] #[diesel(treat_none_as_default_value = false)]
         struct Product { id: i32, #[on_insert(default = 1)] a: Option<i32> }",
        &["`on_insert` cannot be combined with `treat_none_as_default_value = false` on `a`"],
    ),
    (
        "#[upsert(do_nothing, set(a = 1), touch(b = 1), update_if = c, newer_by = id,
                  not_older_by = id, skip_unchanged)]
         struct Product {
            id: i32,
            #[on_conflict(add)] stock: i32,
            #[on_conflict(touch)] seen: i32,
            #[on_conflict(set = 1)] note: i32,
         }",
        &[
            "`set` cannot be combined with `do_nothing` on `Product`",
            "`touch` cannot be combined with `do_nothing` on `Product`",
            "`update_if` cannot be combined with `do_nothing` on `Product`",
            "`newer_by` cannot be combined with `do_nothing` on `Product`",
            "`not_older_by` cannot be combined with `do_nothing` on `Product`",
            "`skip_unchanged` cannot be combined with `do_nothing` on `Product`",
            "`not_older_by` cannot be combined with `newer_by` on `Product`",
            "`do_nothing` cannot be combined with the add rule on `stock`",
            "`do_nothing` cannot be combined with the touch rule on `seen`",
            "`do_nothing` cannot be combined with the set rule on `note`",
        ],
    ),
    (
        "#[upsert(embedded, set(a = 1), touch(b = 1), update_if = c, newer_by = id,
                  not_older_by = id, skip_unchanged, constraint = \"x\", target = y,
                  target_where = z, targets(by = id))]
         struct Product { id: i32 }",
        &[
            "`set` cannot be combined with `embedded` on `Product`",
            "`touch` cannot be combined with `embedded` on `Product`",
            "`update_if` cannot be combined with `embedded` on `Product`",
            "`newer_by` cannot be combined with `embedded` on `Product`",
            "`not_older_by` cannot be combined with `embedded` on `Product`",
            "`skip_unchanged` cannot be combined with `embedded` on `Product`",
            "`constraint` cannot be combined with `embedded` on `Product`",
            "`target` cannot be combined with `embedded` on `Product`",
            "`target_where` cannot be combined with `embedded` on `Product`",
            "`targets` cannot be combined with `embedded` on `Product`",
            "`not_older_by` cannot be combined with `newer_by` on `Product`",
            "`target` cannot be combined with `constraint` on `Product`",
            "`target_where` cannot be combined with `constraint` on `Product`",
        ],
    ),
    (
        "#[upsert(newer_by = verison, not_older_by = ver)]
         struct Product { #[on_conflict(update)] #[diesel(column_name = ver)] version: i32 }",
        &[
            "`not_older_by` cannot be combined with `newer_by` on `Product`",
            "`Product` has no field `verison`",
            "`Product` has no field `ver`",
        ],
    ),
    (
        "#[upsert(newer_by = 2)] struct Product(
            #[diesel(column_name = a)] #[on_conflict(update)] i32,
            #[diesel(skip_insertion)] i32,
        );",
        &["`Product` has no field `2`"],
    ),
    (
        "#[upsert(newer_by = inner, set(a = 1))] struct Product { #[diesel(embed)] inner: A }",
        &["`newer_by` compares `inner`, which is not a column"],
    ),
    (
        "#[upsert(newer_by = id)]
         struct Product { #[conflict_key] id: i32, #[on_conflict(update)] a: i32 }",
        &["`newer_by` compares `id`, which is a conflict key"],
    ),
    (
        "#[upsert(newer_by = a)]
         struct Product { a: i32, #[on_conflict(update)] b: i32 }",
        &["`newer_by` compares `a`, which does not become the newer one"],
    ),
    (
        "#[upsert(not_older_by = a)]
         struct Product { #[on_conflict(touch)] a: i32, #[on_conflict(update)] b: i32 }",
        &["`not_older_by` compares `a`, which is not always updated"],
    ),
    (
        "#[upsert(not_older_by = a)] struct Product { #[on_conflict(fill)] a: i32 }",
        &["`not_older_by` compares `a`, which does not become the newer one"],
    ),
    (
        "#[upsert(target = lower(email))] struct Product {
            #[conflict_key] #[on_conflict(add)] email: String,
            #[conflict_key] #[on_conflict(update)] other: String,
        }",
        &["`add` cannot be combined with `conflict_key` on `email`"],
    ),
    (
        "#[upsert(target = (), update_all)] struct Product { id: i32 }",
        &["`target` has no expressions"],
    ),
    (
        "#[upsert(constraint = \"\", update_all)] struct Product { id: i32 }",
        &["the name of `constraint` is empty"],
    ),
    (
        "#[upsert(target = (a, f(excluded(b))), target_where = a.eq({ excluded }), update_all)]
         struct Product { id: i32 }",
        &[
            "`excluded` means nothing in `target`",
            "`excluded` means nothing in `target_where`",
        ],
    ),
    (
        "#[upsert(set(a = self.b), update_if = Self::C, target_where = self.d, target = self.e)]
         struct Product { #[on_conflict(set = self.f + self::g)] id: i32 }",
        &[
            "`self` means nothing in `set`",
            "`self` means nothing in `set`",
            "`Self` means nothing in `update_if`",
            "`self` means nothing in `target`",
            "`self` means nothing in `target_where`",
        ],
    ),
    (
        "#[upsert(set(stock = 1, r#seen = 1, seen = 2), touch(seen = 3, other = 4, id = 5))]
         struct Product { #[conflict_key] id: i32, #[diesel(column_name = stock)] amount: i32 }",
        &[
            "column `stock` is the field `amount`, which has a rule of its own",
            "column `seen` has a second rule in `set`",
            "column `seen` has a second rule in `touch`",
            "column `id` is the field `id`, which has a rule of its own",
        ],
    ),
    (
        "#[upsert(touch(seen = 1), skip_unchanged)]
         struct Product { id: i32, #[on_conflict(touch = now)] at: i32 }",
        &[
            "`touch` needs a column to compare, and `Product` has none",
            "`skip_unchanged` needs a column to compare, and `Product` has none",
        ],
    ),
    (
        "#[upsert(skip_unchanged)] struct Product { id: i32 }",
        &["`Product` does not say what happens to rows that exist"],
    ),
    (
        "#[upsert(update_all, targets(
            by_email = emial, by_email = email, r#by_email = email, by_name = title,
            by_both = (email, email), by_zone = zone,
        ))]
         struct Product { email: i32, #[diesel(column_name = name)] title: i32 }",
        &[
            "`Product` has no column `emial`",
            "duplicate `by_email` in `targets`",
            "duplicate `by_email` in `targets`",
            "`Product` has no column `title`",
            "duplicate column `email` in `by_both`",
            "`Product` has no column `zone`",
        ],
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
            "neither `Product` nor a struct embedded in it has a column to compare",
        ],
    ),
    (
        "#[upsert(touch(seen_at = now))] struct Product { #[diesel(embed)] inner: Inner }",
        &[
            "`Product` has no conflict target",
            "neither `Product` nor a struct embedded in it has a column to compare",
            "column `seen_at` of `touch` is a field of a struct embedded in `Product`",
        ],
    ),
    (
        "#[upsert(set(seen_at = now), target = lower(sku), newer_by = id)]
         struct Product { #[diesel(embed)] inner: Inner, #[on_conflict(update)] id: i32 }",
        &["column `seen_at` of `set` is a field of a struct embedded in `Product`"],
    ),
    (
        "#[upsert(newer_by = stock)]
         struct Product { #[on_conflict(add)] stock: i32, #[on_conflict(touch = now)] seen: i32 }",
        &[
            "`Product` has no conflict target",
            "`stock` is in the conflict target of `Product`, so it is never updated",
            "`seen` is in the conflict target of `Product`, so it is never updated",
            "`newer_by` compares `stock`, which is in the conflict target",
        ],
    ),
    (
        "#[upsert(update_all)] struct Product { id: i32, #[on_conflict(touch)] seen: i32 }",
        &[
            "`Product` has no conflict target",
            "`seen` is in the conflict target of `Product`, so it is never updated",
            "`Product` has nothing to update",
            "`touch` needs a column to compare, and `Product` has none",
        ],
    ),
    (
        "#[upsert(update_all, set(seen = now))] struct Product { id: i32 }",
        &["`Product` has no conflict target"],
    ),
    (
        "#[upsert(update_all, target = lower(email))] struct Product { email: i32 }",
        &[],
    ),
    (
        "#[upsert(update_all, constraint = \"c\")] struct Product { email: i32 }",
        &[],
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
        let mut asserted = assertions(expanded);
        // Every model with an embedded struct has this one, and it is the last.
        if source.contains("embed") && !source.contains("embedded") {
            let last = asserted.pop().expect("an assertion");
            assert!(last.starts_with("a column is written twice"), "{last}");
        }
        assert_eq!(first_lines(&asserted), *expected, "{source}");
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

#[test]
fn the_way_out_is_named() {
    for (source, help) in [
        (
            "#[upsert(newer_by = verison)] struct P { #[on_conflict(update)] version: i32 }",
            "did you mean `version`?",
        ),
        (
            "#[upsert(newer_by = stock)] struct P { #[on_conflict(update)] version: i32 }",
            "the fields are `version`",
        ),
        (
            "#[upsert(newer_by = ver)]
          struct P { #[on_conflict(update)] #[diesel(column_name = ver)] version: i32 }",
            "write the field of that column: `version`",
        ),
        (
            "#[upsert(newer_by = version)] struct P { version: i32, #[on_conflict(update)] a: i32 }",
            "write `#[on_conflict(update)]` on `version`",
        ),
        (
            "#[upsert(update_all, targets(by = emial))] struct P { email: i32 }",
            "did you mean `email`?",
        ),
        (
            "#[upsert(update_all, targets(by = email))]
          struct P { #[diesel(column_name = r#type)] email: i32 }",
            "write the column of that field: `type`",
        ),
        (
            "#[upsert(touch(a = 1))] struct P { #[on_conflict(update)] a: i32 }",
            "write `#[on_conflict(touch = EXPR)]` on `a`",
        ),
        (
            "#[upsert(updat_if = a)] struct P { a: i32 }",
            "did you mean `update_if`? the keys are `update_all`, `do_nothing`, `set`, `touch`, \
          `update_if`, `newer_by`, `not_older_by`, `skip_unchanged`, `constraint`, `target`, \
          `target_where`, `targets`, `embedded`, `crate`",
        ),
        (
            "#[upsert(chunk_size = 100)] struct P { a: i32 }",
            "it is a matter of each call: write `upsert(rows).chunk_size(..)`",
        ),
        (
            "#[upsert(key = a)] struct P { a: i32 }",
            "write `#[conflict_key]` on the fields of the key",
        ),
        (
            "#[upsert(add(a))] struct P { a: i32 }",
            "write `#[on_conflict(add)]` on the field",
        ),
        (
            "struct P { #[on_conflict(increment)] a: i32 }",
            "did you mean `add`? the rules are `update`, `keep`, `add`, `max`, `min`, \
          `coalesce`, `fill`, `set`, `touch`",
        ),
        (
            "struct P { #[on_conflict(updaet)] a: i32 }",
            "did you mean `update`? the rules are `update`, `keep`, `add`, `max`, `min`, \
          `coalesce`, `fill`, `set`, `touch`",
        ),
    ] {
        let messages = errors(expand(source));
        let last = messages.first().and_then(|it| it.lines().last());
        assert_eq!(last, Some(&*format!("help: {help}")), "{source}");
    }
}

//! Inputs that are not errors, and what stands out in their expansion.

use super::{errors, expand};

fn expand_valid(source: &str) -> String {
    let expanded = expand(source);
    assert_eq!(errors(expanded.clone()), [""; 0], "{source}");
    let file = syn::parse2::<syn::File>(expanded.clone()).expect("items");
    assert_eq!(file.items.len(), 1, "all is in one `const _`: {source}");
    expanded.to_string()
}

#[test]
fn shapes() {
    for source in [
        "#[upsert(update_all)] struct Product { id: i32, name: String }",
        "#[upsert(do_nothing)] struct Product { #[conflict_key] id: i32 }",
        "#[upsert(embedded)] struct Product { #[conflict_key] id: i32 }",
        "#[upsert(update_all, embedded)] struct Product { id: i32 }",
        "#[upsert(update_all)]
         struct Product { #[conflict_key] id: i32, #[on_conflict(update)] name: String }",
        "#[upsert(do_nothing)] struct Product { id: i32, #[on_conflict(keep)] name: String }",
        "struct Product { #[diesel(embed)] inner: Inner, id: i32 }",
        "struct Product { #[diesel(embed)] #[diesel(skip_insertion)] inner: Inner,
                          #[on_conflict(update)] id: i32 }",
        "#[upsert(update_all)]
         struct Product(#[diesel(column_name = id)] i32, #[diesel(column_name = \"name\")] A);",
        "#[upsert(update_all)]
         struct Product<'a, T: Copy = i32, const N: usize = 3> where T: 'a { id: &'a [T; N] }",
        "#[upsert(update_all,)] #[diesel(table_name = crate::schema::products,)]
         struct Product { #[conflict_key(nullable,)] id: Option<i32>, r#type: i32 }",
        "struct Product { #[on_conflict(add)] a: i32, #[on_conflict(max)] b: i32,
                          #[on_conflict(min)] c: i32, #[on_conflict(coalesce)] d: Option<i32>,
                          #[on_conflict(fill)] e: Option<i32>, #[on_conflict(set = a + b)] f: i32,
                          #[on_conflict(touch)] g: i32, #[on_conflict(touch = now,)] h: i32 }",
        "#[upsert(set(a = 1, b = excluded(b),), touch(c = now))] struct Product { id: i32 }",
        "#[upsert(set(type = 1, r#match = |a, b| a < b))] struct Product { id: i32 }",
        "#[upsert(update_if = a.gt(b), newer_by = id, skip_unchanged)]
         struct Product { #[on_conflict(set = id)] id: i32 }",
        "#[upsert(not_older_by = r#type)] struct Product { #[on_conflict(max)] r#type: i32 }",
        "#[upsert(not_older_by = 1)] struct Product(
            #[diesel(column_name = a)] i32,
            #[diesel(column_name = b)] #[on_conflict(update)] i32,
         );",
        "#[upsert(constraint = \"a b\", update_all)]
         struct Product { #[conflict_key] #[on_conflict(update)] id: i32 }",
        "#[upsert(target = (lower(a), b), target_where = c.eq(1))]
         struct Product { #[conflict_key] #[on_conflict(keep)] a: i32,
                          #[conflict_key] #[on_conflict(update)] b: i32 }",
        "#[upsert(do_nothing, targets(by_id = id, by_both = (id, r#type), r#match = (id,)))]
         struct Product { id: i32, r#type: i32 }",
        "#[upsert(embedded)] struct Product { #[on_conflict(touch)] id: i32 }",
        "#[upsert(update_all)] #[diesel(treat_none_as_default_value = true)]
         struct Product<T> { id: i32, #[on_insert(default = T::new(self.id))] a: Option<T> }",
    ] {
        expand_valid(source);
    }
}

#[test]
fn unknown_diesel_keys_are_skipped() {
    let expanded = expand_valid(
        "#[diesel(check_for_backend(Pg, Sqlite), primary_key(a, b), future, future = x::<A, B>(c))]
         #[diesel(base_query = a.filter(b < c, d), sql_type = Foo<A, B>, table_name = shop)]
         #[diesel(base_query = |a, b| a, future)]
         #[upsert(update_all)]
         struct Product {
            #[diesel(select_expression = a.eq(b), deserialize_as = Map<A, B>, column_name = c1)]
            #[diesel(select_expression_type = dsl::Eq<a, b>, treat_none_as_null = true)]
            name: String,
            #[diesel(future = { a, b }, future(c, d), column_name = \"r#c2\")]
            other: String,
         }",
    );
    for name in ["shop :: table", "shop :: c1", "shop :: c2"] {
        assert!(expanded.contains(name), "{name} in {expanded}");
    }
}

#[test]
fn names_are_inferred() {
    let expanded = expand_valid("#[upsert(update_all)] struct OrderLine { r#type: i32, gen: i32 }");
    for name in [
        "order_lines :: table",
        "order_lines :: r#type",
        "order_lines :: r#gen",
    ] {
        assert!(expanded.contains(name), "{name} in {expanded}");
    }
}

#[test]
fn the_core_is_named_in_one_place() {
    let source = "#[upsert(update_all, crate = a::b)] struct Product { id: i32 }";
    let expanded = expand_valid(source);
    assert!(expanded.contains("a :: b :: __private"), "{expanded}");
    assert!(!expanded.contains("upsert_core"), "{expanded}");
}

#[test]
fn types_that_differ_in_lifetimes_are_kept_apart() {
    let same = "struct Product<'a> { #[conflict_key] a: Cow<'a, str>,
                                     #[on_conflict(update)] b: Cow<'a, str> }";
    assert!(!expand_valid(same).contains("__UpsertBind"));
    let references = "struct Product<'a, 'b> { #[conflict_key] a: &'a str,
                                               #[on_conflict(update)] b: &'b str }";
    assert!(!expand_valid(references).contains("__UpsertBind"));
    let different = "struct Product<'a, 'b> { #[conflict_key] a: Cow<'a, str>,
                                              #[on_conflict(update)] b: Cow<'b, str> }";
    assert!(expand_valid(different).contains("Cow < 'b , str > : __UpsertBind < products :: b"));
}

#[test]
fn rules_are_in_the_definitions() {
    let expanded = expand_valid(
        "#[upsert(target = lower(a), update_all)]
         struct Product { #[conflict_key] #[on_conflict(update)] a: i32, #[conflict_key] b: i32,
                          c: i32, #[on_conflict(add)] d: i32 }",
    );
    for def in [
        "of :: < products :: a > (:: upsert_core :: __private :: Rule :: Update) . key ()",
        "of :: < products :: b > (:: upsert_core :: __private :: Rule :: Keep) . key ()",
        "of :: < products :: c > (:: upsert_core :: __private :: Rule :: Update))",
        "of :: < products :: d > (:: upsert_core :: __private :: Rule :: Add))",
        "< :: upsert_core :: __private :: rule :: Add as \
         :: upsert_core :: __private :: rule :: RuleFor < < products :: d as",
    ] {
        assert!(expanded.contains(def), "{def} in {expanded}");
    }
    assert_eq!(expanded.matches("RuleFor").count(), 1, "{expanded}");
}

#[test]
fn expressions_come_in_the_order_of_the_method() {
    let expanded = expand_valid(
        "#[upsert(update_if = e, touch(seen = d), set(deleted = c), target = (f, g),
                  target_where = h)]
         struct Product {
            #[on_conflict(set = a)] x: i32,
            #[diesel(embed)] inner: Inner,
            #[on_conflict(touch = b)] y: i32,
         }",
    );
    let order = [
        "Expressions :: column (__upsert_into , __upsert_first ,",
        "at :: < () > (0)",
        "Expressions :: column (__upsert_into , __upsert_first + const { 1 +",
        "at :: < () > (1)",
        "BindFields < DB >> :: expressions (__upsert_first + 1 , __upsert_into)",
        "Expressions :: other (__upsert_into , :: upsert_core :: __private :: ColumnDef :: of :: \
         < products :: deleted > (:: upsert_core :: __private :: Rule :: Set) ,",
        "at :: < () > (2)",
        "< products :: seen > (:: upsert_core :: __private :: Rule :: Touch) ,",
        "at :: < () > (3)",
        "Expressions :: update_if (__upsert_into ,",
        "at :: < () > (4)",
        "Expressions :: target (__upsert_into ,",
        "at :: < () > (5)",
        "Expressions :: target (__upsert_into ,",
        "at :: < () > (6)",
        "Expressions :: target_where (__upsert_into ,",
        "at :: < () > (7)",
    ];
    let mut rest = &*expanded;
    for part in order {
        let Some((_, after)) = rest.split_once(part) else {
            panic!("{part} in {rest}");
        };
        rest = after;
    }
    for typed in [
        "assigned :: < __UpsertColumn0 , _ > (a)",
        "assigned :: < __UpsertColumn1 , _ > (b)",
        "assigned :: < __UpsertColumn2 , _ > (c)",
        "assigned :: < __UpsertColumn3 , _ > (d)",
        "condition :: < __upsert_table :: table , _ > (e)",
        "target_part :: < __upsert_table :: table , _ > (f)",
        "target_part :: < __upsert_table :: table , _ > (g)",
        "condition :: < __upsert_table :: table , _ > (h)",
        "type __UpsertColumn3 = products :: seen",
        "DB : __UpsertExpressions",
        "DB : :: upsert_core :: __private :: SupportsExpressionTarget",
        "DB : :: upsert_core :: __private :: SupportsPartialTarget",
        "TargetDef :: Expressions",
    ] {
        assert!(expanded.contains(typed), "{typed} in {expanded}");
    }
}

#[test]
fn what_is_not_written_is_not_expanded() {
    let expanded = expand_valid("#[upsert(update_all)] struct Product { id: i32 }");
    for absent in [
        "expressions",
        "__UpsertExpressions",
        "RuleFor",
        "NEWER_BY",
        "SKIP_UNCHANGED",
        "TARGET",
        "Supports",
        "insert_default",
    ] {
        assert!(!expanded.contains(absent), "{absent} in {expanded}");
    }
}

#[test]
fn literals_are_rewritten_in_conflict_targets_only() {
    let literals = |attribute: &str| {
        let expanded = expand_valid(&format!(
            "#[upsert({attribute})] struct Product {{ #[on_conflict(update)] id: i32 }}"
        ));
        expanded.matches("__private :: literal (").count()
    };
    assert_eq!(literals("target = coalesce(a, -1, \"x\", (true, 1.5))"), 4);
    assert_eq!(literals("target = (a, b + 1)"), 1);
    assert_eq!(literals("target_where = a.eq(1).and({ b.gt(-2) })"), 2);
    // The string is SQL already.
    assert_eq!(
        literals("target_where = dsl::sql::<Bool>(\"a > 0\").and(b.eq(1))"),
        1
    );
    assert_eq!(literals("update_if = a.eq(1), set(b = 2)"), 0);
}

#[test]
fn constants_say_what_is_written() {
    let expanded = expand_valid(
        "#[upsert(not_older_by = v, skip_unchanged, constraint = \"key\")]
         struct Product { #[diesel(column_name = version)] #[on_conflict(max)] v: i32 }",
    );
    for part in [
        "column : < products :: version as",
        "or_equal : true",
        "SKIP_UNCHANGED : :: upsert_core :: __private :: core :: primitive :: bool = true",
        "TargetDef :: Constraint (\"key\")",
        "__private :: SupportsConstraintTarget",
        "rule :: Newer as :: upsert_core :: __private :: rule :: RuleFor < < products :: version as",
        "rule :: Max as :: upsert_core :: __private :: rule :: RuleFor < < products :: version as",
    ] {
        assert!(expanded.contains(part), "{part} in {expanded}");
    }
    let newer = "#[upsert(newer_by = v)] struct Product { #[on_conflict(max)] v: i32 }";
    assert!(expand_valid(newer).contains("or_equal : false"));
}

#[test]
fn named_targets_have_the_struct_s_visibility() {
    let expanded = expand_valid(
        "#[upsert(do_nothing, targets(by_id = id, by_both = (id, sku), one = (sku,)))]
         pub(crate) struct Product<'a, T: Copy = i32> where T: 'a { id: &'a T, sku: i32 }",
    );
    for part in [
        "impl < 'a , T : Copy > Product < 'a , T > where T : 'a",
        "pub (crate) fn by_id () -> products :: id { products :: id }",
        "pub (crate) fn by_both () -> (products :: id , products :: sku ,)",
        "pub (crate) fn one () -> products :: sku { products :: sku }",
    ] {
        assert!(expanded.contains(part), "{part} in {expanded}");
    }
}

#[test]
fn named_targets_of_a_broken_struct_are_there() {
    let source =
        "#[upsert(targets(by_id = id, by_sku = sku, by_id = id))] struct Product { id: i32 }";
    let expanded = expand(source).to_string();
    assert_eq!(expanded.matches("fn by_id").count(), 1, "{expanded}");
    assert!(!expanded.contains("fn by_sku"), "{expanded}");
}

#[test]
fn defaults_are_converted_and_supplied_apart() {
    let expanded = expand_valid(
        "#[upsert(update_all)]
         struct Product { id: i32, #[on_insert(default = self.id + 1)] n: Option<i32> }",
    );
    for part in [
        "type Converted = (Option < i32 > ,)",
        "let __upsert_default : i32 = self . id + 1 ;",
        "else { :: upsert_core :: __private :: Supplied :: insert_default \
         (__upsert_supplied , __upsert_first + 1) ; }",
    ] {
        assert!(expanded.contains(part), "{part} in {expanded}");
    }
}

#[test]
fn select_fields_have_the_columns_sql_types() {
    let one = expand_valid("#[upsert(update_all)] struct Product { id: i32 }");
    let sql_type = "type SqlType = < products :: id as :: upsert_core :: __private :: diesel :: \
                    Expression > :: SqlType ;";
    assert!(one.contains(sql_type), "{one}");
    let two = expand_valid("#[upsert(update_all)] struct Product { id: i32, name: i32 }");
    assert!(two.contains("type SqlType = (< products :: id as"), "{two}");
    for source in [
        "#[upsert(embedded)] struct Product { id: i32 }",
        "#[upsert(update_all)] struct Product { id: i32, #[diesel(embed)] inner: Inner }",
    ] {
        assert!(!expand_valid(source).contains("SelectFields"), "{source}");
    }
}

#[test]
fn groups_of_macro_fragments_become_parentheses() {
    use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
    use quote::quote;

    // As `macro_rules!` hands over `$set:expr`.
    let fragment = |tokens: TokenStream| TokenTree::Group(Group::new(Delimiter::None, tokens));
    let (sum, one) = (fragment(quote!(a + b)), fragment(quote!(c)));
    let expanded = crate::derive::expand(quote! {
        #[upsert(target = #one)]
        struct Product { #[on_conflict(set = #sum * 2)] id: i32 }
    });
    assert_eq!(errors(expanded.clone()), [""; 0]);
    let expanded = expanded.to_string();
    assert!(expanded.contains("((a + b) * 2)"), "{expanded}");
}

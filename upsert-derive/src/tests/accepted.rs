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
    ] {
        expand_valid(source);
    }
}

#[test]
fn unknown_diesel_keys_are_skipped() {
    let expanded = expand_valid(
        "#[diesel(check_for_backend(Pg, Sqlite), primary_key(a, b), future, future = x::<A, B>(c))]
         #[diesel(base_query = a.filter(b < c, d), sql_type = Foo<A, B>, table_name = shop)]
         #[diesel(base_query = |a, b| a, embed)]
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

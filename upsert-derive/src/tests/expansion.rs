//! What is generated, one model of each shape. `INSTA_UPDATE=always` writes the
//! snapshots anew; they are to be read.

use insta::assert_snapshot;

use super::expand;

/// The expansion as a person would write it, without the path of `upsert-core`.
fn written(source: &str) -> String {
    let tokens = expand(source).to_string();
    let tokens = tokens.replace(":: upsert_core :: __private :: ", "");
    prettyplease::unparse(&syn::parse_str(&tokens).expect("items"))
}

/// The model in the documentation.
const MINIMAL: &str = "
    #[diesel(table_name = products)]
    struct Product {
        #[conflict_key]
        sku: String,
        #[on_conflict(update)]
        name: String,
    }";

#[test]
fn minimal() {
    assert_snapshot!(written(MINIMAL));
}

#[test]
fn minimal_is_in_the_documentation() {
    let documentation = include_str!("../lib.rs").lines();
    let block = documentation
        .skip_while(|line| *line != "//! becomes")
        .skip_while(|line| *line != "//! ```text")
        .skip(1)
        .take_while(|line| *line != "//! ```")
        .map(|line| line.strip_prefix("//! ").expect("documentation"));
    let block = block.collect::<Vec<_>>().join("\n") + "\n";
    // `INSTA_UPDATE=always` shows what to write there.
    assert_eq!(block, written(MINIMAL));
}

#[test]
fn rules() {
    assert_snapshot!(written(
        "
        #[upsert(skip_unchanged, newer_by = version, set(deleted = false))]
        struct Product {
            id: i32,
            #[on_conflict(add)]
            stock: i32,
            #[on_conflict(set = visits + excluded(visits))]
            visits: i32,
            #[on_conflict(update)]
            version: i32,
            #[on_insert(default = self.id.to_string())]
            note: Option<String>,
        }"
    ));
}

#[test]
fn embedded_and_generic() {
    assert_snapshot!(written(
        "
        #[upsert(update_all)]
        #[diesel(check_for_backend(diesel::pg::Pg))]
        struct Product<'a, T> {
            #[conflict_key]
            sku: &'a str,
            #[diesel(embed)]
            price: Price,
            #[diesel(serialize_as = i32)]
            size: T,
            #[diesel(skip_insertion)]
            seen: bool,
        }"
    ));
}

#[test]
fn targets() {
    assert_snapshot!(written(
        "
        #[upsert(
            do_nothing,
            target = (lower(name), kind),
            target_where = deleted.eq(false),
            targets(by_kind = kind),
        )]
        struct Product(
            #[diesel(column_name = name)] String,
            #[diesel(column_name = kind)] i32,
        );"
    ));
}

#[test]
fn with_a_fault() {
    assert_snapshot!(written(
        "
        #[upsert(update_al)]
        struct Product {
            id: i32,
        }"
    ));
}

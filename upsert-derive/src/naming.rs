//! Names: the table's inferred one, and identifiers for names in attributes.

use proc_macro2::{Ident, Span};

/// The table of a struct without `table_name`, by Diesel's rule: snake case
/// and an `s`.
pub(crate) fn infer_table_name(struct_name: &str) -> String {
    let mut result = String::with_capacity(struct_name.len() + 4);
    for (position, character) in struct_name.char_indices() {
        if position > 0 && character.is_uppercase() {
            result.push('_');
        }
        if position == 0 || character.is_uppercase() {
            result.extend(character.to_lowercase());
        } else {
            result.push(character);
        }
    }
    result.push('s');
    result
}

/// `name` as a segment of a path, raw where it is a keyword; `None` where no
/// identifier can have the name.
pub(crate) fn path_segment(name: &str, span: Span) -> Option<Ident> {
    // syn does not know this keyword of the 2024 edition.
    let is_keyword = name == "gen" || syn::parse_str::<Ident>(name).is_err();
    let written = if is_keyword {
        format!("r#{name}")
    } else {
        name.to_owned()
    };
    let mut ident = syn::parse_str::<Ident>(&written).ok()?;
    ident.set_span(span);
    Some(ident)
}

#[cfg(test)]
mod tests {
    use proc_macro2::Span;

    use super::{infer_table_name, path_segment};

    #[test]
    fn infer_table_name_follows_diesel() {
        assert_eq!(infer_table_name("Foo"), "foos");
        assert_eq!(infer_table_name("FooBar"), "foo_bars");
        assert_eq!(infer_table_name("FooBarBaz"), "foo_bar_bazs");
        assert_eq!(infer_table_name("NewUser2"), "new_user2s");
        assert_eq!(infer_table_name("HTTPLog"), "h_t_t_p_logs");
        assert_eq!(infer_table_name("already_snake"), "already_snakes");
        assert_eq!(infer_table_name("ÄrgerFoo"), "ärger_foos");
    }

    #[test]
    fn path_segment_is_raw_only_for_keywords() {
        let segment = |name| path_segment(name, Span::call_site()).map(|it| it.to_string());
        assert_eq!(segment("sku").as_deref(), Some("sku"));
        assert_eq!(segment("type").as_deref(), Some("r#type"));
        assert_eq!(segment("gen").as_deref(), Some("r#gen"));
        assert_eq!(segment("self"), None);
        assert_eq!(segment("first name"), None);
        assert_eq!(segment(""), None);
        assert_eq!(segment("r#type").as_deref(), Some("r#type"));
    }
}

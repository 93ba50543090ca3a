//! Every word is documented, and its form is what the parser takes.

use syn::Attribute;
use syn::parse::Parser;

use crate::attr::{FieldAttrs, StructAttrs};
use crate::ctxt::Ctxt;
use crate::symbol;

/// Is `attribute` taken without an error, by the struct or by a field?
pub(super) fn is_accepted(attribute: &str) -> bool {
    let Ok(attributes) = Attribute::parse_outer.parse_str(attribute) else {
        return false;
    };
    let on_struct = Ctxt::new();
    StructAttrs::from_ast(&on_struct, &attributes, "Owner");
    let on_field = Ctxt::new();
    FieldAttrs::from_ast(&on_field, &attributes, "owner");
    let (on_struct, on_field) = (on_struct.finish(), on_field.finish());
    on_struct.is_ok() || on_field.is_ok()
}

#[test]
fn forms_are_accepted() {
    for symbol in symbol::ALL {
        for form in symbol.forms() {
            assert!(is_accepted(form), "{form}");
            assert!(form.contains(symbol.name), "{form}");
        }
    }
    assert!(!is_accepted("#[upsert(bogus)]"));
    assert!(!is_accepted("#[on_conflict(bogus)]"));
}

#[test]
fn forms_are_in_the_documentation() {
    let documentation = include_str!("../lib.rs");
    // A word that only names an attribute has the form of one of its keys.
    for form in symbol::ALL.iter().flat_map(|it| it.forms()) {
        let row = format!("/// | `{form}` | ");
        assert!(documentation.contains(&row), "{row}");
    }
}

#[test]
fn documentation_has_no_other_forms() {
    let documentation = include_str!("../lib.rs");
    let rows = documentation.lines().filter_map(|line| {
        let (form, _) = line.strip_prefix("/// | `")?.split_once('`')?;
        Some(form)
    });
    for form in rows {
        let known = symbol::ALL.iter().any(|it| it.forms().any(|it| it == form));
        assert!(known, "{form}");
    }
}

//! The derive macro of `upsert-core`, which re-exports it.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as TokenStream2;
use syn::DeriveInput;

use crate::ast::Container;
use crate::ctxt::Ctxt;

mod ast;
mod attr;
mod bound;
mod check;
mod ctxt;
mod diag;
mod expand;
mod fallback;
mod naming;
mod symbol;
#[cfg(test)]
mod tests;
mod ty;
mod validate;

/// Implements `Upsertable` for a struct whose fields are columns of a table.
///
/// It implements `Fields`, which says what the columns are and what happens to
/// each on a conflict; `BindFields<DB>`, for every database `DB` that the
/// fields' types can be written to; and `Upsertable`, which has
/// `bulk_upsert` and `upsert`. A struct marked `#[upsert(embedded)]` is a part
/// of a model and gets the first two.
///
/// ```text
/// #[derive(Upsertable)]
/// #[diesel(table_name = products)]
/// struct Product<'a> {
///     #[conflict_key]
///     sku: &'a str,
///     #[on_conflict(update)]
///     name: &'a str,
///     created_at: NaiveDateTime,
/// }
///
/// Product::bulk_upsert(&mut conn, &rows)?;
/// ```
///
/// # Names
///
/// As for Diesel's own derives, the table is the struct's name in snake case
/// with an `s`: `FooBar` is written to `foo_bars`. The column has the field's
/// name. The table, as `diesel::table!` made it, has to be in scope.
///
/// # Attributes
///
/// The attributes in `#[diesel(..)]` are Diesel's and mean what they mean for
/// `#[derive(Insertable)]`; those that are not listed here are ignored.
///
/// ## Optional struct attributes
///
/// | Form | Meaning | Default |
/// |---|---|---|
/// | `#[upsert(update_all)]` | Every field without an attribute is `#[on_conflict(update)]`. | Such a field is kept. |
/// | `#[upsert(do_nothing)]` | Rows that exist are left as they are. | Something has to be updated. |
/// | `#[upsert(embedded)]` | The struct is not a model, but a part of one that has it as an `embed` field. | It is a model. |
/// | `#[upsert(crate = path)]` | The path of `upsert-core`, where it is re-exported. | `::upsert_core` |
/// | `#[diesel(table_name = path)]` | The table. | See above. |
/// | `#[diesel(treat_none_as_default_value = true)]` | `None` in any field means that the row does not supply the column; with `false` it is NULL. | NULL on a nullable column, not supplied on another. |
///
/// ## Optional field attributes
///
/// | Form | Meaning | Default |
/// |---|---|---|
/// | `#[conflict_key]` | The column is part of the conflict target. | The target is the table's primary key, which the model then has to have. |
/// | `#[conflict_key(nullable)]` | The same for an `Option`. Rows with NULL never conflict, so each is inserted. | An `Option` is an error. |
/// | `#[on_conflict(update)]` | The column gets the new value. | Kept. |
/// | `#[on_conflict(keep)]` | The column is inserted and never updated. | Kept. |
/// | `#[diesel(column_name = name)]` | The column, as an identifier or a string. A tuple struct's fields need it. | The field's name. |
/// | `#[diesel(embed)]` | The field is a struct that derives `Upsertable` for the same table. | The field is a column. |
/// | `#[diesel(serialize_as = Type)]` | A clone of the value is converted by `Into<Type>` and written as that. | The field's own type. |
/// | `#[diesel(skip_insertion)]` | The field is not written. | It is. |
/// | `#[diesel(treat_none_as_default_value = true)]` | As on the struct, for this field. | The struct's. |
///
/// # Types
///
/// A field's type implements `ToSql` for the SQL type of its column, or is an
/// `Option` of such a type. A type is taken to be an `Option` if it is written
/// so; an alias is not.
#[proc_macro_derive(Upsertable, attributes(upsert, conflict_key, on_conflict, diesel))]
pub fn derive_upsertable(input: TokenStream) -> TokenStream {
    derive_upsertable_inner(input.into()).into()
}

fn derive_upsertable_inner(input: TokenStream2) -> TokenStream2 {
    let input = match syn::parse2::<DeriveInput>(input) {
        Ok(input) => input,
        Err(err) => return err.into_compile_error(),
    };
    let cx = Ctxt::new();
    let container = Container::from_ast(&cx, &input);
    validate::check(&cx, &container);
    match cx.finish() {
        Ok(()) => expand::expand(&container),
        Err(err) => fallback::expand(&input, &container.krate, &err),
    }
}

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
mod expression;
mod fallback;
mod fields;
mod guard;
mod naming;
mod parse;
mod paths;
mod rewrite;
mod row;
mod rule;
mod symbol;
mod target;
#[cfg(test)]
mod tests;
mod tokens;
mod ty;
mod validate;
mod visit;

/// Implements `Upsertable` for a struct whose fields are columns of a table.
///
/// It implements `Fields`, which says what the columns are and what happens to
/// each on a conflict; `BindFields<DB>`, for every database `DB` that the
/// fields' types can be written to; `Upsertable`, which has `bulk_upsert` and
/// `upsert`; and, where no field is an `embed` one, `SelectFields`, which lets
/// the rows come from a query. A struct marked `#[upsert(embedded)]` is a part
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
/// | `#[upsert(set(column = EXPR))]` | `#[on_conflict(set = EXPR)]` for columns that the model does not have. | They are left as they are. |
/// | `#[upsert(touch(column = EXPR))]` | `#[on_conflict(touch = EXPR)]` for columns that the model does not have. | They are left as they are. |
/// | `#[upsert(update_if = EXPR)]` | An existing row is updated only where the condition holds. | It is updated. |
/// | `#[upsert(newer_by = field)]` | An existing row is updated only by one whose field is greater. A NULL is older than any value. | It is updated. |
/// | `#[upsert(not_older_by = field)]` | The same, and by one whose field is equal. | It is updated. |
/// | `#[upsert(skip_unchanged)]` | A row whose update would change no compared column is not written. | It is written. |
/// | `#[upsert(constraint = "name")]` | The conflict target is the constraint. PostgreSQL only. | The columns marked `#[conflict_key]`. |
/// | `#[upsert(target = EXPR)]` | The conflict target is the expression, as in an index on `lower(email)`. | The columns marked `#[conflict_key]`. |
/// | `#[upsert(target = (EXPR, EXPR))]` | The same, for an index on several. | The columns marked `#[conflict_key]`. |
/// | `#[upsert(target_where = EXPR)]` | The predicate of the conflict target's index, which is a partial one. | The index has all rows. |
/// | `#[upsert(targets(name = column))]` | A function `name()` of the struct that returns the column, for `on_conflict(..)` of one call. | None. |
/// | `#[upsert(targets(name = (column, column)))]` | The same, for several columns. | None. |
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
/// | `#[on_conflict(add)]` | The column gets the sum of the old and the new value; a NULL counts as nothing. | Kept. |
/// | `#[on_conflict(max)]` | The column gets the greater value; a NULL never wins. | Kept. |
/// | `#[on_conflict(min)]` | The column gets the smaller value; a NULL never wins. | Kept. |
/// | `#[on_conflict(coalesce)]` | The column gets the new value, unless that is NULL. | Kept. |
/// | `#[on_conflict(fill)]` | The column gets the new value if the old one is NULL. | Kept. |
/// | `#[on_conflict(set = EXPR)]` | The column gets the expression's value. | Kept. |
/// | `#[on_conflict(touch)]` | The column gets the new value, but only where a compared column changes. | Kept. |
/// | `#[on_conflict(touch = EXPR)]` | The column gets the expression's value, but only where a compared column changes. | Kept. |
/// | `#[on_insert(default = EXPR)]` | Where the field, an `Option`, is `None`, a new row gets this value and an existing one keeps its own. | As `treat_none_as_default_value` says. |
/// | `#[diesel(column_name = name)]` | The column, as an identifier or a string. A tuple struct's fields need it. | The field's name. |
/// | `#[diesel(embed)]` | The field is a struct that derives `Upsertable` for the same table. | The field is a column. |
/// | `#[diesel(serialize_as = Type)]` | A clone of the value is converted by `Into<Type>` and written as that. | The field's own type. |
/// | `#[diesel(skip_insertion)]` | The field is not written. | It is. |
/// | `#[diesel(treat_none_as_default_value = true)]` | As on the struct, for this field. | The struct's. |
///
/// Compared, for `touch` and `skip_unchanged`, are the columns that are updated
/// and not touched.
///
/// # Expressions
///
/// `EXPR` is an expression as Diesel's `filter` and `set` take it, and has to
/// have the SQL type of its column, or be a condition. In it stand for the
/// existing row the table's columns, by their bare names, and for the row that
/// is proposed `excluded(column)`. Diesel's expression methods and all that is
/// in scope at the struct are in scope too, but not the struct's parameters.
///
/// ```text
/// #[on_conflict(set = visits + excluded(visits))]
/// visits: i32,
/// #[on_conflict(touch = diesel::dsl::now)]
/// updated_at: NaiveDateTime,
/// ```
///
/// A literal in `target` and `target_where` is written into the SQL, since a
/// bind is not what an index was made with.
///
/// The `EXPR` of `on_insert` is Rust instead: a value of the type inside of the
/// `Option`, which may be made of the row's other fields by `self`.
///
/// # Types
///
/// A field's type implements `ToSql` for the SQL type of its column, or is an
/// `Option` of such a type. A type is taken to be an `Option` if it is written
/// so; an alias is not.
#[proc_macro_derive(
    Upsertable,
    attributes(upsert, conflict_key, on_conflict, on_insert, diesel)
)]
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
        Err(err) => fallback::expand(&container, &err),
    }
}

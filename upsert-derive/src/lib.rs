//! The derive macro of `upsert-core`, which re-exports it.
//!
//! # What it generates
//!
//! ```text
//! #[derive(Upsertable)]
//! #[diesel(table_name = products)]
//! struct Product {
//!     #[conflict_key]
//!     sku: String,
//!     #[on_conflict(update)]
//!     name: String,
//! }
//! ```
//!
//! becomes
//!
//! ```text
//! #[doc(hidden)]
//! #[allow(deprecated)]
//! const _: () = {
//!     #[allow(unused_imports)]
//!     use attributes::{conflict_key as _, on_conflict as _, on_conflict::update as _};
//!     #[automatically_derived]
//!     impl Fields for Product {
//!         type Table = products::table;
//!         type Model = Self;
//!         type Converted = ();
//!         const FIELDS: &'static [FieldDef] = &[
//!             FieldDef::Column(ColumnDef::of::<products::sku>(Rule::Keep).key()),
//!             FieldDef::Column(ColumnDef::of::<products::name>(Rule::Update)),
//!         ];
//!         fn as_model(&self) -> &Self {
//!             self
//!         }
//!         fn convert(&self) -> <Self as Fields>::Converted {}
//!         fn supplied(
//!             &self,
//!             __upsert_converted: &<Self as Fields>::Converted,
//!             __upsert_first: core::primitive::usize,
//!             __upsert_supplied: &mut Supplied,
//!         ) {
//!             Supplied::insert(__upsert_supplied, __upsert_first);
//!             Supplied::insert(__upsert_supplied, __upsert_first + 1);
//!         }
//!     }
//!     #[automatically_derived]
//!     impl<DB> BindFields<DB> for Product
//!     where
//!         DB: diesel::backend::Backend,
//!         <products::table as diesel::QuerySource>::FromClause: diesel::query_builder::QueryFragment<
//!             DB,
//!         >,
//!         String: Bind<<products::sku as diesel::Expression>::SqlType, Whole, DB>,
//!         String: Bind<<products::name as diesel::Expression>::SqlType, Whole, DB>,
//!     {
//!         type FromClause = <products::table as diesel::QuerySource>::FromClause;
//!         fn from_clause() -> <Self as BindFields<DB>>::FromClause {
//!             diesel::QuerySource::from_clause(&products::table)
//!         }
//!         fn visit<'__upsert_b, __UpsertV>(
//!             &'__upsert_b self,
//!             __upsert_converted: &'__upsert_b <Self as Fields>::Converted,
//!             __upsert_position: core::primitive::usize,
//!             __upsert_visitor: __UpsertV,
//!         ) -> <__UpsertV as ValueVisitor<'__upsert_b, DB>>::Output
//!         where
//!             __UpsertV: ValueVisitor<'__upsert_b, DB>,
//!         {
//!             #[allow(unused_imports)]
//!             use {AsPlain as _, AsUnknown as _};
//!             match __upsert_position {
//!                 0 => {
//!                     <String as Bind<
//!                         <products::sku as diesel::Expression>::SqlType,
//!                         Whole,
//!                         DB,
//!                     >>::bind(
//!                         &self.sku,
//!                         (&&Probe(&self.sku)).__upsert_plain(),
//!                         __upsert_visitor,
//!                     )
//!                 }
//!                 1 => {
//!                     <String as Bind<
//!                         <products::name as diesel::Expression>::SqlType,
//!                         Whole,
//!                         DB,
//!                     >>::bind(
//!                         &self.name,
//!                         (&&Probe(&self.name)).__upsert_plain(),
//!                         __upsert_visitor,
//!                     )
//!                 }
//!                 _ => ValueVisitor::<'_, DB>::visit_absent(__upsert_visitor),
//!             }
//!         }
//!     }
//!     const _: &[()] = &[
//!         <String as BindOnAny<
//!             <products::sku as diesel::Expression>::SqlType,
//!             {
//!                 binds_on_any!(
//!                     String, < products::sku as diesel::Expression > ::SqlType, Whole
//!                 )
//!             },
//!         >>::CHECK,
//!         <String as BindOnAny<
//!             <products::name as diesel::Expression>::SqlType,
//!             {
//!                 binds_on_any!(
//!                     String, < products::name as diesel::Expression > ::SqlType, Whole
//!                 )
//!             },
//!         >>::CHECK,
//!     ];
//!     #[automatically_derived]
//!     impl Upsertable for Product {
//!         const PRIMARY_KEY: &'static [&'static core::primitive::str] = <<products::table as diesel::Table>::PrimaryKey as ConflictTarget<
//!             products::table,
//!             _,
//!         >>::COLUMNS;
//!         const DO_NOTHING: core::primitive::bool = false;
//!         const CHECK: () = {};
//!     }
//!     #[automatically_derived]
//!     impl SelectFields for Product {
//!         type SqlType = (
//!             <products::sku as diesel::Expression>::SqlType,
//!             <products::name as diesel::Expression>::SqlType,
//!         );
//!     }
//! };
//! ```
//!
//! without the path of `upsert-core` before its names. A model with expressions in its
//! attributes also has a trait that writes them for each database.

use proc_macro::TokenStream;

mod ast;
mod attr;
mod backend;
mod bound;
mod check;
mod ctxt;
mod derive;
mod diag;
mod expand;
mod expression;
mod fallback;
mod fields;
#[cfg(test)]
mod fuzzing;
mod guard;
mod hint;
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
/// | `#[diesel(check_for_backend(Backend))]` | Each field can be written on these databases, or is an error. | On one of those that the crate's features enable. |
/// | `#[diesel(check_for_backend(disable = true))]` | It is not checked before a call. | It is. |
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
///
/// # When it does not compile
///
/// The conflict target is not known. Each fault of an attribute is shown where it is, and all of
/// them at once:
///
/// ```text
/// error[E0080]: evaluation panicked: `Product` has no conflict target
///               note: the database needs one unique index to decide whether a row already exists
///               help: mark the fields of that index with `#[conflict_key]`, or add those of the primary key; where other models embed `Product`, write `#[upsert(embedded)]`
///   --> src/main.rs:12:8
///    |
/// 10 | #[derive(Upsertable)]
///    |          ---------- in this derive macro expansion
/// 11 | #[upsert(update_all)]
/// 12 | struct Product {
///    |        ^^^^^^^ evaluation of `_::_` failed here
/// ```
///
/// A part of the conflict target can be NULL, and is never found then:
///
/// ```text
/// error: conflict key `id` is an `Option`: rows with NULL never conflict
///        help: write `#[conflict_key(nullable)]` if that is what you want
///  --> src/main.rs:7:9
///   |
/// 7 |     id: Option<i32>,
///   |         ^^^^^^^^^^^
/// ```
///
/// A rule is misspelt:
///
/// ```text
/// error: unknown conflict rule `updaet`
///        help: did you mean `update`? the rules are `update`, `keep`, `add`, `max`, `min`, `coalesce`, `fill`, `set`, `touch`
///  --> src/main.rs:6:19
///   |
/// 6 |     #[on_conflict(updaet)]
///   |                   ^^^^^^
/// ```
///
/// A field has not the type of its column. It has to have it on one of the databases of the
/// crate's features at least, and with `check_for_backend` on each of those that are named there:
///
/// ```text
/// error[E0277]: `i32` cannot be written to a column of the SQL type `diesel::sql_types::Text`
///   --> src/main.rs:15:11
///    |
/// 15 |     name: i32,
///    |           ^^^ the table's column has the SQL type `diesel::sql_types::Text`
/// ```
///
/// The database is not among the crate's features:
///
/// ```text
/// error[E0277]: `Sqlite` is not a database that rows can be upserted on
///   --> src/main.rs:19:34
///    |
/// 19 |     let _ = Product::bulk_upsert(conn, products);
///    |             -------------------- ^^^^ the trait `Dialect` is not implemented for `Sqlite`
///    |             |
///    |             required by a bound introduced by this call
///    |
///    = note: enable the feature `sqlite`, `postgres` or `mysql` of `upsert-core`; a connection of `diesel::MultiConnection` is matched on first: each of its databases has calls of its own
/// ```
#[proc_macro_derive(
    Upsertable,
    attributes(upsert, conflict_key, on_conflict, on_insert, diesel)
)]
pub fn derive_upsertable(input: TokenStream) -> TokenStream {
    derive::expand(input.into()).into()
}

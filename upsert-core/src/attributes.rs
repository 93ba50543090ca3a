//! What each attribute of [`#[derive(Upsertable)]`](derive@crate::Upsertable) means.
//!
//! Nothing here is to be used: an editor shows it where the attribute is written. The SQL
//! is PostgreSQL's. What is here may change in any version.

#![allow(non_camel_case_types)]

/// `#[upsert(..)]`, on the struct: what is so for the whole row.
pub mod upsert {
    /// `#[upsert(update_all)]`
    ///
    /// Every field without an attribute is `#[on_conflict(update)]`.
    ///
    /// Without it: Such a field is kept.
    ///
    /// ```sql
    /// ON CONFLICT ("sku") DO UPDATE SET "name" = excluded."name", "price" = excluded."price"
    /// ```
    #[derive(Debug)]
    pub enum update_all {}

    /// `#[upsert(do_nothing)]`
    ///
    /// Rows that exist are left as they are.
    ///
    /// Without it: Something has to be updated.
    ///
    /// ```sql
    /// ON CONFLICT ("sku") DO NOTHING
    /// ```
    #[derive(Debug)]
    pub enum do_nothing {}

    /// `#[upsert(set(column = EXPR))]`
    ///
    /// `#[on_conflict(set = EXPR)]` for columns that the model does not have.
    ///
    /// Without it: They are left as they are.
    ///
    /// ```sql
    /// DO UPDATE SET "name" = excluded."name", "deleted" = $3
    /// ```
    #[derive(Debug)]
    pub enum set {}

    /// `#[upsert(touch(column = EXPR))]`
    ///
    /// `#[on_conflict(touch = EXPR)]` for columns that the model does not have.
    ///
    /// Without it: They are left as they are.
    ///
    /// ```sql
    /// DO UPDATE SET "name" = excluded."name",
    ///   "seen" = CASE WHEN ROW("products"."name") *<> ROW(excluded."name") THEN $3 ELSE "products"."seen" END
    /// ```
    #[derive(Debug)]
    pub enum touch {}

    /// `#[upsert(update_if = EXPR)]`
    ///
    /// An existing row is updated only where the condition holds.
    ///
    /// Without it: It is updated.
    ///
    /// ```sql
    /// DO UPDATE SET "name" = excluded."name" WHERE ("products"."deleted" = $3)
    /// ```
    #[derive(Debug)]
    pub enum update_if {}

    /// `#[upsert(newer_by = field)]`
    ///
    /// An existing row is updated only by one whose field is greater. A NULL is older than any value.
    ///
    /// Without it: It is updated.
    ///
    /// ```sql
    /// DO UPDATE SET "name" = excluded."name" WHERE ("products"."version" < excluded."version")
    /// ```
    #[derive(Debug)]
    pub enum newer_by {}

    /// `#[upsert(not_older_by = field)]`
    ///
    /// The same, and by one whose field is equal.
    ///
    /// Without it: It is updated.
    ///
    /// ```sql
    /// DO UPDATE SET "name" = excluded."name" WHERE ("products"."version" <= excluded."version")
    /// ```
    #[derive(Debug)]
    pub enum not_older_by {}

    /// `#[upsert(skip_unchanged)]`
    ///
    /// A row whose update would change no compared column is not written.
    ///
    /// Without it: It is written.
    ///
    /// ```sql
    /// DO UPDATE SET "name" = excluded."name" WHERE ROW("products"."name") *<> ROW(excluded."name")
    /// ```
    #[derive(Debug)]
    pub enum skip_unchanged {}

    /// `#[upsert(constraint = "name")]`
    ///
    /// The conflict target is the constraint. PostgreSQL only.
    ///
    /// Without it: The columns marked `#[conflict_key]`.
    ///
    /// ```sql
    /// ON CONFLICT ON CONSTRAINT "name" DO UPDATE SET ..
    /// ```
    #[derive(Debug)]
    pub enum constraint {}

    /// `#[upsert(target = EXPR)]`
    ///
    /// The conflict target is the expression, as in an index on `lower(email)`.
    ///
    /// `#[upsert(target = (EXPR, EXPR))]`
    ///
    /// The same, for an index on several.
    ///
    /// Without it: The columns marked `#[conflict_key]`.
    ///
    /// ```sql
    /// ON CONFLICT ((lower("products"."email"))) DO UPDATE SET ..
    /// ```
    #[derive(Debug)]
    pub enum target {}

    /// `#[upsert(target_where = EXPR)]`
    ///
    /// The predicate of the conflict target's index, which is a partial one.
    ///
    /// Without it: The index has all rows.
    ///
    /// ```sql
    /// ON CONFLICT ("sku") WHERE ("products"."deleted" = FALSE) DO UPDATE SET ..
    /// ```
    #[derive(Debug)]
    pub enum target_where {}

    /// `#[upsert(targets(name = column))]`
    ///
    /// A function `name()` of the struct that returns the column, for `on_conflict(..)` of one call.
    ///
    /// `#[upsert(targets(name = (column, column)))]`
    ///
    /// The same, for several columns.
    ///
    /// Without it: None.
    #[derive(Debug)]
    pub enum targets {}

    /// `#[upsert(embedded)]`
    ///
    /// The struct is not a model, but a part of one that has it as an `embed` field.
    ///
    /// Without it: It is a model.
    #[derive(Debug)]
    pub enum embedded {}
}

/// `#[conflict_key]`
///
/// The column is part of the conflict target.
///
/// Without it: The target is the table's primary key, which the model then has to have.
///
/// ```sql
/// ON CONFLICT ("shop", "sku") DO UPDATE SET ..
/// ```
pub mod conflict_key {
    /// `#[conflict_key(nullable)]`
    ///
    /// The same for an `Option`. Rows with NULL never conflict, so each is inserted.
    ///
    /// Without it: An `Option` is an error.
    ///
    /// ```sql
    /// ON CONFLICT ("shop", "sku") DO UPDATE SET ..
    /// ```
    #[derive(Debug)]
    pub enum nullable {}
}

/// `#[on_conflict(..)]`, on a field: what its column gets where the row exists.
pub mod on_conflict {
    /// `#[on_conflict(update)]`
    ///
    /// The column gets the new value.
    ///
    /// Without it: Kept.
    ///
    /// ```sql
    /// DO UPDATE SET "stock" = excluded."stock"
    /// ```
    #[derive(Debug)]
    pub enum update {}

    /// `#[on_conflict(keep)]`
    ///
    /// The column is inserted and never updated.
    ///
    /// Without it: Kept.
    #[derive(Debug)]
    pub enum keep {}

    /// `#[on_conflict(add)]`
    ///
    /// The column gets the sum of the old and the new value; a NULL counts as nothing.
    ///
    /// Without it: Kept.
    ///
    /// ```sql
    /// DO UPDATE SET "stock" = ("products"."stock" + excluded."stock")
    /// ```
    #[derive(Debug)]
    pub enum add {}

    /// `#[on_conflict(max)]`
    ///
    /// The column gets the greater value; a NULL never wins.
    ///
    /// Without it: Kept.
    ///
    /// ```sql
    /// DO UPDATE SET "stock" = GREATEST("products"."stock", excluded."stock")
    /// ```
    #[derive(Debug)]
    pub enum max {}

    /// `#[on_conflict(min)]`
    ///
    /// The column gets the smaller value; a NULL never wins.
    ///
    /// Without it: Kept.
    ///
    /// ```sql
    /// DO UPDATE SET "stock" = LEAST("products"."stock", excluded."stock")
    /// ```
    #[derive(Debug)]
    pub enum min {}

    /// `#[on_conflict(coalesce)]`
    ///
    /// The column gets the new value, unless that is NULL.
    ///
    /// Without it: Kept.
    ///
    /// ```sql
    /// DO UPDATE SET "stock" = COALESCE(excluded."stock", "products"."stock")
    /// ```
    #[derive(Debug)]
    pub enum coalesce {}

    /// `#[on_conflict(fill)]`
    ///
    /// The column gets the new value if the old one is NULL.
    ///
    /// Without it: Kept.
    ///
    /// ```sql
    /// DO UPDATE SET "stock" = COALESCE("products"."stock", excluded."stock")
    /// ```
    #[derive(Debug)]
    pub enum fill {}

    /// `#[on_conflict(set = EXPR)]`
    ///
    /// The column gets the expression's value.
    ///
    /// Without it: Kept.
    ///
    /// ```sql
    /// DO UPDATE SET "visits" = ("products"."visits" + excluded."visits")
    /// ```
    #[derive(Debug)]
    pub enum set {}

    /// `#[on_conflict(touch)]`
    ///
    /// The column gets the new value, but only where a compared column changes.
    ///
    /// `#[on_conflict(touch = EXPR)]`
    ///
    /// The column gets the expression's value, but only where a compared column changes.
    ///
    /// Without it: Kept.
    ///
    /// ```sql
    /// DO UPDATE SET "name" = excluded."name",
    ///   "seen" = CASE WHEN ROW("products"."name") *<> ROW(excluded."name") THEN excluded."seen" ELSE "products"."seen" END
    /// ```
    #[derive(Debug)]
    pub enum touch {}
}

/// `#[on_insert(..)]`, on a field: what its column gets in a new row.
pub mod on_insert {
    /// `#[on_insert(default = EXPR)]`
    ///
    /// Where the field, an `Option`, is `None`, a new row gets this value and an existing one keeps its own.
    ///
    /// Without it: As `treat_none_as_default_value` says.
    #[derive(Debug)]
    pub enum default {}
}

//! The methods by which a call overrides its model.
//!
//! A module of each builder, which is `super::Builder` and has the method
//! `with(next)`.

use super::Builder;
use crate::expression::{Condition, OnTable, ValueOf};
use crate::field::{ColumnDef, Rule};
use crate::overrides::{
    ColumnOf, WithDoNothing, WithExpression, WithGuard, WithRule, WithSkipUnchanged,
};
use crate::rule::RuleFor;
use crate::target::{ConflictTarget, FilterTarget, check_columns};
use crate::upsertable::Upsertable;

#[allow(clippy::needless_pass_by_value)] // as Diesel's
impl<'f, S, R: Upsertable, O, M> Builder<'f, S, R, O, M> {
    /// Chooses another conflict target: a column, a tuple of columns, or
    /// [`on_constraint`](crate::on_constraint).
    ///
    /// The columns are the model's, and there has to be a unique index on
    /// them. A column in the target is not updated, whatever its rule; the
    /// fields marked `#[conflict_key]` for the model's own target keep their
    /// rule, which is `keep` if they have none. The model's `target_where`
    /// goes with its own target.
    ///
    /// On MySQL the server picks the index by itself; a row that it finds
    /// by another one is an error.
    ///
    /// ```
    /// # include!("doctest_setup.rs");
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let conn = &mut connection();
    /// # use diesel::connection::SimpleConnection;
    /// # conn.batch_execute("CREATE UNIQUE INDEX products_name_key ON products (name)")?;
    /// use upsert_core::{rule, upsert};
    ///
    /// upsert([Product { sku: "a", name: "Apple" }]).execute(conn)?;
    /// // The product with this name has another number now.
    /// upsert([Product { sku: "b", name: "Apple" }])
    ///     .on_conflict(products::name)
    ///     .rule(products::sku, rule::Update)
    ///     .execute(conn)?;
    /// let skus: Vec<String> = products::table.select(products::sku).load(conn)?;
    /// assert_eq!(skus, ["b"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_conflict<T: ConflictTarget<R::Table, How>, How>(
        self,
        target: T,
    ) -> Builder<'f, S, R, (O, T::Override), M> {
        const { check_columns(R::FIELDS, T::COLUMNS) }
        self.with(target.into_override())
    }

    /// Gives the predicate of the partial unique index that is the conflict
    /// target, on PostgreSQL and SQLite.
    ///
    /// It goes with the target of the last `on_conflict(..)` before it. Values in
    /// it have to be written as [`literal`](crate::literal). Rows for which it
    /// is false never conflict.
    ///
    /// ```sql
    /// ON CONFLICT ("email") WHERE ("users"."deleted" = FALSE)
    /// ```
    ///
    /// # Errors
    ///
    /// The call fails if the predicate has a parameter.
    pub fn filter_target<P: Condition + OnTable<R::Table>>(
        self,
        predicate: P,
    ) -> Builder<'f, S, R, (O, FilterTarget<P>), M> {
        self.with(FilterTarget(predicate))
    }

    /// Sets `column` to `value` where the row exists, in place of the rule
    /// that the model has for it.
    ///
    /// `value` is anything that Diesel can write to the column: a Rust
    /// value, or an expression over the existing row's columns and
    /// [`excluded`](crate::excluded)`(column)`. The model need not have the
    /// column.
    ///
    /// ```
    /// # include!("doctest_setup.rs");
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let conn = &mut connection();
    /// use upsert_core::upsert;
    ///
    /// let rows = [Product { sku: "a", name: "Apple" }];
    /// upsert(&rows).execute(conn)?;
    /// upsert(&rows).set(products::name, "seen twice").execute(conn)?;
    /// let name: String = products::table.select(products::name).first(conn)?;
    /// assert_eq!(name, "seen twice");
    /// # Ok(())
    /// # }
    /// ```
    pub fn set<C: ColumnOf<R::Table>, V: ValueOf<C::SqlType, R::Table>>(
        self,
        column: C,
        value: V,
    ) -> Builder<'f, S, R, (O, WithExpression<V::Expression>), M> {
        let _ = column;
        self.with(WithExpression {
            column: ColumnDef::of::<C>(Rule::Set),
            expression: value.into_expression(),
        })
    }

    /// Sets `column` to `value` as [`set`](Self::set) does, but only where a
    /// compared column really changes.
    ///
    /// Compared are the columns with another rule than `keep` and `touch`.
    pub fn touch<C: ColumnOf<R::Table>, V: ValueOf<C::SqlType, R::Table>>(
        self,
        column: C,
        value: V,
    ) -> Builder<'f, S, R, (O, WithExpression<V::Expression>), M> {
        let _ = column;
        self.with(WithExpression {
            column: ColumnDef::of::<C>(Rule::Touch),
            expression: value.into_expression(),
        })
    }

    /// Gives a column of the model another rule, one of those in
    /// [`rule`](crate::rule).
    ///
    /// # Errors
    ///
    /// The call fails if the model has no such column, or if it is in the
    /// conflict target.
    pub fn rule<C: ColumnOf<R::Table>, N: RuleFor<C::SqlType>>(
        self,
        column: C,
        rule: N,
    ) -> Builder<'f, S, R, (O, WithRule), M> {
        let _ = (column, rule);
        self.with(WithRule {
            column: ColumnDef::of::<C>(N::RULE),
        })
    }

    /// Updates a row that exists only if `condition` holds, in place of the
    /// model's `update_if`, `newer_by` and `not_older_by`.
    ///
    /// A condition that is NULL does not hold. Rows that it keeps are not
    /// counted.
    ///
    /// ```
    /// # include!("doctest_setup.rs");
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let conn = &mut connection();
    /// use upsert_core::upsert;
    ///
    /// upsert([Product { sku: "a", name: "Apple" }]).execute(conn)?;
    /// let written = upsert([Product { sku: "a", name: "Apricot" }])
    ///     .update_if(products::name.ne("Apple"))
    ///     .execute(conn)?;
    /// assert_eq!(written, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn update_if<P: Condition + OnTable<R::Table>>(
        self,
        condition: P,
    ) -> Builder<'f, S, R, (O, WithGuard<P>), M> {
        self.with(WithGuard(condition))
    }

    /// Leaves rows that an update would not change unwritten, or not, in
    /// place of what the model says.
    pub fn skip_unchanged(self, skip: bool) -> Builder<'f, S, R, (O, WithSkipUnchanged), M> {
        self.with(WithSkipUnchanged(skip))
    }

    /// Leaves the rows that exist as they are, whatever the model and the rest
    /// of the call say.
    pub fn do_nothing(self) -> Builder<'f, S, R, (O, WithDoNothing), M> {
        self.with(WithDoNothing)
    }
}

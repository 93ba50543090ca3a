//! What a call says instead of its model: the types in the list `O` of
//! [`Upsert`](crate::Upsert), for functions that return a call.
//!
//! ```
//! # include!("doctest_setup.rs");
//! # fn main() {
//! use upsert_core::Upsert;
//! use upsert_core::overrides::WithSkipUnchanged;
//!
//! fn import<'r>(
//!     rows: &'r [Product<'r>],
//! ) -> Upsert<'r, &'r Product<'r>, &'r Product<'r>, ((), WithSkipUnchanged)> {
//!     upsert_core::upsert(rows).skip_unchanged(true)
//! }
//! # let _ = import(&[]);
//! # }
//! ```

use core::fmt;

use diesel::expression::TypedExpressionType;
use diesel::prelude::Column;
use diesel::query_builder::QueryFragment;
use diesel::sql_types::{SingleValue, SqlType};

use crate::dialect::Dialect;
use crate::expression::Fragment;
use crate::field::ColumnDef;
use crate::target::ChosenTarget;
use crate::value::Nullability;

pub use crate::target::{FilterTarget, OnColumns};

/// The overrides of a call, which can be written for the database `DB`.
///
/// A call is a list of them, each known by its type, so that an expression
/// that a database cannot have is an error when the call is compiled.
#[diagnostic::on_unimplemented(
    message = "what this call overrides cannot be written on `{DB}`",
    note = "`on_constraint` is for PostgreSQL, `filter_target` for PostgreSQL and SQLite, and an \
            expression needs functions and operators that the database has"
)]
pub trait Overrides<'f, DB: Dialect> {
    #[doc(hidden)]
    fn apply_all(self, into: &mut Overriding<'f, DB>);
}

impl<DB: Dialect> Overrides<'_, DB> for () {
    fn apply_all(self, _: &mut Overriding<'_, DB>) {}
}

impl<'f, DB, Before, Last> Overrides<'f, DB> for (Before, Last)
where
    DB: Dialect,
    Before: Overrides<'f, DB>,
    Last: Override<'f, DB>,
{
    fn apply_all(self, into: &mut Overriding<'f, DB>) {
        self.0.apply_all(into);
        self.1.apply(into);
    }
}

/// One override.
#[doc(hidden)]
pub trait Override<'f, DB: Dialect> {
    fn apply(self, into: &mut Overriding<'f, DB>);
}

/// All overrides of a call.
#[doc(hidden)]
pub struct Overriding<'f, DB> {
    pub(crate) target: Option<ChosenTarget>,
    pub(crate) target_where: Option<Fragment<'f, DB>>,
    /// Later ones win.
    pub(crate) columns: Vec<(ColumnDef, Option<Fragment<'f, DB>>)>,
    pub(crate) update_if: Option<Fragment<'f, DB>>,
    pub(crate) skip_unchanged: Option<bool>,
    pub(crate) do_nothing: bool,
}

impl<'f, DB: Dialect> Overriding<'f, DB> {
    pub(crate) fn of(overrides: impl Overrides<'f, DB>) -> Self {
        let mut this = Self {
            target: None,
            target_where: None,
            columns: Vec::new(),
            update_if: None,
            skip_unchanged: None,
            do_nothing: false,
        };
        overrides.apply_all(&mut this);
        this
    }
}

impl<DB> fmt::Debug for Overriding<'_, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overriding").finish_non_exhaustive()
    }
}

/// Another rule for a column.
#[derive(Debug, Clone, Copy)]
pub struct WithRule {
    pub(crate) column: ColumnDef,
}

impl<'f, DB: Dialect> Override<'f, DB> for WithRule {
    fn apply(self, into: &mut Overriding<'f, DB>) {
        into.columns.push((self.column, None));
    }
}

/// An expression for a column.
#[derive(Debug, Clone, Copy)]
pub struct WithExpression<E> {
    pub(crate) column: ColumnDef,
    pub(crate) expression: E,
}

impl<'f, DB, E> Override<'f, DB> for WithExpression<E>
where
    DB: Dialect,
    E: QueryFragment<DB> + Send + Sync + 'f,
{
    fn apply(self, into: &mut Overriding<'f, DB>) {
        into.columns
            .push((self.column, Some(Box::new(self.expression))));
    }
}

/// Another guard.
#[derive(Debug, Clone, Copy)]
pub struct WithGuard<E>(pub(crate) E);

impl<'f, DB, E> Override<'f, DB> for WithGuard<E>
where
    DB: Dialect,
    E: QueryFragment<DB> + Send + Sync + 'f,
{
    fn apply(self, into: &mut Overriding<'f, DB>) {
        into.update_if = Some(Box::new(self.0));
    }
}

/// `skip_unchanged` or not.
#[derive(Debug, Clone, Copy)]
pub struct WithSkipUnchanged(pub(crate) bool);

impl<'f, DB: Dialect> Override<'f, DB> for WithSkipUnchanged {
    fn apply(self, into: &mut Overriding<'f, DB>) {
        into.skip_unchanged = Some(self.0);
    }
}

/// `do_nothing`.
#[derive(Debug, Clone, Copy)]
pub struct WithDoNothing;

impl<'f, DB: Dialect> Override<'f, DB> for WithDoNothing {
    fn apply(self, into: &mut Overriding<'f, DB>) {
        into.do_nothing = true;
    }
}

/// The methods by which a call overrides its model, for a builder with the
/// method `with(next)`.
macro_rules! override_methods {
    ($builder:ident<$lifetime:lifetime, $rows:ident, $model:ident, O, $mode:ident>) => {
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
        pub fn on_conflict<T, How>(
            self,
            target: T,
        ) -> $builder<$lifetime, $rows, $model, (O, T::Override), $mode>
        where
            T: $crate::target::ConflictTarget<<$model as $crate::Fields>::Table, How>,
        {
            const { $crate::target::check_columns(<$model as $crate::Fields>::FIELDS, T::COLUMNS) }
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
        pub fn filter_target<P>(
            self,
            predicate: P,
        ) -> $builder<$lifetime, $rows, $model, (O, $crate::target::FilterTarget<P>), $mode>
        where
            P: ::diesel::Expression<SqlType: ::diesel::sql_types::BoolOrNullableBool>
                + $crate::expression::OnTable<<$model as $crate::Fields>::Table>,
        {
            self.with($crate::target::FilterTarget(predicate))
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
        pub fn set<C, V>(
            self,
            column: C,
            value: V,
        ) -> $builder<
            $lifetime,
            $rows,
            $model,
            (O, $crate::overrides::WithExpression<V::Expression>),
            $mode,
        >
        where
            C: ::diesel::Column<SqlType: $crate::overrides::ColumnType>
                + $crate::overrides::ColumnOf<<$model as $crate::Fields>::Table>,
            V: ::diesel::expression::AsExpression<C::SqlType>,
            V::Expression: $crate::expression::OnTable<C::Table>,
        {
            let _ = column;
            self.with($crate::overrides::WithExpression {
                column: $crate::ColumnDef::of::<C>($crate::Rule::Set),
                expression: value.as_expression(),
            })
        }

        /// Sets `column` to `value` as [`set`](Self::set) does, but only where a
        /// compared column really changes.
        ///
        /// Compared are the columns with another rule than `keep` and `touch`.
        pub fn touch<C, V>(
            self,
            column: C,
            value: V,
        ) -> $builder<
            $lifetime,
            $rows,
            $model,
            (O, $crate::overrides::WithExpression<V::Expression>),
            $mode,
        >
        where
            C: ::diesel::Column<SqlType: $crate::overrides::ColumnType>
                + $crate::overrides::ColumnOf<<$model as $crate::Fields>::Table>,
            V: ::diesel::expression::AsExpression<C::SqlType>,
            V::Expression: $crate::expression::OnTable<C::Table>,
        {
            let _ = column;
            self.with($crate::overrides::WithExpression {
                column: $crate::ColumnDef::of::<C>($crate::Rule::Touch),
                expression: value.as_expression(),
            })
        }

        /// Gives a column of the model another rule, one of those in
        /// [`rule`](crate::rule).
        ///
        /// # Errors
        ///
        /// The call fails if the model has no such column, or if it is in the
        /// conflict target.
        pub fn rule<C, N>(
            self,
            column: C,
            rule: N,
        ) -> $builder<$lifetime, $rows, $model, (O, $crate::overrides::WithRule), $mode>
        where
            C: ::diesel::Column<SqlType: $crate::overrides::ColumnType>
                + $crate::overrides::ColumnOf<<$model as $crate::Fields>::Table>,
            N: $crate::rule::RuleFor<C::SqlType>,
        {
            let _ = (column, rule);
            self.with($crate::overrides::WithRule {
                column: $crate::ColumnDef::of::<C>(N::RULE),
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
        pub fn update_if<P>(
            self,
            condition: P,
        ) -> $builder<$lifetime, $rows, $model, (O, $crate::overrides::WithGuard<P>), $mode>
        where
            P: ::diesel::Expression<SqlType: ::diesel::sql_types::BoolOrNullableBool>
                + $crate::expression::OnTable<<$model as $crate::Fields>::Table>,
        {
            self.with($crate::overrides::WithGuard(condition))
        }

        /// Leaves rows that an update would not change unwritten, or not, in
        /// place of what the model says.
        pub fn skip_unchanged(
            self,
            skip: bool,
        ) -> $builder<$lifetime, $rows, $model, (O, $crate::overrides::WithSkipUnchanged), $mode> {
            self.with($crate::overrides::WithSkipUnchanged(skip))
        }

        /// Leaves the rows that exist as they are, whatever the model and the rest
        /// of the call say.
        pub fn do_nothing(
            self,
        ) -> $builder<$lifetime, $rows, $model, (O, $crate::overrides::WithDoNothing), $mode> {
            self.with($crate::overrides::WithDoNothing)
        }
    };
}
pub(crate) use override_methods;

/// A column of the table `Tab`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a column of the table `{Tab}`",
    label = "not a column of `{Tab}`"
)]
pub trait ColumnOf<Tab> {}

#[diagnostic::do_not_recommend]
impl<Tab, C: Column<Table = Tab>> ColumnOf<Tab> for C {}

/// The SQL type of a column that can be written.
pub trait ColumnType: SqlType<IsNull: Nullability> + SingleValue + TypedExpressionType {}

impl<ST> ColumnType for ST where ST: SqlType<IsNull: Nullability> + SingleValue + TypedExpressionType
{}

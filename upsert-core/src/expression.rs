//! Diesel expressions in attributes and options.

use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;

use diesel::backend::Backend;
use diesel::expression::{
    AppearsOnTable, AsExpression, Expression, SelectableExpression, TypedExpressionType,
    ValidGrouping, is_aggregate,
};
use diesel::prelude::Column;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{self, BoolOrNullableBool, SqlType};

use crate::dialect::Dialect;
use crate::error::refuse;
use crate::field::ColumnDef;

/// The value that the proposed row has for `column`.
///
/// For the expressions in attributes (`set = ..`, `update_if = ..`) and in the
/// options of a call; a column by itself is the existing row's value there.
///
/// Diesel's own [`excluded`](diesel::upsert::excluded) does the same on
/// PostgreSQL and SQLite; this one works on MySQL too:
///
/// ```sql
/// excluded."name"    -- PostgreSQL; SQLite with its quotes
/// VALUES(`name`)     -- MySQL, MariaDB
/// ```
///
/// ```
/// # include!("doctest_setup.rs");
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let conn = &mut connection();
/// use upsert_core::{excluded, upsert};
///
/// let apple = [Product { sku: "a", name: "Apple" }];
/// upsert(&apple).execute(conn)?;
/// upsert(&apple)
///     .set(products::name, products::name.concat(" & ").concat(excluded(products::name)))
///     .execute(conn)?;
/// let name: String = products::table.select(products::name).first(conn)?;
/// assert_eq!(name, "Apple & Apple");
/// # Ok(())
/// # }
/// ```
#[allow(clippy::needless_pass_by_value)] // as Diesel's
pub fn excluded<C: ColumnToExclude>(column: C) -> Excluded<C> {
    let _ = column;
    Excluded(PhantomData)
}

/// A column, as [`excluded`] takes it.
#[diagnostic::on_unimplemented(
    message = "`excluded(..)` takes a column",
    label = "is not a column of `diesel::table!`",
    note = "`excluded` goes around each column: `excluded(a) + excluded(b)`"
)]
pub trait ColumnToExclude: Column {}

#[diagnostic::do_not_recommend]
impl<C: Column> ColumnToExclude for C {}

/// See [`excluded`].
#[derive(Debug, Clone, Copy)]
pub struct Excluded<C>(PhantomData<C>);

impl<C: Column> Expression for Excluded<C> {
    type SqlType = C::SqlType;
}

impl<C: Column> AppearsOnTable<C::Table> for Excluded<C> {}

impl<C: Column> SelectableExpression<C::Table> for Excluded<C> {}

impl<C> ValidGrouping<()> for Excluded<C> {
    type IsAggregate = is_aggregate::No;
}

impl<C: QueryId> QueryId for Excluded<C> {
    type QueryId = Excluded<C::QueryId>;
    const HAS_STATIC_QUERY_ID: bool = C::HAS_STATIC_QUERY_ID;
}

impl<C: Column, DB: Dialect> QueryFragment<DB> for Excluded<C> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        DB::push_excluded(C::NAME, &mut out)
    }
}

macro_rules! numeric_operators {
    ($($operator:ident $method:ident,)*) => {$(
        impl<C, Rhs> core::ops::$operator<Rhs> for Excluded<C>
        where
            C: Column,
            C::SqlType: SqlType + sql_types::ops::$operator,
            <C::SqlType as sql_types::ops::$operator>::Rhs: SqlType + TypedExpressionType,
            Rhs: AsExpression<<C::SqlType as sql_types::ops::$operator>::Rhs>,
        {
            type Output = diesel::internal::table_macro::ops::$operator<Self, Rhs::Expression>;

            fn $method(self, rhs: Rhs) -> Self::Output {
                diesel::internal::table_macro::ops::$operator::new(self, rhs.as_expression())
            }
        }
    )*};
}

numeric_operators! { Add add, Sub sub, Mul mul, Div div, }

/// A value that is written into the statement as SQL, not bound as a
/// parameter.
///
/// The predicate of a partial unique index, behind
/// [`filter_target`](crate::Upsert::filter_target), must not have parameters:
/// PostgreSQL stops finding the index when it prepares the statement for any
/// parameter, from the sixth execution on. In the attribute `target_where`
/// literals are taken as such by themselves.
///
/// Whole numbers, floating point numbers, booleans and text can be literals. The
/// statement of a call with a literal is not kept prepared.
///
/// ```
/// # include!("doctest_setup.rs");
/// # fn main() {
/// use diesel::debug_query;
/// use diesel::sqlite::Sqlite;
/// use upsert_core::literal;
///
/// let named = products::name.ne(literal("it's"));
/// assert_eq!(
///     debug_query::<Sqlite, _>(&named).to_string(),
///     "(`products`.`name` != 'it''s') -- binds: []",
/// );
/// # }
/// ```
pub fn literal<T>(value: T) -> Literal<T> {
    Literal {
        value,
        is_constant: false,
    }
}

/// A literal in an attribute, which is the same in every call.
pub fn constant<T>(value: T) -> Literal<T> {
    Literal {
        value,
        is_constant: true,
    }
}

/// See [`literal`].
#[derive(Debug, Clone, Copy)]
pub struct Literal<T> {
    value: T,
    /// Has it the same value in every call, so that the statement may be kept?
    is_constant: bool,
}

impl<T, ST> AsExpression<ST> for Literal<T>
where
    ST: SqlType + TypedExpressionType,
    T: LiteralOf<ST>,
{
    type Expression = LiteralExpression<ST>;

    fn as_expression(self) -> Self::Expression {
        LiteralExpression {
            value: self.value.value(),
            is_constant: self.is_constant,
            sql_type: PhantomData,
        }
    }
}

/// A Rust value that can be a literal of the SQL type `ST`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a literal of the SQL type `{ST}`",
    note = "whole numbers, `f64`, `bool` and `&'static str` can be literals"
)]
pub trait LiteralOf<ST> {
    #[doc(hidden)]
    fn value(self) -> LiteralValue;
}

/// See [`LiteralOf`].
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub enum LiteralValue {
    Integer(i64),
    Float(f64),
    Bool(bool),
    Text(&'static str),
}

macro_rules! literals {
    ($($rust:ty => $variant:ident as $($sql:ident),*;)*) => {$($(
        impl LiteralOf<sql_types::$sql> for $rust {
            fn value(self) -> LiteralValue {
                LiteralValue::$variant(self.into())
            }
        }

        impl LiteralOf<sql_types::Nullable<sql_types::$sql>> for $rust {
            fn value(self) -> LiteralValue {
                LiteralValue::$variant(self.into())
            }
        }
    )*)*};
}

literals! {
    i16 => Integer as SmallInt, Integer, BigInt;
    i32 => Integer as SmallInt, Integer, BigInt;
    i64 => Integer as SmallInt, Integer, BigInt;
    f64 => Float as Float, Double;
    bool => Bool as Bool;
    &'static str => Text as Text;
}

/// A literal of the SQL type `ST`.
#[derive(Debug, Clone, Copy)]
pub struct LiteralExpression<ST> {
    value: LiteralValue,
    is_constant: bool,
    sql_type: PhantomData<ST>,
}

impl<ST: SqlType + TypedExpressionType> Expression for LiteralExpression<ST> {
    type SqlType = ST;
}

impl<ST, Tab> AppearsOnTable<Tab> for LiteralExpression<ST> where Self: Expression {}

impl<ST, QS> SelectableExpression<QS> for LiteralExpression<ST> where Self: AppearsOnTable<QS> {}

impl<ST> ValidGrouping<()> for LiteralExpression<ST> {
    type IsAggregate = is_aggregate::Never;
}

impl<ST> QueryId for LiteralExpression<ST> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<ST, DB: Dialect> QueryFragment<DB> for LiteralExpression<ST> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if !self.is_constant {
            out.unsafe_to_cache_prepared();
        }
        match self.value {
            LiteralValue::Float(value) if !value.is_finite() => {
                return Err(refuse("a literal has to be a finite number"));
            }
            LiteralValue::Integer(value) => out.push_sql(&value.to_string()),
            // As it is written in an index: SQLite compares the text. It has all
            // digits, and is no integer to any database.
            LiteralValue::Float(value) => out.push_sql(&format!("{value:?}")),
            LiteralValue::Bool(true) => out.push_sql("TRUE"),
            LiteralValue::Bool(false) => out.push_sql("FALSE"),
            LiteralValue::Text(value) => DB::push_text(value, &mut out),
        }
        Ok(())
    }
}

/// A part of a statement that is known only at run time.
pub type Fragment<'f, DB> = Box<dyn QueryFragment<DB> + Send + Sync + 'f>;

/// The expressions in a model's attributes.
pub struct Expressions<DB: Backend> {
    /// Those of fields, with the positions of their columns.
    pub(crate) columns: Vec<(usize, Fragment<'static, DB>)>,
    /// Those of columns that the model does not have.
    pub(crate) others: Vec<(ColumnDef, Fragment<'static, DB>)>,
    pub(crate) update_if: Option<Fragment<'static, DB>>,
    pub(crate) target: Vec<Fragment<'static, DB>>,
    pub(crate) target_where: Option<Fragment<'static, DB>>,
}

impl<DB: Backend> Expressions<DB> {
    pub(crate) const fn new() -> Self {
        Self {
            columns: Vec::new(),
            others: Vec::new(),
            update_if: None,
            target: Vec::new(),
            target_where: None,
        }
    }

    /// `set = ..` or `touch = ..` of the column at `position`.
    pub fn column(&mut self, position: usize, expression: Fragment<'static, DB>) {
        self.columns.push((position, expression));
    }

    /// `set(column = ..)` or `touch(column = ..)`.
    pub fn other(&mut self, column: ColumnDef, expression: Fragment<'static, DB>) {
        self.others.push((column, expression));
    }

    /// `update_if = ..`
    pub fn update_if(&mut self, condition: Fragment<'static, DB>) {
        self.update_if = Some(condition);
    }

    /// An element of `target = ..`.
    pub fn target(&mut self, part: Fragment<'static, DB>) {
        self.target.push(part);
    }

    /// `target_where = ..`
    pub fn target_where(&mut self, predicate: Fragment<'static, DB>) {
        self.target_where = Some(predicate);
    }
}

impl<DB: Backend> fmt::Debug for Expressions<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expressions").finish_non_exhaustive()
    }
}

/// An expression over the table `Tab`, for messages that are shorter than
/// Diesel's.
#[diagnostic::on_unimplemented(
    message = "not an expression over the table `{Tab}`",
    label = "has something else in it than columns of `{Tab}`, `excluded(..)` and queries"
)]
pub trait OnTable<Tab> {}

#[diagnostic::do_not_recommend]
impl<Tab, E: AppearsOnTable<Tab>> OnTable<Tab> for E {}

/// A Rust value, or an expression over the table `Tab`, that Diesel can write to a
/// column of the SQL type `ST`.
#[diagnostic::on_unimplemented(
    message = "not a value for a column of the SQL type `{ST}` of the table `{Tab}`",
    label = "is neither a Rust value that Diesel writes to `{ST}`, nor an expression of that SQL \
             type over `{Tab}`'s columns, `excluded(..)` and queries"
)]
pub trait ValueOf<ST, Tab> {
    /// The value as an expression.
    type Expression;

    #[doc(hidden)]
    fn into_expression(self) -> Self::Expression;
}

#[diagnostic::do_not_recommend]
impl<ST, Tab, E> ValueOf<ST, Tab> for E
where
    ST: SqlType + TypedExpressionType,
    E: AsExpression<ST, Expression: OnTable<Tab>>,
{
    type Expression = E::Expression;

    fn into_expression(self) -> E::Expression {
        self.as_expression()
    }
}

/// A condition.
#[diagnostic::on_unimplemented(
    message = "not a condition",
    label = "has another SQL type than `Bool` and `Nullable<Bool>`"
)]
pub trait Condition: Expression<SqlType: BoolOrNullableBool> {}

#[diagnostic::do_not_recommend]
impl<E: Expression<SqlType: BoolOrNullableBool>> Condition for E {}

/// `value` as an expression for the column `C`.
pub fn assigned<C: Column, E: ValueOf<C::SqlType, C::Table>>(value: E) -> E::Expression {
    value.into_expression()
}

/// `condition` as a condition on the rows of `Tab`.
pub fn condition<Tab, E: Condition + OnTable<Tab>>(condition: E) -> E {
    condition
}

/// `part` as a part of a conflict target on `Tab`.
pub fn target_part<Tab, E: Expression + OnTable<Tab>>(part: E) -> E {
    part
}

/// An expression that is written for `DB` if it can be.
///
/// `(&&Written::<DB, _>::new(expression)).__upsert_fragment()` takes
/// [`AsFragment`] where the expression is a fragment for `DB`, and
/// [`NoFragment`] elsewhere, because method lookup tries the receiver
/// `&&Written` before `&Written`. So a model is compiled for every database,
/// and fails to compile only where it is used on one that cannot have it.
pub struct Written<DB, E> {
    expression: Cell<Option<E>>,
    database: PhantomData<DB>,
}

impl<DB, E> Written<DB, E> {
    /// `expression`, to be written once.
    pub fn new(expression: E) -> Self {
        Self {
            expression: Cell::new(Some(expression)),
            database: PhantomData,
        }
    }
}

impl<DB, E> fmt::Debug for Written<DB, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Written").finish_non_exhaustive()
    }
}

/// See [`Written`].
pub trait AsFragment<DB: Backend> {
    /// The expression.
    fn __upsert_fragment(&self) -> Fragment<'static, DB>;
}

impl<DB, E> AsFragment<DB> for &Written<DB, E>
where
    DB: Backend,
    E: QueryFragment<DB> + Send + Sync + 'static,
{
    fn __upsert_fragment(&self) -> Fragment<'static, DB> {
        Box::new(self.expression.take())
    }
}

/// See [`Written`].
pub trait NoFragment<DB: Backend> {
    /// Does not compile.
    fn __upsert_fragment(&self) -> Fragment<'static, DB>;
}

impl<DB: Backend, E> NoFragment<DB> for Written<DB, E> {
    fn __upsert_fragment(&self) -> Fragment<'static, DB> {
        const { cannot_be_written::<E, _>() }
    }
}

// Without the tracking, rustc would show the inside of `panic!`. Asking for the
// size of `E` first keeps an optimizing rustc from evaluating it while `E` is not
// known.
#[track_caller]
const fn cannot_be_written<E, F>() -> F {
    assert!(size_of::<E>() <= isize::MAX.unsigned_abs());
    panic!(
        "an expression in this model's attributes cannot be written on this database: write it \
         with functions and operators that the database has, or write a model of its own for this \
         database"
    )
}

//! How the engine reads the values of a row.

use core::marker::PhantomData;

use diesel::backend::Backend;
use diesel::serialize::ToSql;
use diesel::sql_types::{HasSqlType, SqlType, is_nullable};

/// Something that the engine does with one value of a row: bind it, encode it
/// as a part of the conflict key, measure it.
///
/// A model hands its values over by [`BindFields::visit`], so that every use of
/// a value is written once, here, and not once more in every model.
///
/// [`BindFields::visit`]: crate::BindFields::visit
pub trait ValueVisitor<'b, DB: Backend> {
    /// What the visit yields.
    type Output;

    /// Visits a value that is written to a column of the SQL type `ST`.
    ///
    /// `plain` is the same value where its Rust type is one of those that the
    /// engine knows, and [`Plain::Unknown`] elsewhere.
    fn visit<ST, T>(self, value: &'b T, plain: Plain<'b>) -> Self::Output
    where
        ST: SqlType,
        DB: HasSqlType<ST>,
        T: ToSql<ST, DB> + ?Sized;

    /// Visits a value that the row does not supply.
    fn visit_absent(self) -> Self::Output;
}

/// A field's type, as it is bound to a column of the SQL type `ST`.
///
/// `How` is [`Whole`], or, for a field that is an `Option`, the nullability of
/// `ST`: on a nullable column `None` is NULL, on a `NOT NULL` column it means
/// that the row does not supply the column.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be written to a column of the SQL type `{ST}` on `{DB}`",
    label = "the table's column has the SQL type `{ST}`",
    note = "the field's type has to implement `ToSql<{ST}, {DB}>`"
)]
pub trait Bind<ST, How, DB: Backend> {
    #[doc(hidden)]
    const CHECK: () = ();

    /// Hands the value to `visitor`.
    fn bind<'b, V: ValueVisitor<'b, DB>>(&'b self, plain: Plain<'b>, visitor: V) -> V::Output;
}

/// What the derive asks of each field, for the message: with `true` it holds for every
/// type. The derive gives `true` where the type can be written to a column of the SQL
/// type `ST` on one of the databases of the crate's features at least.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be written to a column of the SQL type `{ST}`",
    label = "the table's column has the SQL type `{ST}`",
    note = "the field's type has to implement `ToSql<{ST}, DB>` for a database `DB` of the \
            crate's features that are enabled, or of `#[diesel(check_for_backend(DB))]`"
)]
pub trait BindOnAny<ST, const IS_BIND: bool> {
    #[doc(hidden)]
    const CHECK: () = ();
}

#[diagnostic::do_not_recommend]
impl<T: ?Sized, ST> BindOnAny<ST, true> for T {}

/// Is `T` a [`Bind`]? `IsBind::<..>::__UPSERT_IS` is the struct's own constant where it is,
/// and that of [`IsNotBind`] elsewhere.
#[derive(Debug)]
pub struct IsBind<T: ?Sized, ST, How, DB>(PhantomData<fn(&T, ST, How, DB)>);

impl<T, ST, How, DB> IsBind<T, ST, How, DB>
where
    T: Bind<ST, How, DB> + ?Sized,
    DB: Backend,
{
    /// It is.
    pub const __UPSERT_IS: bool = true;
}

/// See [`IsBind`].
pub trait IsNotBind {
    /// It is not.
    const __UPSERT_IS: bool = false;
}

impl<T: ?Sized, ST, How, DB> IsNotBind for IsBind<T, ST, How, DB> {}

/// The whole of a field is bound, an `Option` too: `None` is NULL.
#[derive(Debug, Clone, Copy)]
pub struct Whole;

#[diagnostic::do_not_recommend]
impl<T, ST, DB> Bind<ST, Whole, DB> for T
where
    ST: SqlType,
    DB: Backend + HasSqlType<ST>,
    T: ToSql<ST, DB> + ?Sized,
{
    #[inline]
    fn bind<'b, V: ValueVisitor<'b, DB>>(&'b self, plain: Plain<'b>, visitor: V) -> V::Output {
        visitor.visit::<ST, T>(self, plain)
    }
}

#[diagnostic::do_not_recommend]
impl<T, ST, DB> Bind<ST, is_nullable::IsNullable, DB> for Option<T>
where
    ST: SqlType,
    DB: Backend + HasSqlType<ST>,
    Self: ToSql<ST, DB>,
{
    #[inline]
    fn bind<'b, V: ValueVisitor<'b, DB>>(&'b self, plain: Plain<'b>, visitor: V) -> V::Output {
        visitor.visit::<ST, Self>(self, plain)
    }
}

#[diagnostic::do_not_recommend]
impl<T, ST, DB> Bind<ST, is_nullable::NotNull, DB> for Option<T>
where
    ST: SqlType,
    DB: Backend + HasSqlType<ST>,
    T: ToSql<ST, DB>,
{
    #[inline]
    fn bind<'b, V: ValueVisitor<'b, DB>>(&'b self, plain: Plain<'b>, visitor: V) -> V::Output {
        match self {
            Some(value) => visitor.visit::<ST, T>(value, plain),
            None => visitor.visit_absent(),
        }
    }
}

/// Whether a column can hold NULL, from its SQL type's `IsNull`.
pub trait Nullability {
    /// Can it?
    const NULLABLE: bool;
}

impl Nullability for is_nullable::IsNullable {
    const NULLABLE: bool = true;
}

impl Nullability for is_nullable::NotNull {
    const NULLABLE: bool = false;
}

/// A value whose Rust type the engine knows, so that it need not be serialized
/// to be compared or measured.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Plain<'b> {
    /// `None`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A floating point number.
    Float(f64),
    /// Text.
    Text(&'b str),
    /// Bytes.
    Bytes(&'b [u8]),
    /// A type that the engine does not know.
    Unknown,
}

/// A Rust type whose values the engine can read as [`Plain`].
pub trait PlainType {
    /// The value.
    fn plain(&self) -> Plain<'_>;
}

macro_rules! plain_types {
    ($($ty:ty: |$value:ident| $plain:expr,)*) => {$(
        impl PlainType for $ty {
            #[inline]
            fn plain(&self) -> Plain<'_> {
                let $value = self;
                $plain
            }
        }
    )*};
}

plain_types! {
    bool: |v| Plain::Bool(*v),
    i8: |v| Plain::Integer(i64::from(*v)),
    i16: |v| Plain::Integer(i64::from(*v)),
    i32: |v| Plain::Integer(i64::from(*v)),
    i64: |v| Plain::Integer(*v),
    u8: |v| Plain::Integer(i64::from(*v)),
    u16: |v| Plain::Integer(i64::from(*v)),
    u32: |v| Plain::Integer(i64::from(*v)),
    f32: |v| Plain::Float(f64::from(*v)),
    f64: |v| Plain::Float(*v),
    str: |v| Plain::Text(v),
    String: |v| Plain::Text(v),
    [u8]: |v| Plain::Bytes(v),
    Vec<u8>: |v| Plain::Bytes(v),
    std::borrow::Cow<'_, str>: |v| Plain::Text(v),
    std::borrow::Cow<'_, [u8]>: |v| Plain::Bytes(v),
}

impl<const N: usize> PlainType for [u8; N] {
    #[inline]
    fn plain(&self) -> Plain<'_> {
        Plain::Bytes(self)
    }
}

macro_rules! plain_pointers {
    ($($ty:ty),*) => {$(
        impl<T: PlainType + ?Sized> PlainType for $ty {
            #[inline]
            fn plain(&self) -> Plain<'_> {
                (**self).plain()
            }
        }
    )*};
}

plain_pointers!(&T, Box<T>, std::sync::Arc<T>, std::rc::Rc<T>);

impl<T: PlainType> PlainType for Option<T> {
    #[inline]
    fn plain(&self) -> Plain<'_> {
        self.as_ref().map_or(Plain::Null, PlainType::plain)
    }
}

/// A field, asked for its [`Plain`] value whether or not its type has one.
///
/// `(&&Probe(&field)).__upsert_plain()` takes [`AsPlain`] where the type is a
/// `PlainType` and [`AsUnknown`] elsewhere, because method lookup tries the
/// receiver `&&Probe` before `&Probe`.
#[derive(Debug)]
pub struct Probe<'b, T: ?Sized>(pub &'b T);

/// See [`Probe`].
pub trait AsPlain<'b> {
    /// The field's value.
    fn __upsert_plain(&self) -> Plain<'b>;
}

impl<'b, T: PlainType + ?Sized> AsPlain<'b> for &Probe<'b, T> {
    #[inline]
    fn __upsert_plain(&self) -> Plain<'b> {
        self.0.plain()
    }
}

/// See [`Probe`].
pub trait AsUnknown<'b> {
    /// [`Plain::Unknown`].
    fn __upsert_plain(&self) -> Plain<'b>;
}

impl<'b, T: ?Sized> AsUnknown<'b> for Probe<'b, T> {
    #[inline]
    fn __upsert_plain(&self) -> Plain<'b> {
        Plain::Unknown
    }
}

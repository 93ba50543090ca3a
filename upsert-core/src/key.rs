//! The conflict keys of rows, encoded so that they can be compared and sorted.
//!
//! Keys are compared as the database will see them: by the value that is
//! bound, not by the Rust value, which may hold more than the database does
//! (nanoseconds where it has microseconds).

use std::any::TypeId;
use std::cell::RefCell;
use std::fmt::{self, Write};

use diesel::backend::Backend;
use diesel::query_builder::BindCollector;
use diesel::result::QueryResult;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{self, HasSqlType, Nullable, SqlType};

use crate::dialect::{Dialect, Equals, KeyPart};
use crate::value::{Plain, ValueVisitor};

/// What is known of a column from its SQL type: which of its values a database
/// may hold equal although their binds differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TypeKind {
    /// Values with different binds are different: integers, booleans, UUIDs,
    /// bytes.
    Exact,
    /// A date.
    Date,
    /// Text, which a collation may compare without regard to case, accents or
    /// trailing spaces.
    Text,
    /// A point in time, which the column may round to its precision.
    Time,
    /// Numbers with a fraction, which have several binds (`0.0` and `-0.0`,
    /// `1.0` and `1.00`) or are rounded to the column's scale.
    Number,
    /// JSON, of which equal values can be written in many ways.
    Json,
    /// A type of an extension or of the application.
    Other,
}

macro_rules! is_one_of {
    ($id:expr, $($ty:ty),* $(,)?) => {
        $($id == TypeId::of::<$ty>() || $id == TypeId::of::<Nullable<$ty>>())||*
    };
}

impl TypeKind {
    /// The kind of the SQL type with the id `id`.
    #[must_use]
    pub fn of(id: TypeId) -> Self {
        if is_one_of!(
            id,
            sql_types::SmallInt,
            sql_types::Integer,
            sql_types::BigInt,
            sql_types::TinyInt,
            sql_types::Bool,
            sql_types::Binary,
        ) {
            return Self::Exact;
        }
        if is_one_of!(id, sql_types::Date) {
            return Self::Date;
        }
        if is_one_of!(id, sql_types::Text) {
            return Self::Text;
        }
        if is_one_of!(id, sql_types::Timestamp, sql_types::Time) {
            return Self::Time;
        }
        if is_one_of!(
            id,
            sql_types::Float,
            sql_types::Double,
            sql_types::Numeric,
            sql_types::Interval,
        ) {
            return Self::Number;
        }
        if is_one_of!(id, sql_types::Json, sql_types::Jsonb) {
            return Self::Json;
        }
        #[cfg(feature = "postgres")]
        {
            if is_one_of!(
                id,
                sql_types::Uuid,
                sql_types::Oid,
                sql_types::MacAddr,
                sql_types::MacAddr8,
            ) {
                return Self::Exact;
            }
            if is_one_of!(id, sql_types::Citext) {
                return Self::Text;
            }
            if is_one_of!(id, sql_types::Timestamptz) {
                return Self::Time;
            }
        }
        #[cfg(feature = "mysql")]
        {
            if is_one_of!(
                id,
                sql_types::Unsigned<sql_types::TinyInt>,
                sql_types::Unsigned<sql_types::SmallInt>,
                sql_types::Unsigned<sql_types::Integer>,
                sql_types::Unsigned<sql_types::BigInt>,
            ) {
                return Self::Exact;
            }
            if is_one_of!(id, sql_types::Datetime) {
                return Self::Time;
            }
        }
        #[cfg(feature = "sqlite")]
        if is_one_of!(id, sql_types::TimestamptzSqlite) {
            return Self::Time;
        }
        Self::Other
    }
}

/// How far the encoded keys of a call can be trusted to tell rows apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trust {
    /// The database may hold keys equal that are encoded differently, in ways
    /// that cannot be foreseen.
    None,
    /// Keys that the database may hold equal fall into the same class.
    Classes,
    /// Keys are equal for the database exactly when they are encoded the same.
    Exact,
}

/// The encoded conflict keys of all rows of a call.
#[derive(Debug)]
pub(crate) struct Keys {
    /// The encodings, one after the other.
    bytes: Vec<u8>,
    /// For each row, where its encoding ends.
    ends: Vec<usize>,
    /// For each row, has its key a NULL, so that it conflicts with nothing?
    nulls: Vec<bool>,
    /// For each row, has its key a zero, in whose place the database may put a number of its
    /// own?
    zeros: Vec<bool>,
    /// Are rows with equal keys known to conflict?
    knows_equal: bool,
    /// Row classes: the same layout again, or nothing where keys are exact.
    classes: Option<Box<Keys>>,
    /// What the keys can be used for.
    pub(crate) trust: Trust,
    /// Has a key column a type whose equality depends on the column's
    /// definition in the database?
    pub(crate) depends_on_column: bool,
}

impl Keys {
    pub(crate) fn with_capacity(rows: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(rows.saturating_mul(10)),
            ends: Vec::with_capacity(rows),
            nulls: Vec::with_capacity(rows),
            zeros: Vec::with_capacity(rows),
            classes: None,
            trust: Trust::Exact,
            knows_equal: true,
            depends_on_column: false,
        }
    }

    /// The keys of a target of which less is known.
    pub(crate) fn limit(&mut self, trust: Trust, knows_equal: bool) {
        self.trust = self.trust.min(trust);
        self.knows_equal = knows_equal;
    }

    /// The number of rows.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The encoded key of `row`.
    pub(crate) fn key(&self, row: usize) -> &[u8] {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[row]]
    }

    /// The class of the key of `row`: rows of different classes are different
    /// for the database.
    pub(crate) fn class(&self, row: usize) -> &[u8] {
        self.classes
            .as_ref()
            .map_or_else(|| self.key(row), |classes| classes.key(row))
    }

    /// Is it unknown whether the key of `row` is any other's? It has a NULL, or
    /// the target has a predicate.
    pub(crate) fn is_apart(&self, row: usize) -> bool {
        !self.knows_equal || self.nulls[row]
    }

    /// May the database put a number of its own in place of the key of `row`?
    pub(crate) fn may_be_numbered(&self, row: usize) -> bool {
        self.zeros[row]
    }

    /// Has the key of `row` a NULL, or a column that the row does not supply?
    pub(crate) fn has_null(&self, row: usize) -> bool {
        self.nulls[row]
    }

    /// Starts the next row's key.
    pub(crate) fn begin_row(&mut self) {
        self.nulls.push(false);
        self.zeros.push(false);
    }

    /// Ends the row's key.
    pub(crate) fn end_row(&mut self) {
        self.ends.push(self.bytes.len());
        if let Some(classes) = &mut self.classes {
            classes.ends.push(classes.bytes.len());
        }
    }

    pub(crate) fn push_null(&mut self) {
        self.bytes.push(0);
        if let Some(classes) = &mut self.classes {
            classes.bytes.push(0);
        }
        if let Some(null) = self.nulls.last_mut() {
            *null = true;
        }
    }

    /// The key of the row has a zero that is a number.
    fn note_zero(&mut self) {
        if let Some(zero) = self.zeros.last_mut() {
            *zero = true;
        }
    }

    fn push_integer(&mut self, value: i64) {
        push_integer(&mut self.bytes, value);
        if let Some(classes) = &mut self.classes {
            push_integer(&mut classes.bytes, value);
        }
    }

    pub(crate) fn push_part(&mut self, kind: TypeKind, part: &KeyPart<'_>) {
        if matches!(kind, TypeKind::Text | TypeKind::Time | TypeKind::Other) {
            self.depends_on_column = true;
        }
        match part.equals {
            Equals::Same => {}
            Equals::Class(_) => {
                self.trust = self.trust.min(Trust::Classes);
                if self.classes.is_none() {
                    self.classes = Some(Box::new(self.copy()));
                }
            }
            Equals::Unknown => self.trust = Trust::None,
        }
        if let Some(classes) = &mut self.classes {
            match &part.equals {
                Equals::Class(class) => push_escaped(&mut classes.bytes, class),
                Equals::Same | Equals::Unknown => push_escaped(&mut classes.bytes, &part.value),
            }
        }
        push_escaped(&mut self.bytes, &part.value);
    }

    /// The keys up to here as they are, to go on as their classes.
    fn copy(&self) -> Self {
        Self {
            bytes: self.bytes.clone(),
            ends: self.ends.clone(),
            nulls: Vec::new(),
            zeros: Vec::new(),
            knows_equal: true,
            classes: None,
            trust: self.trust,
            depends_on_column: false,
        }
    }
}

/// Whole numbers sort by their value.
fn push_integer(bytes: &mut Vec<u8>, value: i64) {
    bytes.push(1);
    // Flipping the sign bit puts the negative numbers first.
    bytes.extend_from_slice(&(value ^ i64::MIN).to_be_bytes());
}

/// Bytes sort as they are; the end mark keeps `("a", "b")` and `("ab", "")`
/// apart.
fn push_escaped(bytes: &mut Vec<u8>, value: &[u8]) {
    bytes.push(2);
    let mut rest = value;
    while let Some(zero) = rest.iter().position(|byte| *byte == 0) {
        bytes.extend_from_slice(&rest[..zero]);
        bytes.extend_from_slice(&[0, 1]);
        rest = &rest[zero + 1..];
    }
    bytes.extend_from_slice(rest);
    bytes.extend_from_slice(&[0, 0]);
}

/// Appends one column of a row's conflict key to [`Keys`].
pub(crate) struct EncodeKey<'k> {
    pub(crate) keys: &'k mut Keys,
    /// Room to serialize into, reused from value to value.
    pub(crate) scratch: &'k mut Encoded,
}

impl<'b, DB: Dialect> ValueVisitor<'b, DB> for EncodeKey<'_> {
    type Output = QueryResult<()>;

    fn visit<ST, T>(self, value: &'b T, plain: Plain<'b>) -> QueryResult<()>
    where
        ST: SqlType,
        DB: HasSqlType<ST>,
        T: ToSql<ST, DB> + ?Sized,
    {
        let kind = TypeKind::of(TypeId::of::<ST>());
        match (kind, plain) {
            (_, Plain::Null) => self.keys.push_null(),
            (TypeKind::Exact, Plain::Bool(value)) => self.keys.push_integer(i64::from(value)),
            (TypeKind::Exact, Plain::Integer(value)) => {
                self.keys.push_integer(value);
                if DB::NUMBERS_ZEROS && value == 0 {
                    self.keys.note_zero();
                }
            }
            (TypeKind::Exact, Plain::Bytes(value)) => {
                self.keys.push_part(kind, &DB::key_part(kind, value));
            }
            (TypeKind::Text, Plain::Text(value)) => {
                self.keys
                    .push_part(kind, &DB::key_part(kind, value.as_bytes()));
            }
            _ => {
                self.scratch.clear();
                DB::encode::<ST, T>(value, self.scratch)?;
                if self.scratch.is_null() {
                    self.keys.push_null();
                } else {
                    self.keys
                        .push_part(kind, &DB::key_part(kind, self.scratch.bytes()));
                }
            }
        }
        Ok(())
    }

    fn visit_absent(self) -> QueryResult<()> {
        // The database gives the column a value, which may be any row's key.
        self.keys.trust = Trust::None;
        self.keys.push_null();
        Ok(())
    }
}

/// Measures a value in bytes, as it is sent.
pub(crate) struct MeasureValue<'k> {
    /// Room to serialize into, reused from value to value.
    pub(crate) scratch: &'k mut Encoded,
}

impl<'b, DB: Dialect> ValueVisitor<'b, DB> for MeasureValue<'_> {
    type Output = usize;

    fn visit<ST, T>(self, value: &'b T, plain: Plain<'b>) -> usize
    where
        ST: SqlType,
        DB: HasSqlType<ST>,
        T: ToSql<ST, DB> + ?Sized,
    {
        /// A length, a type and a parameter's mark in the SQL.
        const OVERHEAD: usize = 16;
        /// Larger than any number or time.
        const FIXED: usize = 48;
        OVERHEAD
            + match (plain, TypeKind::of(TypeId::of::<ST>())) {
                (Plain::Text(text), _) => text.len(),
                (Plain::Bytes(bytes), _) => bytes.len(),
                (Plain::Unknown, TypeKind::Text | TypeKind::Json | TypeKind::Other) => {
                    self.scratch.clear();
                    // A value that cannot be serialized fails when it is bound.
                    match DB::encode::<ST, T>(value, self.scratch) {
                        Ok(()) => self.scratch.bytes().len(),
                        Err(_) => 0,
                    }
                }
                _ => FIXED,
            }
    }

    fn visit_absent(self) -> usize {
        0
    }
}

/// A value as it is bound.
///
/// Diesel serializes a value into a buffer that only the database's connection
/// can read. What can be read by others is the buffer's `Debug` output, so this
/// is what a bind is recognised by: two binds that differ, differ there. The
/// shapes that Diesel is known to print are read back into bytes; any other
/// output stands for itself.
#[derive(Debug, Default)]
pub struct Encoded {
    text: String,
    bytes: Vec<u8>,
    null: bool,
}

impl Encoded {
    fn clear(&mut self) {
        self.text.clear();
        self.bytes.clear();
        self.null = false;
    }

    /// The value's bytes; none where it is NULL.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Is the value NULL?
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.null
    }

    /// Sets the value's bytes.
    pub fn set_bytes(&mut self, bytes: &[u8]) {
        self.clear();
        self.bytes.extend_from_slice(bytes);
    }

    /// Makes the value NULL.
    pub fn set_null(&mut self) {
        self.clear();
        self.null = true;
    }

    /// Reads the bytes from the text that was captured.
    fn read(&mut self) {
        let text = self.text.as_str();
        if let Some(list) = text
            .strip_prefix("ByteWrapper([")
            .and_then(|rest| rest.strip_suffix("])"))
        {
            for byte in list.split(", ").filter(|byte| !byte.is_empty()) {
                // A byte that does not parse would make two values equal.
                let Ok(byte) = byte.parse() else {
                    self.bytes.clear();
                    break;
                };
                self.bytes.push(byte);
            }
            if !self.bytes.is_empty() || list.is_empty() {
                return;
            }
        } else if let Some(value) = text
            .strip_prefix("SqliteBindValue { inner: ")
            .and_then(|rest| rest.strip_suffix(" }"))
        {
            for variant in ["I32(", "I64("] {
                if let Some(number) = value
                    .strip_prefix(variant)
                    .and_then(|number| number.strip_suffix(')')?.parse().ok())
                {
                    push_integer(&mut self.bytes, number);
                    return;
                }
            }
            // A value that borrows and one that owns are the same to SQLite.
            for (variant, end, stands_for) in [
                ("BorrowedString(\"", "\")", b't'),
                ("String(\"", "\")", b't'),
                ("BorrowedBinary(", ")", b'b'),
                ("Binary(", ")", b'b'),
                ("F64(", ")", b'f'),
            ] {
                if let Some(value) = value
                    .strip_prefix(variant)
                    .and_then(|value| value.strip_suffix(end))
                {
                    self.bytes.push(stands_for);
                    self.bytes.extend_from_slice(value.as_bytes());
                    return;
                }
            }
            if value == "Null" {
                self.null = true;
                return;
            }
        }
        self.bytes.extend_from_slice(text.as_bytes());
    }
}

/// A value that also writes into `Encoded` what it serializes to.
pub(crate) struct Tap<'t, T: ?Sized> {
    value: &'t T,
    encoded: RefCell<&'t mut Encoded>,
}

impl<T: ?Sized> fmt::Debug for Tap<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tap")
    }
}

impl<T, ST, DB> ToSql<ST, DB> for Tap<'_, T>
where
    DB: Backend,
    T: ToSql<ST, DB> + ?Sized,
    for<'o> <DB::BindCollector<'o> as BindCollector<'o, DB>>::Buffer: fmt::Debug,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        let is_null = self.value.to_sql(out)?;
        let mut encoded = self.encoded.borrow_mut();
        match is_null {
            IsNull::Yes => encoded.null = true,
            IsNull::No => {
                write!(encoded.text, "{out:?}")?;
                encoded.read();
            }
        }
        Ok(is_null)
    }
}

impl<'t, T: ?Sized> Tap<'t, T> {
    pub(crate) fn new(value: &'t T, encoded: &'t mut Encoded) -> Self {
        Self {
            value,
            encoded: RefCell::new(encoded),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn encoded<DB, ST, T>(value: &T) -> Encoded
    where
        DB: Dialect + HasSqlType<ST>,
        T: ToSql<ST, DB>,
    {
        let mut encoded = Encoded::default();
        DB::encode::<ST, T>(value, &mut encoded).expect("the value serializes");
        encoded
    }

    // These pin what Diesel prints. If it prints something else, keys are still
    // told apart, but sort otherwise.

    #[cfg(feature = "postgres")]
    #[test]
    fn binds_of_postgres_are_read_as_bytes() {
        use diesel::pg::Pg;

        let number = encoded::<Pg, sql_types::Integer, i32>(&258);
        assert_eq!(number.bytes(), [0, 0, 1, 2]);
        let text = encoded::<Pg, sql_types::Text, String>(&"é".to_owned());
        assert_eq!(text.bytes(), "é".as_bytes());
        let empty = encoded::<Pg, sql_types::Text, String>(&String::new());
        assert_eq!((empty.bytes(), empty.is_null()), (&[][..], false));
        let null = encoded::<Pg, Nullable<sql_types::Text>, Option<String>>(&None);
        assert!(null.is_null());
    }

    #[cfg(feature = "mysql")]
    #[test]
    fn binds_of_mysql_are_read_as_bytes() {
        use diesel::mysql::Mysql;

        let text = encoded::<Mysql, sql_types::Text, String>(&"a, b".to_owned());
        assert_eq!(text.bytes(), b"a, b");
        let null = encoded::<Mysql, Nullable<sql_types::Text>, Option<String>>(&None);
        assert!(null.is_null());
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn binds_of_sqlite_are_read_by_their_type() {
        use diesel::sqlite::Sqlite;

        let text = encoded::<Sqlite, sql_types::Text, String>(&"a".to_owned());
        assert_eq!(text.bytes(), b"ta");
        let borrowed = encoded::<Sqlite, sql_types::Text, &str>(&"a");
        assert_eq!(borrowed.bytes(), text.bytes());
        let small = encoded::<Sqlite, sql_types::Integer, i32>(&7);
        let big = encoded::<Sqlite, sql_types::BigInt, i64>(&7);
        assert_eq!(small.bytes(), big.bytes());
        let less = encoded::<Sqlite, sql_types::BigInt, i64>(&-7);
        assert!(less.bytes() < big.bytes());
        let bytes = encoded::<Sqlite, sql_types::Binary, Vec<u8>>(&vec![1]);
        assert_eq!(bytes.bytes(), b"b[1]");
        let null = encoded::<Sqlite, Nullable<sql_types::Text>, Option<String>>(&None);
        assert!(null.is_null());
    }

    /// The keys of rows of one text column each.
    fn keys(rows: &[&str], part: impl Fn(&str) -> Equals<'_>) -> Keys {
        let mut keys = Keys::with_capacity(rows.len());
        for row in rows {
            keys.begin_row();
            let part = KeyPart::new(row.as_bytes(), part(row));
            keys.push_part(TypeKind::Text, &part);
            keys.end_row();
        }
        keys
    }

    #[test]
    fn parts_of_a_key_do_not_run_together() {
        let mut keys = Keys::with_capacity(2);
        let pairs: [[&[u8]; 2]; 4] = [
            [b"a\0", b"b"],
            [b"a", b"\0b"],
            [b"a\x02b", b""],
            [b"a", b"b\x02"],
        ];
        for [a, b] in pairs {
            keys.begin_row();
            keys.push_part(TypeKind::Exact, &KeyPart::new(a, Equals::Same));
            keys.push_part(TypeKind::Exact, &KeyPart::new(b, Equals::Same));
            keys.end_row();
        }
        let different: BTreeSet<_> = (0..4).map(|row| keys.key(row)).collect();
        assert_eq!(different.len(), 4);
        assert_eq!(keys.trust, Trust::Exact);
    }

    #[test]
    fn a_class_that_comes_late_leaves_the_rows_before_it_in_theirs() {
        let rows = ["a", "b", "B"];
        let keys = keys(&rows, |row| {
            if row == "a" {
                Equals::Same
            } else {
                Equals::Class(row.to_lowercase().into_bytes().into())
            }
        });
        assert_eq!(keys.trust, Trust::Classes);
        assert_eq!(keys.class(1), keys.class(2));
        assert_ne!(keys.class(0), keys.class(1));
        assert_ne!(keys.key(1), keys.key(2));
    }

    #[test]
    fn a_target_of_which_less_is_known_limits_its_keys() {
        let mut keys = keys(&["a", "a"], |_| Equals::Same);
        assert!(!keys.is_apart(0) && !keys.has_null(0));
        keys.limit(Trust::Classes, true);
        assert_eq!(keys.trust, Trust::Classes);
        keys.limit(Trust::Exact, false);
        assert_eq!(keys.trust, Trust::Classes);
        assert!(keys.is_apart(0) && !keys.has_null(0));
    }

    #[test]
    fn a_null_is_apart() {
        let mut keys = Keys::with_capacity(1);
        keys.begin_row();
        keys.push_null();
        keys.end_row();
        assert!(keys.is_apart(0) && keys.has_null(0));
        assert_eq!(keys.key(0), [0]);
    }

    #[test]
    fn an_encoded_value_is_what_was_set_last() {
        let mut encoded = Encoded::default();
        encoded.set_bytes(b"a");
        encoded.set_null();
        assert_eq!((encoded.bytes(), encoded.is_null()), (&[][..], true));
        encoded.set_bytes(b"b");
        assert_eq!((encoded.bytes(), encoded.is_null()), (&b"b"[..], false));
        let mut read = |text: &str| {
            encoded.clear();
            encoded.text.push_str(text);
            encoded.read();
            encoded.is_null()
        };
        assert!(read("SqliteBindValue { inner: Null }"));
        assert!(!read("SqliteBindValue { inner: Another }"));
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn values_are_measured_by_their_length_where_it_matters() {
        use diesel::sqlite::Sqlite;

        fn measure<ST, T>(value: &T, plain: Plain<'_>) -> usize
        where
            ST: SqlType,
            Sqlite: HasSqlType<ST>,
            T: ToSql<ST, Sqlite>,
        {
            let scratch = &mut Encoded::default();
            ValueVisitor::<Sqlite>::visit::<ST, T>(MeasureValue { scratch }, value, plain)
        }
        let text = "a".repeat(100);
        let known = measure::<sql_types::Text, _>(&text, Plain::Text(&text));
        assert_eq!(known, 116);
        // With the mark of SQLite's encoding.
        assert_eq!(measure::<sql_types::Text, _>(&text, Plain::Unknown), 117);
        let bytes = vec![0_u8; 100];
        let known = measure::<sql_types::Binary, _>(&bytes, Plain::Bytes(&bytes));
        assert_eq!(known, 116);
        let number = measure::<sql_types::Integer, _>(&1, Plain::Integer(1));
        assert_eq!(number, 64);
        let scratch = &mut Encoded::default();
        let absent = ValueVisitor::<Sqlite>::visit_absent(MeasureValue { scratch });
        assert_eq!(absent, 0);
    }

    #[test]
    fn one_unknown_value_leaves_nothing_to_trust() {
        let keys = keys(&["a", "é", "b"], |row| {
            if row.is_ascii() {
                Equals::Same
            } else {
                Equals::Unknown
            }
        });
        assert_eq!(keys.trust, Trust::None);
    }

    #[test]
    fn integers_sort_by_value() {
        let mut keys = Keys::with_capacity(4);
        let values = [i64::MIN, -1, 0, i64::MAX];
        for value in values {
            keys.begin_row();
            keys.push_integer(value);
            keys.end_row();
        }
        assert!((1..values.len()).all(|row| keys.key(row - 1) < keys.key(row)));
    }
}

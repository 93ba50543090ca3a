//! The rows of a COPY.

use diesel::pg::Pg;
use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Binary, Bool, Double, Float, Integer, Nullable, SmallInt, Text};

use super::Source;
use crate::dialect::postgres::copy::write_rows;
use crate::dialect::{Dialect, Plain};

/// A column's type and one of its values.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    SmallInt(Option<i16>),
    Integer(Option<i32>),
    BigInt(Option<i64>),
    Float(Option<u32>),
    Double(Option<u64>),
    Bool(Option<bool>),
    Text(Option<String>),
    Binary(Option<Vec<u8>>),
}

impl Value {
    fn draw(column: usize, source: &mut Source<'_>) -> Self {
        match column {
            0 => Self::SmallInt(source.option(|it| i16::from_le_bytes(it.array()))),
            1 => Self::Integer(source.option(|it| i32::from_le_bytes(it.array()))),
            2 => Self::BigInt(source.option(|it| i64::from_le_bytes(it.array()))),
            3 => Self::Float(source.option(|it| u32::from_le_bytes(it.array()))),
            4 => Self::Double(source.option(|it| u64::from_le_bytes(it.array()))),
            5 => Self::Bool(source.option(Source::flag)),
            6 => Self::Text(source.option(|it| it.text(20))),
            _ => Self::Binary(source.option(|it| it.bytes(20))),
        }
    }

    /// Appends it as the engine does, with what is known of it or without.
    fn push(&self, is_known: bool, data: &mut Vec<u8>) -> QueryResult<()> {
        let plain = |value: Option<Plain<'static>>| match value {
            _ if !is_known => Plain::Unknown,
            None => Plain::Null,
            Some(value) => value,
        };
        match self {
            Self::SmallInt(value) => {
                let plain = plain(value.map(|it| Plain::Integer(it.into())));
                Pg::push_copy::<Nullable<SmallInt>, _>(value, plain, data)
            }
            Self::Integer(value) => {
                let plain = plain(value.map(|it| Plain::Integer(it.into())));
                Pg::push_copy::<Nullable<Integer>, _>(value, plain, data)
            }
            Self::BigInt(value) => {
                let plain = plain(value.map(Plain::Integer));
                Pg::push_copy::<Nullable<BigInt>, _>(value, plain, data)
            }
            Self::Float(value) => {
                let value = value.map(f32::from_bits);
                let plain = plain(value.map(|it| Plain::Float(it.into())));
                Pg::push_copy::<Nullable<Float>, _>(&value, plain, data)
            }
            Self::Double(value) => {
                let value = value.map(f64::from_bits);
                Pg::push_copy::<Nullable<Double>, _>(&value, plain(value.map(Plain::Float)), data)
            }
            Self::Bool(value) => {
                Pg::push_copy::<Nullable<Bool>, _>(value, plain(value.map(Plain::Bool)), data)
            }
            Self::Text(value) => {
                let plain = match value {
                    Some(text) if is_known => Plain::Text(text),
                    _ => plain(None),
                };
                Pg::push_copy::<Nullable<Text>, _>(value, plain, data)
            }
            Self::Binary(value) => {
                let plain = match value {
                    Some(bytes) if is_known => Plain::Bytes(bytes),
                    _ => plain(None),
                };
                Pg::push_copy::<Nullable<Binary>, _>(value, plain, data)
            }
        }
    }

    /// Reads a value of the same type.
    fn decode(&self, bytes: Option<&[u8]>) -> Self {
        macro_rules! number {
            ($ty:ty) => {
                bytes.map(|it| <$ty>::from_be_bytes(it.try_into().expect("the type's length")))
            };
        }
        match self {
            Self::SmallInt(_) => Self::SmallInt(number!(i16)),
            Self::Integer(_) => Self::Integer(number!(i32)),
            Self::BigInt(_) => Self::BigInt(number!(i64)),
            Self::Float(_) => Self::Float(number!(u32)),
            Self::Double(_) => Self::Double(number!(u64)),
            Self::Bool(_) => Self::Bool(bytes.map(|it| match it {
                [0] => false,
                [1] => true,
                _ => panic!("no boolean"),
            })),
            Self::Text(_) => {
                Self::Text(bytes.map(|it| String::from_utf8(it.to_vec()).expect("UTF-8")))
            }
            Self::Binary(_) => Self::Binary(bytes.map(<[u8]>::to_vec)),
        }
    }
}

/// A server would read the rows that were sent, and no others.
pub fn copy_encoder(data: &[u8]) {
    let source = &mut Source(data);
    let columns: Vec<usize> = (0..=source.below(6)).map(|_| source.below(8)).collect();
    let row = |source: &mut Source<'_>| -> Vec<Value> {
        let values = columns.iter().map(|column| Value::draw(*column, source));
        values.collect()
    };
    let rows: Vec<Vec<Value>> = (0..source.below(12)).map(|_| row(source)).collect();
    let is_known = source.flag();

    let mut sent = Vec::new();
    let push = |row: usize, data: &mut Vec<u8>| -> QueryResult<()> {
        rows[row]
            .iter()
            .try_for_each(|value| value.push(is_known, data))
    };
    write_rows(rows.len(), columns.len(), &push, &mut sent).expect("rows");

    let mut reader = Reader(&sent);
    assert_eq!(reader.take(11), b"PGCOPY\n\xff\r\n\0");
    assert_eq!(reader.i32(), 0, "flags");
    assert_eq!(reader.i32(), 0, "an extension");
    for row in &rows {
        assert_eq!(usize::try_from(reader.i16()), Ok(columns.len()));
        for value in row {
            let bytes = usize::try_from(reader.i32()).ok().map(|it| reader.take(it));
            assert_eq!(value.decode(bytes), *value);
        }
    }
    assert_eq!(reader.i16(), -1, "the end");
    assert_eq!(reader.0, b"");
}

/// Reads as the server does.
struct Reader<'d>(&'d [u8]);

impl<'d> Reader<'d> {
    fn take(&mut self, bytes: usize) -> &'d [u8] {
        let (taken, rest) = self.0.split_at(bytes);
        self.0 = rest;
        taken
    }

    fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.take(2).try_into().expect("two bytes"))
    }

    fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.take(4).try_into().expect("four bytes"))
    }
}

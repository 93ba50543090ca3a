//! Rows from files: CSV, and JSON with a value in each line.
//!
//! A reader becomes an iterator of rows, which
//! [`bulk_upsert_try_stream`](crate::Upsertable::bulk_upsert_try_stream) takes. Rows are
//! read by serde, one after the other, so that a file may be larger than memory. A
//! compressed file is read through the reader of whoever decompresses it, as
//! `flate2::read::MultiGzDecoder`.
//!
//! ```
//! # include!("doctest_setup.rs");
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let conn = &mut connection();
//! use serde::Deserialize;
//! use upsert_core::import::{self, ImportError};
//!
//! #[derive(Deserialize, Upsertable)]
//! #[diesel(table_name = products)]
//! struct Line {
//!     #[conflict_key]
//!     sku: String,
//!     #[on_conflict(update)]
//!     name: String,
//! }
//!
//! let file = "sku,name\na,Apple\nb,Bread\n";
//! let written = Line::bulk_upsert_try_stream(conn, import::csv::<Line, _>(file.as_bytes()))?;
//! assert_eq!(written, 2);
//!
//! // A line that is no row ends the call, and nothing of it is in the table.
//! let file = "{\"sku\": \"c\", \"name\": \"Cherry\"}\n{\"sku\": \"d\"}\n";
//! let rows = || import::ndjson::<Line, _>(file.as_bytes());
//! let error = Line::bulk_upsert_try_stream(conn, rows()).unwrap_err();
//! assert!(matches!(error, ImportError::Line { line: 2, .. }));
//!
//! // Or such lines are collected, and the others written.
//! let mut bad = Vec::new();
//! Line::bulk_upsert_try_stream(conn, rows().collect_bad(&mut bad))?;
//! assert_eq!(bad[0].to_string(), "line 2 is not a row; the reason is this error's source");
//! assert_eq!(products::table.count().get_result::<i64>(conn)?, 3);
//! # Ok(())
//! # }
//! ```
//!
//! With [`commit_every`](crate::UpsertStream::commit_every), what is committed is counted in
//! rows that were read: to go on, make the same iterator anew, and skip them last. Bad lines
//! among them are then collected once more; so they are given a list of their own.
//!
//! ```
//! # include!("doctest_setup.rs");
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let conn = &mut connection();
//! # use serde::Deserialize;
//! # use upsert_core::import;
//! # #[derive(Deserialize, Upsertable)]
//! # #[diesel(table_name = products)]
//! # struct Line { #[conflict_key] sku: String, #[on_conflict(update)] name: String }
//! use upsert_core::upsert_try_stream;
//!
//! # let file = "sku,name\na,Apple\nb\nc,Cherry\n";
//! # let committed_before = 1;
//! let mut bad = Vec::new();
//! let rows = import::csv::<Line, _>(file.as_bytes()).collect_bad(&mut bad);
//! let mut committed = committed_before;
//! let written = upsert_try_stream(rows.skip(committed_before))
//!     .commit_every(10_000)
//!     .on_progress(|progress| committed = committed_before + progress.committed)
//!     .execute(conn);
//! # assert_eq!((written.unwrap(), committed, bad.len()), (1, 2, 1));
//! # Ok(())
//! # }
//! ```

use std::collections::VecDeque;
use std::error::Error as StdError;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use crate::error::Error;

/// What can go wrong while rows are read and written.
///
/// Its `Display` and its `Debug` show no value of a row; the reader's own message, which
/// may quote one, is its [`source`](StdError::source).
#[non_exhaustive]
pub enum ImportError {
    /// A line is not a row.
    Line {
        /// The number of the line, from 1; a line ends with `\n`. A row of several lines is
        /// named by its first one, and comments before a row are lines of it.
        line: u64,
        /// The column, where the format tells.
        column: Option<String>,
        /// Why.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The reader has failed, or the first line of a CSV file cannot be read.
    Read(io::Error),
    /// The first line of a CSV file does not name a column that a row needs.
    NoColumn(String),
    /// The rows cannot be written.
    Write(Error),
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { line, column, .. } => {
                write!(f, "line {line} is not a row")?;
                if let Some(column) = column {
                    write!(f, ", because of its column `{column}`")?;
                }
                f.write_str("; the reason is this error's source")
            }
            Self::Read(_) => {
                f.write_str("the rows cannot be read; the reason is this error's source")
            }
            Self::NoColumn(column) => write!(
                f,
                "the first line of the file names no column `{column}`: name it there, or write \
                 `#[serde(rename = ..)]` or `#[serde(default)]` on the field; a file without \
                 names, or with another delimiter, is read by `csv_from`"
            ),
            Self::Write(error) => error.fmt(f),
        }
    }
}

impl fmt::Debug for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variant = match self {
            Self::Line { .. } => "Line",
            Self::Read(_) => "Read",
            Self::NoColumn(_) => "NoColumn",
            Self::Write(_) => "Write",
        };
        write!(f, "{variant}({self})")
    }
}

impl StdError for ImportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Line { source, .. } => Some(&**source),
            Self::Read(source) => Some(source),
            Self::NoColumn(_) => None,
            Self::Write(error) => error.source(),
        }
    }
}

impl From<Error> for ImportError {
    fn from(error: Error) -> Self {
        Self::Write(error)
    }
}

/// The rows of a CSV file, whose first line names the columns.
///
/// [`csv_from`] has other settings.
pub fn csv<T: DeserializeOwned, R: Read>(reader: R) -> CsvRows<T, R> {
    csv_from(&csv::ReaderBuilder::new(), reader)
}

/// The rows of a CSV file, read with settings of the crate `csv`.
///
/// ```
/// # include!("doctest_setup.rs");
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let conn = &mut connection();
/// # use serde::Deserialize;
/// # #[derive(Deserialize, Upsertable)]
/// # #[diesel(table_name = products)]
/// # struct Line { #[conflict_key] sku: String, #[on_conflict(update)] name: String }
/// use upsert_core::import;
///
/// let mut settings = csv::ReaderBuilder::new();
/// settings.delimiter(b';').has_headers(false);
/// let file = "a;Apple\nb;Bread\n";
/// let rows = import::csv_from::<Line, _>(&settings, file.as_bytes());
/// assert_eq!(Line::bulk_upsert_try_stream(conn, rows)?, 2);
/// # Ok(())
/// # }
/// ```
pub fn csv_from<T: DeserializeOwned, R: Read>(
    settings: &csv::ReaderBuilder,
    reader: R,
) -> CsvRows<T, R> {
    CsvRows {
        reader: settings.from_reader(Lines::of(reader)),
        line: 0,
        headers: None,
        has_ended: false,
        record: csv::StringRecord::new(),
        row: PhantomData,
    }
}

/// The rows of a file with a JSON value in each line. Empty lines are left out.
pub fn ndjson<T: DeserializeOwned, R: Read>(reader: R) -> NdjsonRows<T, R> {
    NdjsonRows {
        reader: BufReader::new(reader),
        text: Vec::new(),
        line: 0,
        row: PhantomData,
    }
}

/// The rows of a CSV file; [`csv`](fn@csv) makes it.
pub struct CsvRows<T, R> {
    reader: csv::Reader<Lines<R>>,
    /// The first line of the record.
    line: u64,
    headers: Option<csv::StringRecord>,
    has_ended: bool,
    record: csv::StringRecord,
    row: PhantomData<fn() -> T>,
}

/// The rows of a file with a JSON value in each line; [`ndjson`] makes it.
pub struct NdjsonRows<T, R> {
    reader: BufReader<R>,
    text: Vec<u8>,
    line: u64,
    row: PhantomData<fn() -> T>,
}

// Without the record that was read last, which has values.
impl<T, R> fmt::Debug for CsvRows<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("CsvRows");
        debug.field("line", &self.line).finish_non_exhaustive()
    }
}

impl<T, R> fmt::Debug for NdjsonRows<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("NdjsonRows");
        debug.field("line", &self.line).finish_non_exhaustive()
    }
}

impl<T, R> CsvRows<T, R>
where
    T: DeserializeOwned,
    R: Read,
{
    /// Goes on behind lines that are not rows, and appends what is wrong with them to
    /// `bad`.
    pub fn collect_bad(self, bad: &mut Vec<ImportError>) -> CollectBad<'_, Self> {
        CollectBad { rows: self, bad }
    }

    fn read_headers(&mut self) -> Result<(), csv::Error> {
        if self.headers.is_none() && self.reader.has_headers() {
            self.headers = Some(self.reader.headers()?.clone());
        }
        Ok(())
    }

    fn read(&mut self) -> Result<Option<T>, csv::Error> {
        let begin = self.reader.position().byte();
        let read = self.reader.read_record(&mut self.record);
        self.line = self.reader.get_mut().line_of_record(begin);
        if !matches!(read, Ok(false)) && self.is_unclosed(begin) {
            let why = "the file ends inside of a field that begins with a quote";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why).into());
        }
        if !read? {
            return Ok(None);
        }
        self.record.deserialize(self.headers.as_ref()).map(Some)
    }

    fn error(&mut self, error: csv::Error) -> ImportError {
        if matches!(error.kind(), csv::ErrorKind::Io(_)) {
            return ImportError::Read(error.into());
        }
        if let Some(column) = self.unnamed_column(&error) {
            // No line is a row.
            self.has_ended = true;
            return ImportError::NoColumn(column);
        }
        let field = match error.kind() {
            csv::ErrorKind::Deserialize { err, .. } => err.field(),
            _ => None,
        };
        let field = field.and_then(|field| usize::try_from(field).ok());
        let headers = self.headers.as_ref();
        let column = field.and_then(|field| headers?.get(field).map(str::to_owned));
        ImportError::Line {
            line: self.line,
            column,
            source: error.into(),
        }
    }

    /// The column that a row with as many fields as there are names does not have.
    fn unnamed_column(&self, error: &csv::Error) -> Option<String> {
        let headers = self.headers.as_ref()?;
        let csv::ErrorKind::Deserialize { err, .. } = error.kind() else {
            return None;
        };
        // serde's words for a field of a struct.
        let csv::DeserializeErrorKind::Message(message) = err.kind() else {
            return None;
        };
        let column = message.strip_prefix("missing field `")?.strip_suffix('`')?;
        (self.record.len() == headers.len()).then(|| column.to_owned())
    }

    /// Has the file ended in a field that begins with a quote, and goes over lines?
    fn is_unclosed(&self, begin: u64) -> bool {
        let lines = self.reader.get_ref();
        let quotes = lines.quotes.iter().filter(|quote| **quote >= begin);
        let has_lines = self.record.iter().any(|field| field.contains('\n'));
        lines.has_ended && has_lines && quotes.count() % 2 == 1
    }
}

impl<T, R> Iterator for CsvRows<T, R>
where
    T: DeserializeOwned,
    R: Read,
{
    type Item = Result<T, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        if let Err(error) = self.read_headers() {
            // Without names no line is a row, and the next one is no better.
            self.has_ended = true;
            return Some(Err(ImportError::Read(io::Error::new(
                io::ErrorKind::InvalidData,
                error,
            ))));
        }
        let row = self.read().transpose()?;
        Some(row.map_err(|error| self.error(error)))
    }
}

impl<T, R> NdjsonRows<T, R>
where
    T: DeserializeOwned,
    R: Read,
{
    /// Goes on behind lines that are not rows, and appends what is wrong with them to
    /// `bad`.
    pub fn collect_bad(self, bad: &mut Vec<ImportError>) -> CollectBad<'_, Self> {
        CollectBad { rows: self, bad }
    }
}

impl<T, R> Iterator for NdjsonRows<T, R>
where
    T: DeserializeOwned,
    R: Read,
{
    type Item = Result<T, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.text.clear();
            self.line += 1;
            let read = self.reader.read_until(b'\n', &mut self.text);
            if self.line == 1 && self.text.starts_with(BYTE_ORDER_MARK) {
                self.text.drain(..BYTE_ORDER_MARK.len());
            }
            match read {
                Ok(0) => return None,
                Ok(_) if self.text.trim_ascii().is_empty() => {}
                Ok(_) => break,
                Err(error) => return Some(Err(ImportError::Read(error))),
            }
        }
        let row = serde_json::from_slice(&self.text);
        Some(row.map_err(|error| ImportError::Line {
            line: self.line,
            column: None,
            source: error.into(),
        }))
    }
}

/// Some programs begin a file with it. `csv` leaves it out by itself.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A reader that knows where its lines end.
///
/// `csv` numbers a record by the line in which the one before it has ended, which is not
/// its own behind an empty line, or where lines end with `\r\n`.
#[derive(Debug)]
struct Lines<R> {
    reader: R,
    /// How many bytes were read.
    bytes: u64,
    /// The number of lines that end before `ends`.
    line: u64,
    /// The positions of the bytes at the ends of lines, and whether a line begins behind.
    ends: VecDeque<(u64, bool)>,
    /// The positions of quotes, from the record on that was asked for last.
    quotes: VecDeque<u64>,
    /// Has the file ended?
    has_ended: bool,
}

impl<R> Lines<R> {
    fn of(reader: R) -> Self {
        Self {
            reader,
            bytes: 0,
            line: 1,
            ends: VecDeque::new(),
            quotes: VecDeque::new(),
            has_ended: false,
        }
    }

    /// The line of the record that begins at a byte, or behind the ends of lines there.
    /// Records are asked for in their order.
    fn line_of_record(&mut self, mut byte: u64) -> u64 {
        while self.quotes.front().is_some_and(|quote| *quote < byte) {
            self.quotes.pop_front();
        }
        while let Some((position, begins)) = self.ends.front() {
            if *position > byte {
                break;
            }
            if *position == byte {
                byte += 1;
            }
            self.line += u64::from(*begins);
            self.ends.pop_front();
        }
        self.line
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        for (position, byte) in (self.bytes..).zip(&buffer[..count]) {
            match byte {
                b'\r' | b'\n' => self.ends.push_back((position, *byte == b'\n')),
                b'"' => self.quotes.push_back(position),
                _ => {}
            }
        }
        self.has_ended = count == 0 && !buffer.is_empty();
        self.bytes += count as u64;
        Ok(count)
    }
}

/// Rows without the lines that are not rows; `collect_bad` makes it.
///
/// What the reader itself fails with is not left out.
#[derive(Debug)]
pub struct CollectBad<'b, I> {
    rows: I,
    bad: &'b mut Vec<ImportError>,
}

impl<T, I: Iterator<Item = Result<T, ImportError>>> Iterator for CollectBad<'_, I> {
    type Item = Result<T, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.rows.next()? {
                Err(error @ ImportError::Line { .. }) => self.bad.push(error),
                row => return Some(row),
            }
        }
    }
}

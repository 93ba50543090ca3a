//! Rows from CSV files and from files of JSON lines.

use std::error::Error as StdError;
use std::io::{self, Read};

use diesel::prelude::*;
use serde::Deserialize;
use upsert_core::import::{self, ImportError};
use upsert_core::{Upsertable, upsert_try_stream};

use crate::support::on_every_database;

diesel::table! {
    parts (id) {
        id -> Integer,
        name -> Text,
        price -> Nullable<Double>,
    }
}

const CREATE: &str = "CREATE TABLE parts (id INTEGER NOT NULL PRIMARY KEY, \
     name VARCHAR(40) NOT NULL, price DOUBLE PRECISION)";

#[derive(Debug, Deserialize, Upsertable)]
#[diesel(table_name = parts)]
struct Part {
    #[conflict_key]
    id: i32,
    #[on_conflict(update)]
    name: String,
    #[on_conflict(update)]
    price: Option<f64>,
}

type Row = (i32, String, Option<f64>);

fn row(id: i32, name: &str, price: Option<f64>) -> Row {
    (id, name.to_owned(), price)
}

/// A reader that fails behind its text.
struct Failing<'t>(&'t [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("the disk is gone")),
            count => Ok(count),
        }
    }
}

/// The record that was read last has values, which a log is not to have.
#[test]
fn readers_do_not_show_values() {
    let mut rows = import::csv::<Part, _>("id,name,price\n1,secret,1\n".as_bytes());
    assert_eq!(rows.next().unwrap().unwrap().name, "secret");
    assert_eq!(format!("{rows:?}"), "CsvRows { line: 2, .. }");
    let mut rows = import::ndjson::<Part, _>("{\"id\": 1, \"name\": \"secret\"}".as_bytes());
    assert_eq!(rows.next().unwrap().unwrap().name, "secret");
    assert_eq!(format!("{rows:?}"), "NdjsonRows { line: 1, .. }");
}

on_every_database! {
    shared {
        fn table(conn: &mut Conn) -> Vec<Row> {
            parts::table.order(parts::id).load(conn).unwrap()
        }
    }

    #[test]
    fn a_csv_file(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let file = "price,id,name\n1.5,1,bolt\n,2,\"nut, \"\"big\"\"\nand round\"\n2.5,1,screw\n";
        let written = Part::bulk_upsert_try_stream(conn, import::csv::<Part, _>(file.as_bytes())).unwrap();
        assert_eq!(written, 3);
        let nut = "nut, \"big\"\nand round";
        assert_eq!(table(conn), [row(1, "screw", Some(2.5)), row(2, nut, None)]);

        let mut settings = csv::ReaderBuilder::new();
        settings.delimiter(b';').has_headers(false);
        let rows = import::csv_from::<Part, _>(&settings, "3;washer;0.1\n".as_bytes());
        assert_eq!(Part::bulk_upsert_try_stream(conn, rows).unwrap(), 1);
        assert_eq!(table(conn)[2], row(3, "washer", Some(0.1)));
    }

    #[test]
    fn a_file_of_json_lines(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let file = "{\"id\": 1, \"name\": \"bolt\", \"price\": 1.5}\r\n\n \n{\"name\": \"nut\", \"id\": 2}";
        let written = Part::bulk_upsert_try_stream(conn, import::ndjson::<Part, _>(file.as_bytes())).unwrap();
        assert_eq!(written, 2);
        assert_eq!(table(conn), [row(1, "bolt", Some(1.5)), row(2, "nut", None)]);
    }

    #[test]
    fn a_line_that_is_no_row_ends_the_call(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let bad_csv: [(&[u8], u64, Option<&str>); 7] = [
            (b"id,name,price\r\n1,a,1\r\n2,b\r\n", 3, None),
            (b"id,name,price\r\n1,\"a\r\nb\",1\r\n\r\n\r\n2,b,secret\r\n", 6, Some("price")),
            (b"\n\nid,name,price\n\n1,a,1\n\n\n2,b,secret\n", 8, Some("price")),
            (b"\xef\xbb\xbfid,name,price\n2,b,secret", 2, Some("price")),
            (b"id,name,price\n1,\"a\nb\",1\n2,b,secret\n", 4, Some("price")),
            (b"id,name,price\n1,a,1\n2,b\n", 3, None),
            (b"id,name,price\n1,a,1\n2,\xff,1\n", 3, None),
        ];
        for (file, number, name) in bad_csv {
            let error = Part::bulk_upsert_try_stream(conn, import::csv::<Part, _>(file)).unwrap_err();
            let ImportError::Line { line, column, .. } = &error else { panic!("{error:?}") };
            let at = (*line, column.as_deref());
            assert_eq!(at, (number, name), "{error:?}: {:?}", error.source());
            assert!(!format!("{error} {error:?}").contains("secret"));
            assert_eq!(table(conn), []);
        }
        let bad_json: [&[u8]; 4] = [
            b"{\"id\": 1, \"name\": \"a\"}\n{\"id\": \"secret\"}",
            b"{\"id\": 1, \"name\": \"a\"}\n{\"id\": 2, \"name\": \"\xff\"}\n",
            b"\n[2",
            b"\xef\xbb\xbf{\"id\": 1, \"name\": \"a\"}\n\xef\xbb\xbf{\"id\": 2}",
        ];
        for file in bad_json {
            let error = Part::bulk_upsert_try_stream(conn, import::ndjson::<Part, _>(file)).unwrap_err();
            assert!(matches!(error, ImportError::Line { line: 2, .. }), "{error:?}");
            assert!(!format!("{error} {error:?}").contains("secret"));
            assert_eq!(table(conn), []);
        }
    }

    #[test]
    fn bad_lines_are_collected(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let mut bad = Vec::new();
        let file = "id,name,price\n1,a,1\nx,b,1\n3,c\n4,d,\n";
        let rows = import::csv::<Part, _>(file.as_bytes()).collect_bad(&mut bad);
        assert_eq!(upsert_try_stream(rows).commit_every(1).execute(conn).unwrap(), 2);
        assert_eq!(table(conn), [row(1, "a", Some(1.0)), row(4, "d", None)]);
        let shown: Vec<_> = bad.iter().map(ToString::to_string).collect();
        assert!(shown[0].starts_with("line 3 is not a row, because of its column `id`"), "{shown:?}");
        assert!(shown[1].starts_with("line 4 is not a row;"), "{shown:?}");

        let file = "{}\n{\"id\": 5, \"name\": \"e\"}\nnull\n";
        let mut bad = Vec::new();
        let rows = import::ndjson::<Part, _>(file.as_bytes()).collect_bad(&mut bad);
        assert_eq!(Part::bulk_upsert_try_stream(conn, rows).unwrap(), 1);
        assert_eq!(table(conn)[2], row(5, "e", None));
        assert_eq!(bad.len(), 2);
    }

    /// No line is a row then, and none is collected.
    #[test]
    fn a_file_without_a_column(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let mut bad = Vec::new();
        let file = "id,Name,price\n1,a,1\n2,b,1\n";
        let rows = import::csv::<Part, _>(file.as_bytes()).collect_bad(&mut bad);
        let error = Part::bulk_upsert_try_stream(conn, rows).unwrap_err();
        assert!(matches!(&error, ImportError::NoColumn(name) if name == "name"), "{error:?}");
        assert!(error.to_string().starts_with("the first line of the file names no column `name`: "));
        assert!(bad.is_empty(), "{bad:?}");
        assert_eq!(table(conn), []);
    }

    /// What follows an open quote is not a value.
    #[test]
    fn a_quote_that_is_not_closed(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let read = |file: &'static str| import::csv::<Part, _>(file.as_bytes());
        // The rest of the file would be a name, or the only bad line.
        for file in ["id,price,name\n1,1,\"5 inch\n2,1,b\n", "id,name,price\n1,\"5 inch,1\n2,b,1\n"] {
            let mut bad = Vec::new();
            let rows = read(file).collect_bad(&mut bad);
            let error = Part::bulk_upsert_try_stream(conn, rows);
            assert!(matches!(error, Err(ImportError::Read(_))), "{error:?}");
            assert!(bad.is_empty(), "{bad:?}");
            assert_eq!(table(conn), []);
        }

        let closed = "id,name,price\n1,\"a \"\"line\"\"\nb\",1\n2,5\" inch,2\n3,\"c\nd\",3";
        assert_eq!(Part::bulk_upsert_try_stream(conn, read(closed)).unwrap(), 3);
        let names = ["a \"line\"\nb", "5\" inch", "c\nd"];
        let rows: Vec<_> = (1..).zip(names).map(|(id, name)| row(id, name, Some(f64::from(id)))).collect();
        assert_eq!(table(conn), rows);
    }

    /// A file that breaks off is not a short file.
    #[test]
    fn a_reader_that_fails(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let mut bad = Vec::new();
        let csv = import::csv::<Part, _>(Failing(b"id,name,price\n1,a,1\n2,b,2\n"));
        let result = Part::bulk_upsert_try_stream(conn, csv.collect_bad(&mut bad));
        assert!(matches!(result, Err(ImportError::Read(_))), "{result:?}");
        let json = import::ndjson::<Part, _>(Failing(b"{\"id\": 1, \"name\": \"a\"}\n"));
        let result = Part::bulk_upsert_try_stream(conn, json.collect_bad(&mut bad));
        assert!(matches!(result, Err(ImportError::Read(_))), "{result:?}");
        assert!(bad.is_empty());
        assert_eq!(table(conn), []);
    }

    /// Names that cannot be read are not a bad line, behind which there are others.
    #[test]
    fn a_first_line_that_cannot_be_read(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let file: &[u8] = b"id,n\xe4me,price\n1,a,1\n";
        let mut bad = Vec::new();
        let rows = import::csv::<Part, _>(file).collect_bad(&mut bad);
        let result = Part::bulk_upsert_try_stream(conn, rows);
        assert!(matches!(result, Err(ImportError::Read(_))), "{result:?}");
        assert_eq!(import::csv::<Part, _>(file).count(), 1);
        assert!(bad.is_empty());
        assert_eq!(table(conn), []);
    }

    #[test]
    fn a_row_that_the_database_refuses(database) {
        database.run("CREATE TABLE parts (id INTEGER NOT NULL PRIMARY KEY, \
             name VARCHAR(40) NOT NULL, price DOUBLE PRECISION, CHECK (price >= 0))");
        let conn = &mut database.conn;
        let file = "id,name,price\n1,a,1\n2,b,-1\n";
        let error = Part::bulk_upsert_try_stream(conn, import::csv::<Part, _>(file.as_bytes())).unwrap_err();
        let ImportError::Write(error) = error else { panic!("{error:?}") };
        assert!(error.place().unwrap().rows.contains(&1));
        assert_eq!(table(conn), []);
    }
}

//! The ways to make a call.

use std::collections::VecDeque;

use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use upsert_core::Error;

use crate::api::{Upsertable, upsert, wait};
use crate::support::{Recorder, on_every_database};

diesel::table! {
    products (sku) {
        sku -> Text,
        name -> Text,
        stock -> Integer,
    }
}

pub(crate) const CREATE: &str = "CREATE TABLE products (sku VARCHAR(40) NOT NULL PRIMARY KEY, \
     name VARCHAR(40) NOT NULL, stock INTEGER NOT NULL)";

pub(crate) type Row = (String, String, i32);

/// `stock` is inserted, and then kept.
#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = products)]
pub(crate) struct Product<'a> {
    #[conflict_key]
    sku: &'a str,
    #[on_conflict(update)]
    name: &'a str,
    stock: i32,
}

pub(crate) const fn product<'a>(sku: &'a str, name: &'a str, stock: i32) -> Product<'a> {
    Product { sku, name, stock }
}

pub(crate) fn row(sku: &str, name: &str, stock: i32) -> Row {
    (sku.to_owned(), name.to_owned(), stock)
}

pub(crate) const FRUIT: [Product<'static>; 3] = [
    product("cherry", "Cherry", 3),
    product("apple", "Apple", 1),
    product("banana", "Banana", 2),
];

pub(crate) fn fruit() -> Vec<Row> {
    vec![
        row("apple", "Apple", 1),
        row("banana", "Banana", 2),
        row("cherry", "Cherry", 3),
    ]
}

on_every_database! {
    shared {
        fn rows(conn: &mut Conn) -> Vec<Row> {
            products::table.order(products::sku).load(conn).unwrap()
        }
    }

    #[test]
    fn every_kind_of_rows(database) {
        database.run(CREATE);
        let conn = &mut database.conn;

        let vec = FRUIT.to_vec();
        let slice = vec.as_slice();
        let reset = |conn: &mut Conn| diesel::delete(products::table).execute(conn).unwrap();

        let written = wait(Product::bulk_upsert(conn, slice)).unwrap();
        assert_eq!((written, rows(conn), reset(conn)), (3, fruit(), 3), "a slice");
        let written = wait(Product::bulk_upsert(conn, &vec)).unwrap();
        assert_eq!((written, rows(conn), reset(conn)), (3, fruit(), 3), "a Vec by reference");
        let written = wait(Product::bulk_upsert(conn, vec.clone())).unwrap();
        assert_eq!((written, rows(conn), reset(conn)), (3, fruit(), 3), "a Vec by value");
        let written = wait(Product::bulk_upsert(conn, FRUIT)).unwrap();
        assert_eq!((written, rows(conn), reset(conn)), (3, fruit(), 3), "an array");
        let written = wait(Product::bulk_upsert(conn, &FRUIT)).unwrap();
        assert_eq!((written, rows(conn), reset(conn)), (3, fruit(), 3), "an array by reference");
        let written = wait(Product::bulk_upsert(conn, VecDeque::from(vec.clone()))).unwrap();
        assert_eq!((written, rows(conn), reset(conn)), (3, fruit(), 3), "another collection");
        let written = wait(Product::bulk_upsert(conn, Some(&FRUIT[1]))).unwrap();
        assert_eq!(
            (written, rows(conn), reset(conn)),
            (1, vec![row("apple", "Apple", 1)], 1),
            "an Option",
        );
        let made = ["b", "a"].iter().map(|sku| product(sku, "made", 9));
        let written = wait(Product::bulk_upsert(conn, made)).unwrap();
        assert_eq!(
            (written, rows(conn), reset(conn)),
            (2, vec![row("a", "made", 9), row("b", "made", 9)], 2),
            "an iterator of models",
        );
        let some = vec.iter().filter(|it| it.stock > 1);
        let written = wait(Product::bulk_upsert(conn, some)).unwrap();
        assert_eq!(
            (written, rows(conn), reset(conn)),
            (2, vec![row("banana", "Banana", 2), row("cherry", "Cherry", 3)], 2),
            "an iterator of references",
        );
        let boxed: Vec<Box<Product<'_>>> = vec.iter().cloned().map(Box::new).collect();
        let written = wait(Product::bulk_upsert(conn, boxed)).unwrap();
        assert_eq!((written, rows(conn), reset(conn)), (3, fruit(), 3), "boxes");

        let written = wait(upsert(&vec).execute(conn)).unwrap();
        assert_eq!((written, rows(conn), reset(conn)), (3, fruit(), 3), "builder: by reference");
        let written = wait(upsert(vec.clone()).execute(conn)).unwrap();
        assert_eq!((written, rows(conn), reset(conn)), (3, fruit(), 3), "builder: by value");
        let written = wait(upsert(slice).execute(conn)).unwrap();
        assert_eq!((written, rows(conn), reset(conn)), (3, fruit(), 3), "builder: a slice");
        let written = wait(upsert(vec.iter().cloned()).execute(conn)).unwrap();
        assert_eq!((written, rows(conn), reset(conn)), (3, fruit(), 3), "builder: an iterator");
    }

    #[test]
    fn existing_rows_are_updated_and_new_ones_inserted(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        wait(Product::bulk_upsert(conn, &FRUIT)).unwrap();
        let again = [
            product("durian", "Durian", 40),
            product("apple", "Green apple", 10),
            product("banana", "Banana", 20),
        ];
        // A row that is updated to what it was counts as written.
        assert_eq!(wait(Product::bulk_upsert(conn, &again)).unwrap(), 3);
        let expected = [
            row("apple", "Green apple", 1),
            row("banana", "Banana", 2),
            row("cherry", "Cherry", 3),
            row("durian", "Durian", 40),
        ];
        assert_eq!(rows(conn), expected);
    }

    #[test]
    fn one_row(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        assert_eq!(wait(product("apple", "Apple", 1).upsert(conn)).unwrap(), 1);
        assert_eq!(rows(conn), [row("apple", "Apple", 1)]);
        assert_eq!(wait(product("apple", "Green apple", 2).upsert(conn)).unwrap(), 1);
        assert_eq!(rows(conn), [row("apple", "Green apple", 1)]);
        assert_eq!(wait(product("fig", "Fig", 5).upsert(conn)).unwrap(), 1);
        assert_eq!(rows(conn), [row("apple", "Green apple", 1), row("fig", "Fig", 5)]);
    }

    #[test]
    fn no_rows_send_nothing(database) {
        // There is not even a table.
        let conn = &mut database.conn;
        let recorder = Recorder::of(conn);
        let none: [Product<'_>; 0] = [];
        assert_eq!(wait(Product::bulk_upsert(conn, &none)).unwrap(), 0);
        assert_eq!(wait(upsert(none).chunk_size(1).execute(conn)).unwrap(), 0);
        let mut reports = 0;
        let call = upsert(FRUIT.iter().filter(|it| it.stock > 9)).on_progress(|_| reports += 1);
        assert_eq!(wait(call.execute(conn)).unwrap(), 0);
        assert_eq!(reports, 0);
        assert_eq!(recorder.take(), []);

        // The recorder does see what is sent.
        let _ = wait(Product::bulk_upsert(conn, &FRUIT)).unwrap_err();
        assert_ne!(recorder.take(), []);
    }

    #[test]
    fn inside_of_the_callers_transaction(database) {
        database.run(CREATE);
        let mut other = database.connect();
        let conn = &mut database.conn;

        // A closure with diesel's error.
        let written = conn.transaction(|conn| {
            diesel::insert_into(products::table)
                .values((
                    products::sku.eq("own"),
                    products::name.eq("Own"),
                    products::stock.eq(0),
                ))
                .execute(conn)?;
            let written = wait(Product::bulk_upsert(conn, &FRUIT))?;
            Ok::<_, DieselError>(written + wait(upsert(&FRUIT).chunk_size(1).execute(conn))?)
        });
        assert_eq!(written.unwrap(), 6);
        let mut expected = fruit();
        expected.push(row("own", "Own", 0));
        assert_eq!(rows(&mut other), expected);

        // A closure with this crate's error.
        let written = conn.transaction(|conn| {
            diesel::delete(products::table.find("own")).execute(conn)?;
            let written = wait(Product::bulk_upsert(conn, &FRUIT[..2]))?;
            Ok::<_, Error>(written + wait(product("fig", "Fig", 5).upsert(conn))?)
        });
        assert_eq!(written.unwrap(), 3);
        let mut expected = fruit();
        expected.push(row("fig", "Fig", 5));
        assert_eq!(rows(&mut other), expected);

        // The caller decides what becomes of it.
        let result = conn.transaction(|conn| {
            wait(
                upsert([product("apple", "gone", 0), product("kiwi", "gone", 0)])
                    .chunk_size(1)
                    .execute(conn),
            )?;
            assert_eq!(rows(conn).len(), 5);
            Err::<(), _>(Error::from(DieselError::RollbackTransaction))
        });
        assert!(matches!(result, Err(Error::Connection(DieselError::RollbackTransaction))));
        assert_eq!(rows(&mut other), expected);
    }

    #[test]
    fn errors_leave_a_closure_of_either_type(database) {
        database.run(CREATE);
        database.run("CREATE UNIQUE INDEX products_name ON products (name)");
        let conn = &mut database.conn;
        wait(Product::bulk_upsert(conn, &FRUIT)).unwrap();

        // An upsert's error as diesel's.
        let result = conn.transaction(|conn| {
            wait(product("own", "Own", 0).upsert(conn))?;
            wait(product("other", "Apple", 0).upsert(conn))?;
            Ok::<_, DieselError>(())
        });
        assert!(
            matches!(
                result,
                Err(DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _)),
            ),
            "{result:?}",
        );
        assert_eq!(rows(conn), fruit());

        // Diesel's error as an upsert's.
        let result = conn.transaction(|conn| {
            wait(product("own", "Own", 0).upsert(conn))?;
            diesel::insert_into(products::table)
                .values((
                    products::sku.eq("apple"),
                    products::name.eq("Another"),
                    products::stock.eq(0),
                ))
                .execute(conn)?;
            Ok::<_, Error>(())
        });
        assert!(
            matches!(
                result,
                Err(Error::Connection(DieselError::DatabaseError(
                    DatabaseErrorKind::UniqueViolation,
                    _,
                ))),
            ),
            "{result:?}",
        );
        assert_eq!(rows(conn), fruit());
    }

    #[test]
    fn inside_of_a_test_transaction(database) {
        database.run(CREATE);
        let mut other = database.connect();
        let conn = &mut database.conn;
        conn.begin_test_transaction().unwrap();
        assert_eq!(wait(Product::bulk_upsert(conn, &FRUIT)).unwrap(), 3);
        assert_eq!(wait(upsert(&FRUIT).chunk_size(1).execute(conn)).unwrap(), 3);
        assert_eq!(wait(product("apple", "Green apple", 0).upsert(conn)).unwrap(), 1);
        assert_eq!(
            rows(conn),
            [
                row("apple", "Green apple", 1),
                row("banana", "Banana", 2),
                row("cherry", "Cherry", 3),
            ],
        );
        assert_eq!(rows(&mut other), []);
    }

    #[test]
    fn progress_is_reported_after_every_statement(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let skus: Vec<_> = (0..10).map(|i| format!("sku {i}")).collect();
        let products: Vec<_> = skus.iter().map(|sku| product(sku, "x", 1)).collect();
        let mut reports = Vec::new();
        let call = upsert(&products).chunk_size(4).on_progress(|it| reports.push((it.rows, it.total, it.chunks)));
        assert_eq!(wait(call.execute(conn)).unwrap(), 10);
        assert_eq!(reports, [(4, Some(10), 1), (8, Some(10), 2), (10, Some(10), 3)]);
        let expected: Vec<_> = skus.iter().map(|sku| row(sku, "x", 1)).collect();
        assert_eq!(rows(conn), expected);

        // Rows that need not be sent are part of the last report.
        let repeated: Vec<_> = (0..9).map(|i| product(&skus[i % 3], "y", 1)).collect();
        let mut reports = Vec::new();
        let call = upsert(&repeated).on_progress(|it| reports.push((it.rows, it.total)));
        assert_eq!(wait(call.execute(conn)).unwrap(), 9);
        assert_eq!(reports.last(), Some(&(9, Some(9))));
        assert!(reports.is_sorted(), "{reports:?}");

        let more: Vec<_> = (8..12).map(|i| format!("sku {i}")).collect();
        let more: Vec<_> = more.iter().map(|sku| product(sku, "z", 1)).collect();
        let mut reports = Vec::new();
        let call = upsert(&more).chunk_size(1).on_progress(|it| reports.push(it.counts));
        let outcome = wait(call.outcome(conn)).unwrap();
        let counts = reports.iter().map(|it| it.unwrap().to_string()).collect::<Vec<_>>();
        assert_eq!(reports.last(), Some(&Some(outcome.counts())));
        // In the order of the keys: "sku 10", "sku 11", "sku 8", "sku 9".
        let expected = ["1 inserted", "2 inserted", "2 inserted, 1 updated", "2 inserted, 2 updated"];
        assert_eq!(counts, expected);
    }
}

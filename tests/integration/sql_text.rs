//! The statement of a call is, byte for byte, what diesel makes of the same
//! query written by hand.
//!
//! Where it has to differ, that is:
//!
//! - No rows: diesel writes a query that inserts nothing; ours is refused, as
//!   there is nothing to send.
//! - `None` that is "not supplied": diesel writes `DEFAULT` in its place, which
//!   SQLite does not know, and which gives the statement another text for every
//!   combination of rows; ours leaves the column out, so that an update leaves
//!   it too, and has the same text for all rows that supply the same columns.
//! - MySQL: diesel 2.3 has no `excluded`, and no conflict target.

// Diesel's `Insertable` makes such types of the models here.
#![allow(clippy::ref_option_ref)]

use std::sync::{Arc, Mutex};

use diesel::connection::InstrumentationEvent;
use diesel::debug_query;
#[cfg(feature = "postgres")]
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sqlite::Sqlite;
use diesel::upsert::excluded;
use upsert_core::{Upsertable, upsert};

diesel::table! {
    products (sku) {
        sku -> Text,
        name -> Text,
        stock -> Integer,
        note -> Nullable<Text>,
    }
}

diesel::table! {
    places (country, city) {
        country -> Text,
        city -> Text,
        people -> BigInt,
    }
}

diesel::table! {
    warehouse.shelves (id) {
        id -> Integer,
        label -> Text,
    }
}

diesel::table! {
    #[sql_name = "odd \"table`"]
    odd (key_column) {
        #[sql_name = "key"]
        key_column -> Integer,
        #[sql_name = "type"]
        type_ -> Text,
        #[sql_name = "with \"quotes\" and `ticks`"]
        quotes -> Text,
        #[sql_name = "Größe; --"]
        size -> Integer,
    }
}

#[derive(Insertable, Upsertable)]
#[diesel(table_name = products, treat_none_as_default_value = false)]
struct Product<'a> {
    #[conflict_key]
    sku: &'a str,
    #[on_conflict(update)]
    name: &'a str,
    stock: i32,
    #[on_conflict(update)]
    note: Option<&'a str>,
}

const PRODUCTS: [Product<'static>; 3] = [
    Product {
        sku: "b",
        name: "Bread",
        stock: 2,
        note: None,
    },
    Product {
        sku: "a",
        name: "Apple's",
        stock: -1,
        note: Some("green"),
    },
    Product {
        sku: "b",
        name: "Bread",
        stock: 2,
        note: Some(""),
    },
];

#[derive(Insertable, Upsertable)]
#[diesel(table_name = products, treat_none_as_default_value = false)]
struct UpdateOne {
    #[conflict_key]
    sku: String,
    #[on_conflict(update)]
    name: String,
    stock: i32,
}

/// The fields are not in the order of the table.
#[derive(Insertable, Upsertable)]
#[diesel(table_name = products, treat_none_as_default_value = false)]
#[upsert(update_all)]
struct UpdateAll {
    note: Option<String>,
    stock: i32,
    #[conflict_key]
    sku: String,
    name: String,
}

#[derive(Insertable, Upsertable)]
#[diesel(table_name = products, treat_none_as_default_value = false)]
#[upsert(do_nothing)]
struct DoNothing {
    #[conflict_key]
    sku: String,
    name: String,
    stock: i32,
}

/// The key is not the primary key.
#[derive(Insertable, Upsertable)]
#[diesel(table_name = products, treat_none_as_default_value = false)]
#[upsert(update_all)]
struct ByName {
    sku: String,
    #[conflict_key]
    name: String,
    stock: i32,
}

#[derive(Insertable, Upsertable)]
#[diesel(table_name = places, treat_none_as_default_value = false)]
struct Place {
    #[conflict_key]
    country: &'static str,
    #[conflict_key]
    city: &'static str,
    #[on_conflict(update)]
    people: i64,
}

/// The primary key is the target.
#[derive(Insertable, Upsertable)]
#[diesel(table_name = places, treat_none_as_default_value = false)]
#[upsert(update_all)]
struct PlaceByDefault {
    people: i64,
    city: &'static str,
    country: &'static str,
}

#[derive(Insertable, Upsertable)]
#[diesel(table_name = shelves, treat_none_as_default_value = false)]
#[upsert(update_all)]
struct Shelf {
    id: i32,
    label: &'static str,
}

#[derive(Insertable, Upsertable)]
#[diesel(table_name = odd, treat_none_as_default_value = false)]
#[upsert(update_all)]
struct Odd {
    #[conflict_key]
    key_column: i32,
    #[diesel(column_name = type_)]
    r#type: &'static str,
    quotes: &'static str,
    size: i32,
}

#[derive(Insertable, Upsertable)]
#[diesel(table_name = products, treat_none_as_default_value = false)]
#[upsert(embedded)]
struct Details<'a> {
    stock: i32,
    #[on_conflict(update)]
    note: Option<&'a str>,
}

#[derive(Insertable, Upsertable)]
#[diesel(table_name = products, treat_none_as_default_value = false)]
struct Embedding<'a> {
    #[diesel(embed)]
    details: Details<'a>,
    #[conflict_key]
    sku: &'a str,
    #[on_conflict(update)]
    name: &'a str,
}

#[derive(Insertable, Upsertable)]
#[diesel(table_name = products, treat_none_as_default_value = false)]
struct Tuple<'a>(
    #[diesel(column_name = sku)]
    #[conflict_key]
    &'a str,
    #[diesel(column_name = name)]
    #[on_conflict(update)]
    std::borrow::Cow<'a, str>,
    #[diesel(column_name = stock)] i32,
);

/// Written as text in upper case.
#[derive(Clone)]
struct Upper(&'static str);

impl From<Upper> for String {
    fn from(value: Upper) -> Self {
        value.0.to_uppercase()
    }
}

#[derive(Clone, Insertable, Upsertable)]
#[diesel(table_name = products, treat_none_as_default_value = false)]
struct Converted {
    #[diesel(serialize_as = String)]
    #[conflict_key]
    sku: Upper,
    #[diesel(serialize_as = String)]
    #[on_conflict(update)]
    name: Upper,
    #[diesel(skip_insertion)]
    #[expect(dead_code)]
    comment: &'static str,
    stock: i32,
}

/// Each statement of ours beside the one written by hand.
macro_rules! assert_same_text {
    (Sqlite, $rows:expr, $stock:expr) => {{
        let statement = upsert($rows).statement::<Sqlite>().unwrap();
        let text = text_as_run(|conn| $stock.execute(conn));
        assert_eq!(debug_query::<Sqlite, _>(&statement).to_string(), text);
    }};
    (Pg, $rows:expr, $stock:expr) => {{
        let statement = upsert($rows).statement::<Pg>().unwrap();
        let text = debug_query::<Pg, _>(&$stock).to_string();
        assert_eq!(debug_query::<Pg, _>(&statement).to_string(), text);
    }};
}

/// The statement that `run` sends to SQLite, as `debug_query` prints it.
///
/// Diesel's own upsert of many rows can be run on SQLite, but cannot be given
/// to `debug_query`.
fn text_as_run(run: impl FnOnce(&mut SqliteConnection) -> QueryResult<usize>) -> String {
    let conn = &mut SqliteConnection::establish(":memory:").unwrap();
    let texts = Arc::new(Mutex::new(Vec::new()));
    let sent = Arc::clone(&texts);
    conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            sent.lock().unwrap().push(query.to_string());
        }
    });
    // There is no table, but the statement is seen before SQLite says so.
    assert!(run(conn).is_err());
    let texts = texts.lock().unwrap();
    assert_eq!(texts.len(), 1, "{texts:?}");
    texts[0].clone()
}

macro_rules! same_text_tests {
    ($module:ident, $db:tt) => {
        mod $module {
            use super::*;

            #[test]
            fn update_of_some_columns() {
                for rows in [&PRODUCTS[..], &PRODUCTS[..1], &PRODUCTS[1..2]] {
                    assert_same_text!(
                        $db,
                        rows,
                        diesel::insert_into(products::table)
                            .values(rows)
                            .on_conflict(products::sku)
                            .do_update()
                            .set((
                                products::name.eq(excluded(products::name)),
                                products::note.eq(excluded(products::note)),
                            ))
                    );
                }
                // One row that is not in a list.
                assert_same_text!(
                    $db,
                    [&PRODUCTS[1]],
                    diesel::insert_into(products::table)
                        .values(&PRODUCTS[1])
                        .on_conflict(products::sku)
                        .do_update()
                        .set((
                            products::name.eq(excluded(products::name)),
                            products::note.eq(excluded(products::note)),
                        ))
                );
            }

            #[test]
            fn update_of_one_column() {
                let row = |sku: &str| UpdateOne {
                    sku: sku.to_owned(),
                    name: "x".to_owned(),
                    stock: 0,
                };
                for rows in [vec![row("a")], vec![row("c"), row("b")]] {
                    assert_same_text!(
                        $db,
                        &rows,
                        diesel::insert_into(products::table)
                            .values(&rows)
                            .on_conflict(products::sku)
                            .do_update()
                            .set(products::name.eq(excluded(products::name)))
                    );
                }
            }

            #[test]
            fn update_of_all_columns() {
                let row = |sku: &str, note: Option<&str>| UpdateAll {
                    note: note.map(str::to_owned),
                    stock: i32::MIN,
                    sku: sku.to_owned(),
                    name: "x".to_owned(),
                };
                let rows = [row("a", None), row("c", Some("n")), row("b", None)];
                assert_same_text!(
                    $db,
                    &rows,
                    diesel::insert_into(products::table)
                        .values(&rows)
                        .on_conflict(products::sku)
                        .do_update()
                        .set((
                            products::note.eq(excluded(products::note)),
                            products::stock.eq(excluded(products::stock)),
                            products::name.eq(excluded(products::name)),
                        ))
                );
            }

            #[test]
            fn do_nothing() {
                let row = |sku: &str| DoNothing {
                    sku: sku.to_owned(),
                    name: "x".to_owned(),
                    stock: 0,
                };
                for rows in [vec![row("a")], vec![row("a"), row("b")]] {
                    assert_same_text!(
                        $db,
                        &rows,
                        diesel::insert_into(products::table)
                            .values(&rows)
                            .on_conflict(products::sku)
                            .do_nothing()
                    );
                }
            }

            #[test]
            fn a_key_that_is_not_the_primary_key() {
                let rows = [ByName {
                    sku: "a".to_owned(),
                    name: "x".to_owned(),
                    stock: 1,
                }];
                assert_same_text!(
                    $db,
                    &rows,
                    diesel::insert_into(products::table)
                        .values(&rows)
                        .on_conflict(products::name)
                        .do_update()
                        .set((
                            products::sku.eq(excluded(products::sku)),
                            products::stock.eq(excluded(products::stock)),
                        ))
                );
            }

            #[test]
            fn a_composite_key() {
                let rows = [
                    Place {
                        country: "FR",
                        city: "Lyon",
                        people: 500_000,
                    },
                    Place {
                        country: "DE",
                        city: "Ulm",
                        people: 1 << 40,
                    },
                ];
                assert_same_text!(
                    $db,
                    &rows,
                    diesel::insert_into(places::table)
                        .values(&rows)
                        .on_conflict((places::country, places::city))
                        .do_update()
                        .set(places::people.eq(excluded(places::people)))
                );
            }

            /// The target is in the order of the primary key, not of the
            /// fields.
            #[test]
            fn the_primary_key_by_default() {
                let rows = [PlaceByDefault {
                    people: 7,
                    city: "Lyon",
                    country: "FR",
                }];
                assert_same_text!(
                    $db,
                    &rows,
                    diesel::insert_into(places::table)
                        .values(&rows)
                        .on_conflict((places::country, places::city))
                        .do_update()
                        .set(places::people.eq(excluded(places::people)))
                );
            }

            #[test]
            fn a_table_of_a_schema() {
                let rows = [
                    Shelf {
                        id: 1,
                        label: "left",
                    },
                    Shelf {
                        id: 2,
                        label: "right",
                    },
                ];
                assert_same_text!(
                    $db,
                    &rows,
                    diesel::insert_into(shelves::table)
                        .values(&rows)
                        .on_conflict(shelves::id)
                        .do_update()
                        .set(shelves::label.eq(excluded(shelves::label)))
                );
            }

            #[test]
            fn odd_names() {
                let rows = [Odd {
                    key_column: 1,
                    r#type: "t",
                    quotes: "'\"`",
                    size: 2,
                }];
                assert_same_text!(
                    $db,
                    &rows,
                    diesel::insert_into(odd::table)
                        .values(&rows)
                        .on_conflict(odd::key_column)
                        .do_update()
                        .set((
                            odd::type_.eq(excluded(odd::type_)),
                            odd::quotes.eq(excluded(odd::quotes)),
                            odd::size.eq(excluded(odd::size)),
                        ))
                );
            }

            #[test]
            fn an_embedded_struct() {
                let row = |sku, note| Embedding {
                    details: Details { stock: 4, note },
                    sku,
                    name: "x",
                };
                let rows = [row("a", None), row("b", Some("n"))];
                assert_same_text!(
                    $db,
                    &rows,
                    diesel::insert_into(products::table)
                        .values(&rows)
                        .on_conflict(products::sku)
                        .do_update()
                        .set((
                            products::note.eq(excluded(products::note)),
                            products::name.eq(excluded(products::name)),
                        ))
                );
            }

            #[test]
            fn a_tuple_struct() {
                let rows = [
                    Tuple("a", "x".into(), 1),
                    Tuple("b", "y".to_owned().into(), 2),
                ];
                assert_same_text!(
                    $db,
                    &rows,
                    diesel::insert_into(products::table)
                        .values(&rows)
                        .on_conflict(products::sku)
                        .do_update()
                        .set(products::name.eq(excluded(products::name)))
                );
            }

            /// Diesel's own takes such rows by value only.
            #[test]
            fn converted_values() {
                let row = |sku| Converted {
                    sku: Upper(sku),
                    name: Upper("name"),
                    comment: "not written",
                    stock: 1,
                };
                let rows = vec![row("a"), row("b")];
                assert_same_text!(
                    $db,
                    &rows,
                    diesel::insert_into(products::table)
                        .values(rows.clone())
                        .on_conflict(products::sku)
                        .do_update()
                        .set(products::name.eq(excluded(products::name)))
                );
            }
        }
    };
}

same_text_tests!(on_sqlite, Sqlite);
#[cfg(feature = "postgres")]
same_text_tests!(on_postgres, Pg);

/// `None` that is "not supplied".
#[derive(Insertable, Upsertable)]
#[diesel(table_name = products)]
#[upsert(update_all)]
struct Defaults {
    #[conflict_key]
    sku: &'static str,
    name: &'static str,
    // The column is NOT NULL.
    stock: Option<i32>,
}

#[test]
fn columns_that_are_not_supplied_are_left_out() {
    let rows = [
        Defaults {
            sku: "a",
            name: "x",
            stock: None,
        },
        Defaults {
            sku: "b",
            name: "y",
            stock: None,
        },
    ];
    let statement = upsert(&rows).statement::<Sqlite>().unwrap();
    assert_eq!(
        debug_query::<Sqlite, _>(&statement).to_string(),
        "INSERT INTO `products` (`sku`, `name`) VALUES (?, ?), (?, ?) ON CONFLICT (`sku`) \
         DO UPDATE SET `name` = excluded.`name` -- binds: [\"a\", \"x\", \"b\", \"y\"]",
    );
}

#[cfg(feature = "postgres")]
#[test]
fn columns_that_are_not_supplied_are_left_out_on_postgres() {
    let rows = [Defaults {
        sku: "a",
        name: "x",
        stock: None,
    }];
    let statement = upsert(&rows).statement::<Pg>().unwrap();
    assert_eq!(
        debug_query::<Pg, _>(&statement).to_string(),
        "INSERT INTO \"products\" (\"sku\", \"name\") VALUES ($1, $2) ON CONFLICT (\"sku\") \
         DO UPDATE SET \"name\" = excluded.\"name\" -- binds: [\"a\", \"x\"]",
    );
    let stock = diesel::insert_into(products::table)
        .values(&rows)
        .on_conflict(products::sku)
        .do_update()
        .set((
            products::name.eq(excluded(products::name)),
            products::stock.eq(excluded(products::stock)),
        ));
    assert_eq!(
        debug_query::<Pg, _>(&stock).to_string(),
        "INSERT INTO \"products\" (\"sku\", \"name\", \"stock\") VALUES ($1, $2, DEFAULT) \
         ON CONFLICT (\"sku\") DO UPDATE SET \"name\" = excluded.\"name\", \
         \"stock\" = excluded.\"stock\" -- binds: [\"a\", \"x\"]",
    );
}

#[test]
fn a_statement_of_no_rows_or_of_different_columns_fails() {
    use diesel::connection::SimpleConnection;

    let conn = &mut SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute(
        "CREATE TABLE products (sku TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, \
         stock INTEGER NOT NULL DEFAULT 7, note TEXT)",
    )
    .unwrap();
    let none: [Defaults; 0] = [];
    let error = upsert(none).statement::<Sqlite>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "upsert into `products`: a statement needs at least one row",
    );

    let rows = [
        Defaults {
            sku: "a",
            name: "x",
            stock: None,
        },
        Defaults {
            sku: "b",
            name: "y",
            stock: Some(1),
        },
    ];
    let error = upsert(&rows).statement::<Sqlite>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "upsert into `products`: the rows of one statement have to supply the same columns: sort \
         them by which fields are `None`, or `execute` the call instead of its statement",
    );
    assert_eq!(products::table.count().get_result(conn), Ok(0));

    // Each alone is a statement, and can be run.
    for row in &rows {
        assert_eq!(
            upsert([row]).statement::<Sqlite>().unwrap().execute(conn),
            Ok(1)
        );
    }
    let rows: Vec<(String, String, i32, Option<String>)> =
        products::table.order(products::sku).load(conn).unwrap();
    assert_eq!(
        rows,
        [
            ("a".to_owned(), "x".to_owned(), 7, None),
            ("b".to_owned(), "y".to_owned(), 1, None),
        ],
    );
}

#[cfg(feature = "mysql")]
mod on_mysql {
    use diesel::mysql::Mysql;

    use super::*;

    #[test]
    fn an_update() {
        let statement = upsert(&PRODUCTS[..2]).statement::<Mysql>().unwrap();
        assert_eq!(
            debug_query::<Mysql, _>(&statement).to_string(),
            "INSERT INTO `products` (`sku`, `name`, `stock`, `note`) \
             VALUES (?, ?, ?, ?), (?, ?, ?, ?) ON DUPLICATE KEY UPDATE \
             `sku` = IF(IF(`products`.`sku` = VALUES(`sku`), 0, \
             EXP(710 + (`products`.`sku` IS NULL))) IS NULL, `products`.`sku`, `products`.`sku`), \
             `name` = VALUES(`name`), `note` = VALUES(`note`) \
             -- binds: [\"b\", \"Bread\", 2, None, \"a\", \"Apple's\", -1, Some(\"green\")]",
        );
    }

    #[test]
    fn a_composite_key_and_a_schema() {
        let rows = [Place {
            country: "FR",
            city: "Lyon",
            people: 5,
        }];
        let statement = upsert(&rows).statement::<Mysql>().unwrap();
        assert_eq!(
            debug_query::<Mysql, _>(&statement).to_string(),
            "INSERT INTO `places` (`country`, `city`, `people`) VALUES (?, ?, ?) \
             ON DUPLICATE KEY UPDATE `country` = IF(IF(`places`.`country` = VALUES(`country`) \
             AND `places`.`city` = VALUES(`city`), 0, EXP(710 + (`places`.`country` IS NULL))) IS NULL, \
             `places`.`country`, `places`.`country`), \
             `people` = VALUES(`people`) -- binds: [\"FR\", \"Lyon\", 5]",
        );
        let statement = upsert([Shelf {
            id: 1,
            label: "left",
        }])
        .statement::<Mysql>()
        .unwrap();
        let text = debug_query::<Mysql, _>(&statement).to_string();
        assert!(
            text.starts_with("INSERT INTO `warehouse`.`shelves` (`id`, `label`) "),
            "{text}"
        );
    }
}

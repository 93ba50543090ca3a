//! The shapes that a model can have, and the types of its fields.

use std::borrow::Cow;

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::{Integer, Text};

use crate::api::{Upsertable, wait};
use crate::support::on_every_database;

diesel::table! {
    products (sku) {
        sku -> Text,
        name -> Text,
        label -> Nullable<Text>,
        stock -> Integer,
    }
}

const CREATE: &str = "CREATE TABLE products (sku VARCHAR(40) NOT NULL PRIMARY KEY, \
     name VARCHAR(40) NOT NULL DEFAULT 'unnamed', label VARCHAR(40), \
     stock INTEGER NOT NULL DEFAULT 7)";

type Row = (String, String, Option<String>, i32);

fn row(sku: &str, name: &str, label: Option<&str>, stock: i32) -> Row {
    let label = label.map(str::to_owned);
    (sku.to_owned(), name.to_owned(), label, stock)
}

/// `'a` and `'b` are unrelated, and `name` has the type of `sku` but for them.
#[derive(Upsertable)]
#[diesel(table_name = products)]
struct References<'a, 'b> {
    #[conflict_key]
    sku: &'a str,
    #[on_conflict(update)]
    name: &'b str,
    label: Option<&'a str>,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
struct Cows<'a, 'b> {
    #[conflict_key]
    sku: Cow<'a, str>,
    #[on_conflict(update)]
    name: Cow<'b, str>,
    #[on_conflict(update)]
    label: Option<Cow<'a, str>>,
    stock: &'b i32,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(update_all)]
struct Generic<T> {
    sku: &'static str,
    name: T,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(update_all)]
struct Bounded<K, N: Copy>
where
    K: Clone + Into<String>,
{
    #[conflict_key]
    #[diesel(serialize_as = String)]
    sku: K,
    stock: N,
}

/// A name of `N` copies of a letter.
#[derive(Clone, Copy)]
struct Repeated<const N: usize>(char);

impl<const N: usize> From<Repeated<N>> for String {
    fn from(repeated: Repeated<N>) -> Self {
        repeated.0.to_string().repeat(N)
    }
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(update_all)]
struct Const<const N: usize> {
    sku: &'static str,
    #[diesel(serialize_as = String)]
    name: Repeated<N>,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
struct Tuple<'a>(
    #[diesel(column_name = stock)]
    #[on_conflict(update)]
    i32,
    #[diesel(column_name = "sku")]
    #[conflict_key]
    &'a str,
    #[diesel(column_name = name)] &'a str,
);

#[derive(Upsertable)]
#[diesel(table_name = products)]
struct Renamed<'a> {
    #[diesel(column_name = sku)]
    #[conflict_key]
    number: &'a str,
    #[diesel(column_name = "name")]
    #[on_conflict(update)]
    sku: &'a str,
}

/// A type for text that belongs to this crate.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sku(String);

impl<DB> ToSql<Text, DB> for Sku
where
    DB: Backend,
    String: ToSql<Text, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.0.to_sql(out)
    }
}

/// The same for a number, and an expression too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, diesel::expression::AsExpression)]
#[diesel(sql_type = Integer)]
struct Stock(i32);

impl<DB> ToSql<Integer, DB> for Stock
where
    DB: Backend,
    i32: ToSql<Integer, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.0.to_sql(out)
    }
}

/// Stored as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Sold,
}

impl<DB> ToSql<Text, DB> for State
where
    DB: Backend,
    str: ToSql<Text, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        let text = match self {
            State::New => "new",
            State::Sold => "sold",
        };
        text.to_sql(out)
    }
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(update_all)]
struct Newtypes {
    #[conflict_key]
    sku: Sku,
    name: State,
    label: Option<State>,
    stock: Stock,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(update_all)]
struct ByState {
    #[conflict_key]
    sku: State,
    // The column is NOT NULL.
    stock: Option<Stock>,
}

/// Columns in the middle, and a rule that is its own.
#[derive(Upsertable)]
#[diesel(table_name = products)]
struct Plain {
    #[conflict_key]
    sku: &'static str,
    #[diesel(embed)]
    names: Names,
    #[on_conflict(update)]
    stock: i32,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(embedded)]
struct Names {
    #[on_conflict(update)]
    name: String,
    label: Option<String>,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
struct WithLifetime<'a> {
    #[diesel(embed)]
    names: &'a BorrowedNames<'a>,
    sku: &'a str,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(embedded, update_all)]
struct BorrowedNames<'a> {
    name: &'a str,
    label: Option<&'a str>,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
struct WithGeneric<E> {
    #[conflict_key]
    sku: &'static str,
    #[diesel(embed)]
    rest: E,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(embedded, update_all)]
struct OneColumn<T>(#[diesel(column_name = stock)] T);

/// The key is two structs further in, the rules are in the middle.
#[derive(Upsertable)]
#[diesel(table_name = products)]
struct Outer<'a> {
    label: Option<&'a str>,
    #[diesel(embed)]
    middle: Middle<'a>,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(embedded)]
struct Middle<'a> {
    #[diesel(serialize_as = i32)]
    #[on_conflict(update)]
    stock: i16,
    #[diesel(embed)]
    inner: Inner<'a>,
    #[on_conflict(update)]
    name: &'a str,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(embedded)]
struct Inner<'a> {
    #[conflict_key]
    #[diesel(serialize_as = String)]
    sku: Lower<'a>,
}

/// Written in lower case.
#[derive(Clone, Copy)]
struct Lower<'a>(&'a str);

impl From<Lower<'_>> for String {
    fn from(lower: Lower<'_>) -> Self {
        lower.0.to_lowercase()
    }
}

/// Written as NULL, or not at all, if it is empty.
#[derive(Clone, Copy)]
struct NonEmpty(&'static str);

impl From<NonEmpty> for Option<String> {
    fn from(text: NonEmpty) -> Self {
        (!text.0.is_empty()).then(|| text.0.to_owned())
    }
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(update_all)]
struct Converted<'a> {
    #[conflict_key]
    #[diesel(serialize_as = String)]
    sku: Lower<'a>,
    // The column is NOT NULL.
    #[diesel(serialize_as = Option<String>)]
    name: NonEmpty,
    #[diesel(serialize_as = Option<String>)]
    label: NonEmpty,
    #[diesel(serialize_as = Stock)]
    stock: Wrapped,
}

#[derive(Clone)]
struct Wrapped(i32);

impl From<Wrapped> for Stock {
    fn from(wrapped: Wrapped) -> Self {
        Self(wrapped.0)
    }
}

/// `stock` is a column that is left alone, `sum` is none.
#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(update_all)]
struct Skipping<'a> {
    #[diesel(skip_insertion)]
    #[allow(dead_code)]
    stock: i32,
    sku: &'a str,
    #[diesel(skip_insertion)]
    #[allow(dead_code)]
    sum: Vec<State>,
    name: &'a str,
}

#[derive(Debug, Clone, PartialEq, Upsertable, Insertable, AsChangeset, Queryable)]
#[diesel(table_name = products)]
#[upsert(update_all)]
struct Beside {
    sku: String,
    name: String,
    label: Option<String>,
    stock: i32,
}

/// What two parts of an application do with one table.
#[derive(Upsertable)]
#[diesel(table_name = products)]
struct Import<'a> {
    sku: &'a str,
    #[on_conflict(update)]
    name: &'a str,
    stock: i32,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
struct Restock<'a> {
    sku: &'a str,
    #[on_conflict(keep)]
    name: &'a str,
    #[on_conflict(update)]
    stock: i32,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(do_nothing)]
struct Announce<'a> {
    sku: &'a str,
    label: Option<&'a str>,
}

on_every_database! {
    shared {
        fn rows(conn: &mut Conn) -> Vec<Row> {
            products::table.order(products::sku).load(conn).unwrap()
        }
    }

    #[test]
    fn references_of_two_lifetimes(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        {
            let names = [String::from("A"), String::from("B")];
            let models: Vec<_> = ["a", "b"]
                .into_iter()
                .zip(&names)
                .map(|(sku, name)| References { sku, name, label: Some(sku) })
                .collect();
            assert_eq!(wait(References::bulk_upsert(conn, &models)).unwrap(), 2);
        }
        assert_eq!(rows(conn), [row("a", "A", Some("a"), 7), row("b", "B", Some("b"), 7)]);
        let sku = String::from("b");
        let models = [
            References { sku: &sku, name: "BB", label: None },
            References { sku: "c", name: "C", label: None },
        ];
        assert_eq!(wait(References::bulk_upsert(conn, models)).unwrap(), 2);
        assert_eq!(
            rows(conn),
            [row("a", "A", Some("a"), 7), row("b", "BB", Some("b"), 7), row("c", "C", None, 7)]
        );
    }

    #[test]
    fn cows(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let name = String::from("A");
        let cows = [
            Cows {
                sku: "a".into(),
                name: Cow::Borrowed(&name),
                label: Some("l".into()),
                stock: &1,
            },
            Cows { sku: Cow::Owned("b".into()), name: "B".into(), label: None, stock: &2 },
        ];
        assert_eq!(wait(Cows::bulk_upsert(conn, &cows)).unwrap(), 2);
        assert_eq!(rows(conn), [row("a", "A", Some("l"), 1), row("b", "B", None, 2)]);
        // One key, whoever owns it.
        let cows = [
            Cows { sku: "a".into(), name: "A1".into(), label: Some("l".into()), stock: &3 },
            Cows { sku: Cow::Owned("a".into()), name: name.into(), label: None, stock: &4 },
        ];
        assert_eq!(wait(Cows::bulk_upsert(conn, cows)).unwrap(), 2);
        assert_eq!(rows(conn), [row("a", "A", None, 1), row("b", "B", None, 2)]);
    }

    #[test]
    fn generic_structs(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let texts = [Generic { sku: "a", name: "A" }, Generic { sku: "b", name: "B" }];
        assert_eq!(wait(Generic::bulk_upsert(conn, &texts)).unwrap(), 2);
        assert_eq!(rows(conn), [row("a", "A", None, 7), row("b", "B", None, 7)]);
        let states = [
            Generic { sku: "b", name: State::Sold },
            Generic { sku: "c", name: State::New },
        ];
        assert_eq!(wait(Generic::bulk_upsert(conn, &states)).unwrap(), 2);
        assert_eq!(
            rows(conn),
            [row("a", "A", None, 7), row("b", "sold", None, 7), row("c", "new", None, 7)]
        );

        assert_eq!(wait(Bounded::bulk_upsert(conn, [Bounded { sku: "a", stock: 1 }])).unwrap(), 1);
        let bounded = Bounded { sku: String::from("b"), stock: Stock(2) };
        assert_eq!(wait(bounded.upsert(conn)).unwrap(), 1);
        assert_eq!(
            rows(conn),
            [row("a", "A", None, 1), row("b", "sold", None, 2), row("c", "new", None, 7)]
        );
    }

    #[test]
    fn const_generic_structs(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let two = [
            Const { sku: "a", name: Repeated::<2>('a') },
            Const { sku: "b", name: Repeated('b') },
        ];
        assert_eq!(wait(Const::bulk_upsert(conn, two)).unwrap(), 2);
        assert_eq!(rows(conn), [row("a", "aa", None, 7), row("b", "bb", None, 7)]);
        assert_eq!(wait(Const { sku: "b", name: Repeated::<3>('c') }.upsert(conn)).unwrap(), 1);
        assert_eq!(rows(conn), [row("a", "aa", None, 7), row("b", "ccc", None, 7)]);
    }

    #[test]
    fn tuple_structs(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let tuples = [Tuple(1, "a", "A"), Tuple(2, "b", "B")];
        assert_eq!(wait(Tuple::bulk_upsert(conn, &tuples)).unwrap(), 2);
        assert_eq!(rows(conn), [row("a", "A", None, 1), row("b", "B", None, 2)]);
        assert_eq!(wait(Tuple::bulk_upsert(conn, [Tuple(3, "b", "kept")])).unwrap(), 1);
        assert_eq!(rows(conn), [row("a", "A", None, 1), row("b", "B", None, 3)]);
    }

    /// A field may have the name of another field's column.
    #[test]
    fn column_names(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let models = [Renamed { number: "a", sku: "A" }, Renamed { number: "b", sku: "B" }];
        assert_eq!(wait(Renamed::bulk_upsert(conn, &models)).unwrap(), 2);
        assert_eq!(rows(conn), [row("a", "A", None, 7), row("b", "B", None, 7)]);
        assert_eq!(wait(Renamed { number: "a", sku: "AA" }.upsert(conn)).unwrap(), 1);
        assert_eq!(rows(conn), [row("a", "AA", None, 7), row("b", "B", None, 7)]);
    }

    #[test]
    fn types_of_the_application(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let model = |sku: &str, name, label, stock| Newtypes {
            sku: Sku(sku.to_owned()),
            name,
            label,
            stock: Stock(stock),
        };
        let models = [
            model("b", State::New, Some(State::Sold), -1),
            model("a", State::New, None, 2),
        ];
        assert_eq!(wait(Newtypes::bulk_upsert(conn, &models)).unwrap(), 2);
        assert_eq!(rows(conn), [row("a", "new", None, 2), row("b", "new", Some("sold"), -1)]);
        // The first one of the same key is as if it had been written.
        let models = [
            model("b", State::New, Some(State::New), 5),
            model("c", State::New, None, 6),
            model("b", State::Sold, None, 7),
        ];
        assert_eq!(wait(Newtypes::bulk_upsert(conn, &models)).unwrap(), 3);
        assert_eq!(
            rows(conn),
            [row("a", "new", None, 2), row("b", "sold", None, 7), row("c", "new", None, 6)]
        );
    }

    #[test]
    fn an_enum_as_key(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let models = [
            ByState { sku: State::Sold, stock: Some(Stock(1)) },
            ByState { sku: State::New, stock: None },
        ];
        assert_eq!(wait(ByState::bulk_upsert(conn, &models)).unwrap(), 2);
        assert_eq!(
            rows(conn),
            [row("new", "unnamed", None, 7), row("sold", "unnamed", None, 1)]
        );
        let models = [
            ByState { sku: State::New, stock: Some(Stock(2)) },
            ByState { sku: State::Sold, stock: None },
            ByState { sku: State::New, stock: Some(Stock(3)) },
        ];
        // The row that is there and supplies nothing but its key is left alone.
        assert_eq!(wait(ByState::bulk_upsert(conn, &models)).unwrap(), 2);
        assert_eq!(
            rows(conn),
            [row("new", "unnamed", None, 3), row("sold", "unnamed", None, 1)]
        );
    }

    #[test]
    fn an_embedded_struct(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let model = |sku, name: &str, label: Option<&str>, stock| Plain {
            sku,
            names: Names { name: name.to_owned(), label: label.map(str::to_owned) },
            stock,
        };
        let models = [model("a", "A", Some("l"), 1), model("b", "B", None, 2)];
        assert_eq!(wait(Plain::bulk_upsert(conn, &models)).unwrap(), 2);
        assert_eq!(rows(conn), [row("a", "A", Some("l"), 1), row("b", "B", None, 2)]);
        let models = [model("a", "AA", None, 3), model("c", "C", None, 4)];
        assert_eq!(wait(Plain::bulk_upsert(conn, models)).unwrap(), 2);
        assert_eq!(
            rows(conn),
            [row("a", "AA", Some("l"), 3), row("b", "B", None, 2), row("c", "C", None, 4)]
        );
    }

    #[test]
    fn an_embedded_struct_with_a_lifetime(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let names = BorrowedNames { name: "A", label: Some("l") };
        let models = [
            WithLifetime { names: &names, sku: "a" },
            WithLifetime { names: &names, sku: "b" },
        ];
        assert_eq!(wait(WithLifetime::bulk_upsert(conn, &models)).unwrap(), 2);
        assert_eq!(rows(conn), [row("a", "A", Some("l"), 7), row("b", "A", Some("l"), 7)]);
        let name = String::from("B");
        let names = BorrowedNames { name: &name, label: None };
        assert_eq!(wait(WithLifetime { names: &names, sku: "b" }.upsert(conn)).unwrap(), 1);
        assert_eq!(rows(conn), [row("a", "A", Some("l"), 7), row("b", "B", None, 7)]);
    }

    #[test]
    fn a_generic_embedded_struct(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let models = [
            WithGeneric { sku: "a", rest: BorrowedNames { name: "A", label: None } },
            WithGeneric { sku: "b", rest: BorrowedNames { name: "B", label: Some("l") } },
        ];
        assert_eq!(wait(WithGeneric::bulk_upsert(conn, &models)).unwrap(), 2);
        assert_eq!(rows(conn), [row("a", "A", None, 7), row("b", "B", Some("l"), 7)]);
        let models = [
            WithGeneric { sku: "b", rest: OneColumn(Stock(1)) },
            WithGeneric { sku: "c", rest: OneColumn(Stock(2)) },
        ];
        assert_eq!(wait(WithGeneric::bulk_upsert(conn, &models)).unwrap(), 2);
        assert_eq!(wait(WithGeneric { sku: "a", rest: OneColumn(3) }.upsert(conn)).unwrap(), 1);
        assert_eq!(
            rows(conn),
            [row("a", "A", None, 3), row("b", "B", Some("l"), 1), row("c", "unnamed", None, 2)]
        );
    }

    #[test]
    fn a_key_in_an_embedded_struct_of_an_embedded_struct(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let model = |sku, name, label, stock| Outer {
            label,
            middle: Middle { stock, inner: Inner { sku: Lower(sku) }, name },
        };
        let models = [model("A", "A", Some("l"), 1), model("b", "B", None, 2)];
        assert_eq!(wait(Outer::bulk_upsert(conn, &models)).unwrap(), 2);
        assert_eq!(rows(conn), [row("a", "A", Some("l"), 1), row("b", "B", None, 2)]);
        let models = [
            model("B", "B1", Some("kept"), 3),
            model("C", "C1", Some("first"), 4),
            model("b", "B2", None, 5),
            model("c", "C2", Some("second"), 6),
        ];
        assert_eq!(wait(Outer::bulk_upsert(conn, &models)).unwrap(), 4);
        assert_eq!(
            rows(conn),
            [row("a", "A", Some("l"), 1), row("b", "B2", None, 5), row("c", "C2", Some("first"), 6)]
        );
    }

    #[test]
    fn converted_values(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let model = |sku, name, label, stock| Converted {
            sku: Lower(sku),
            name: NonEmpty(name),
            label: NonEmpty(label),
            stock: Wrapped(stock),
        };
        let models = [model("A", "A", "l", 1), model("b", "", "", 2)];
        assert_eq!(wait(Converted::bulk_upsert(conn, &models)).unwrap(), 2);
        assert_eq!(rows(conn), [row("a", "A", Some("l"), 1), row("b", "unnamed", None, 2)]);
        let models = [
            model("a", "", "", 3),
            model("B", "B", "l", 4),
            model("C", "C", "", 5),
            model("c", "", "l", 6),
        ];
        assert_eq!(wait(Converted::bulk_upsert(conn, models)).unwrap(), 4);
        assert_eq!(
            rows(conn),
            [row("a", "A", None, 3), row("b", "B", Some("l"), 4), row("c", "C", Some("l"), 6)]
        );
    }

    #[test]
    fn skipped_fields(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let model = |sku, name| Skipping { stock: -1, sku, sum: vec![State::New], name };
        let models = [model("a", "A"), model("b", "B")];
        assert_eq!(wait(Skipping::bulk_upsert(conn, models)).unwrap(), 2);
        assert_eq!(rows(conn), [row("a", "A", None, 7), row("b", "B", None, 7)]);
        diesel::update(products::table).set(products::stock.eq(9)).execute(conn).unwrap();
        let models = [model("b", "BB"), model("c", "C")];
        assert_eq!(wait(Skipping::bulk_upsert(conn, models)).unwrap(), 2);
        assert_eq!(
            rows(conn),
            [row("a", "A", None, 9), row("b", "BB", None, 9), row("c", "C", None, 7)]
        );
    }

    #[test]
    fn beside_the_derives_of_diesel(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let mut models = ["a", "b"].map(|sku| Beside {
            sku: sku.to_owned(),
            name: sku.to_uppercase(),
            label: Some("l".to_owned()),
            stock: 1,
        });
        assert_eq!(wait(Beside::bulk_upsert(conn, &models)).unwrap(), 2);
        let all = products::table.order(products::sku);
        assert_eq!(all.load::<Beside>(conn).unwrap(), models);
        diesel::delete(products::table).execute(conn).unwrap();
        diesel::insert_into(products::table).values(&models[0]).execute(conn).unwrap();
        models[0].label = None;
        models[1].stock = 2;
        assert_eq!(wait(Beside::bulk_upsert(conn, &models)).unwrap(), 2);
        assert_eq!(all.load::<Beside>(conn).unwrap(), models);
        let target = products::table.find("b");
        models[1].name = "BB".to_owned();
        diesel::update(target).set(&models[1]).execute(conn).unwrap();
        assert_eq!(all.load::<Beside>(conn).unwrap(), models);
    }

    #[test]
    fn several_models_of_one_table(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let import = |sku, name, stock| Import { sku, name, stock };
        let restock = |sku, name, stock| Restock { sku, name, stock };
        assert_eq!(wait(Import::bulk_upsert(conn, [import("a", "A", 1)])).unwrap(), 1);
        let restocks = [restock("a", "kept", 2), restock("b", "B", 3)];
        assert_eq!(wait(Restock::bulk_upsert(conn, restocks)).unwrap(), 2);
        assert_eq!(rows(conn), [row("a", "A", None, 2), row("b", "B", None, 3)]);
        assert_eq!(
            wait(Import::bulk_upsert(conn, [import("b", "BB", 4), import("a", "AA", 5)])).unwrap(),
            2
        );
        assert_eq!(rows(conn), [row("a", "AA", None, 2), row("b", "BB", None, 3)]);
        let announce = |sku| Announce { sku, label: Some("new") };
        assert_eq!(wait(Announce::bulk_upsert(conn, [announce("b"), announce("c")])).unwrap(), 1);
        assert_eq!(
            rows(conn),
            [
                row("a", "AA", None, 2),
                row("b", "BB", None, 3),
                row("c", "unnamed", Some("new"), 7),
            ]
        );
    }
}

/// Composite keys, and keys that are numbers.
mod keys {
    use super::*;

    diesel::table! {
        prices (product, region) {
            product -> Integer,
            region -> Text,
            amount -> Integer,
            note -> Nullable<Text>,
        }
    }

    const CREATE: &str = "CREATE TABLE prices (product INTEGER NOT NULL, \
         region VARCHAR(20) NOT NULL, amount INTEGER NOT NULL, note VARCHAR(20), \
         PRIMARY KEY (product, region))";

    type Row = (i32, String, i32, Option<String>);

    fn row(product: i32, region: &str, amount: i32, note: Option<&str>) -> Row {
        (product, region.to_owned(), amount, note.map(str::to_owned))
    }

    /// The primary key is the target, in another order than the fields'.
    #[derive(Upsertable)]
    #[diesel(table_name = prices)]
    struct Price<'a> {
        note: Option<&'a str>,
        region: &'a str,
        #[on_conflict(update)]
        amount: i32,
        product: Stock,
    }

    on_every_database! {
        shared {
            fn rows(conn: &mut Conn) -> Vec<Row> {
                prices::table.order((prices::product, prices::region)).load(conn).unwrap()
            }
        }

        #[test]
        fn the_primary_key_is_the_target(database) {
            database.run(CREATE);
            let conn = &mut database.conn;
            let price = |product, region, amount, note| Price {
                note,
                region,
                amount,
                product: Stock(product),
            };
            let prices = [
                price(1, "eu", 10, None),
                price(1, "us", 20, Some("n")),
                price(-2, "eu", 30, None),
            ];
            assert_eq!(wait(Price::bulk_upsert(conn, &prices)).unwrap(), 3);
            assert_eq!(
                rows(conn),
                [row(-2, "eu", 30, None), row(1, "eu", 10, None), row(1, "us", 20, Some("n"))]
            );
            let prices = [
                price(1, "us", 21, None),
                price(2, "eu", 40, None),
                price(-2, "eu", 31, Some("kept")),
                price(2, "eu", 41, None),
            ];
            assert_eq!(wait(Price::bulk_upsert(conn, &prices)).unwrap(), 4);
            assert_eq!(
                rows(conn),
                [
                    row(-2, "eu", 31, None),
                    row(1, "eu", 10, None),
                    row(1, "us", 21, Some("n")),
                    row(2, "eu", 41, None),
                ]
            );
        }
    }
}

mod nullable_keys {
    use super::*;

    diesel::table! {
        contacts (name) {
            email -> Nullable<Text>,
            name -> Text,
            region -> Integer,
            visits -> Integer,
        }
    }

    type Row = (Option<String>, String, i32, i32);

    fn row(email: Option<&str>, name: &str, region: i32, visits: i32) -> Row {
        (email.map(str::to_owned), name.to_owned(), region, visits)
    }

    #[derive(Upsertable)]
    #[diesel(table_name = contacts)]
    struct Contact {
        #[conflict_key(nullable)]
        email: Option<&'static str>,
        #[on_conflict(update)]
        name: &'static str,
        #[conflict_key]
        region: i32,
        visits: i32,
    }

    fn contact(email: Option<&'static str>, name: &'static str, region: i32) -> Contact {
        Contact {
            email,
            name,
            region,
            visits: 1,
        }
    }

    #[derive(Upsertable)]
    #[diesel(table_name = contacts)]
    #[upsert(do_nothing)]
    struct NewContact {
        #[conflict_key(nullable)]
        email: Option<String>,
        name: String,
        #[conflict_key]
        region: i32,
        visits: i32,
    }

    on_every_database! {
        shared {
            fn rows(conn: &mut Conn) -> Vec<Row> {
                contacts::table.order(contacts::name).load(conn).unwrap()
            }
        }

        #[test]
        fn rows_with_null_are_always_inserted(database) {
            database.run(
                "CREATE TABLE contacts (email VARCHAR(40), name VARCHAR(40) NOT NULL, \
                 region INTEGER NOT NULL, visits INTEGER NOT NULL, UNIQUE (email, region))",
            );
            let conn = &mut database.conn;
            let contacts = [
                contact(None, "a", 1),
                contact(Some("x"), "b", 1),
                contact(None, "c", 1),
                contact(Some("x"), "d", 2),
            ];
            assert_eq!(wait(Contact::bulk_upsert(conn, &contacts)).unwrap(), 4);
            assert_eq!(
                rows(conn),
                [
                    row(None, "a", 1, 1),
                    row(Some("x"), "b", 1, 1),
                    row(None, "c", 1, 1),
                    row(Some("x"), "d", 2, 1),
                ]
            );
            diesel::update(contacts::table).set(contacts::visits.eq(9)).execute(conn).unwrap();
            let contacts = [
                contact(None, "e", 1),
                contact(Some("x"), "f", 1),
                contact(None, "g", 1),
                contact(Some("x"), "h", 1),
            ];
            assert_eq!(wait(Contact::bulk_upsert(conn, &contacts)).unwrap(), 4);
            let new = |email: Option<&str>, name: &str| NewContact {
                email: email.map(str::to_owned),
                name: name.to_owned(),
                region: 2,
                visits: 1,
            };
            let contacts = [new(None, "i"), new(Some("x"), "j"), new(None, "k")];
            assert_eq!(wait(NewContact::bulk_upsert(conn, &contacts)).unwrap(), 2);
            assert_eq!(
                rows(conn),
                [
                    row(None, "a", 1, 9),
                    row(None, "c", 1, 9),
                    row(Some("x"), "d", 2, 9),
                    row(None, "e", 1, 1),
                    row(None, "g", 1, 1),
                    row(Some("x"), "h", 1, 9),
                    row(None, "i", 2, 1),
                    row(None, "k", 2, 1),
                ]
            );
        }
    }
}

/// Names that have to be quoted.
mod names {
    use diesel::connection::SimpleConnection;

    use super::*;
    use crate::support::System;

    diesel::table! {
        kinds (r#type) {
            r#type -> Text,
            r#match -> Integer,
            r#gen -> Nullable<Text>,
        }
    }

    #[derive(Upsertable)]
    #[diesel(table_name = kinds)]
    struct Kind<'r#fn> {
        #[conflict_key]
        r#type: &'r#fn str,
        #[on_conflict(update)]
        r#match: i32,
        r#gen: Option<&'r#fn str>,
    }

    diesel::table! {
        #[sql_name = "Order \"Items\" `Größe`, select"]
        odd_items (order) {
            #[sql_name = "Primary \"Key\""]
            order -> Integer,
            #[sql_name = "na`me"]
            name -> Text,
            #[sql_name = "values"]
            sum -> Integer,
            #[sql_name = "a.b; -- $1 ?"]
            note -> Nullable<Text>,
        }
    }

    #[derive(Upsertable)]
    #[diesel(table_name = odd_items)]
    struct OddItem<'a> {
        #[conflict_key]
        order: i32,
        #[on_conflict(update)]
        name: &'a str,
        sum: i32,
        #[on_conflict(update)]
        note: Option<&'a str>,
    }

    // The name's own quotes stand beside those that quote it.
    diesel::table! {
        #[sql_name = "`\"items\"`"]
        quoted_items (id) {
            #[sql_name = "`\"id\"`"]
            id -> Integer,
            #[sql_name = "\"`name`\""]
            name -> Text,
        }
    }

    #[derive(Upsertable)]
    #[diesel(table_name = quoted_items)]
    #[upsert(update_all)]
    struct QuotedItem<'a> {
        id: i32,
        name: &'a str,
    }

    diesel::table! {
        upsert_shapes.goods (sku) {
            sku -> Text,
            name -> Text,
            stock -> Integer,
        }
    }

    #[derive(Upsertable)]
    #[diesel(table_name = goods)]
    struct Good<'a> {
        #[conflict_key]
        sku: &'a str,
        #[on_conflict(update)]
        name: &'a str,
        stock: i32,
    }

    fn quote(system: System, name: &str) -> String {
        match system {
            #[cfg(feature = "postgres")]
            System::Postgres => format!("\"{}\"", name.replace('"', "\"\"")),
            _ => format!("`{}`", name.replace('`', "``")),
        }
    }

    fn create(system: System, table: &str, columns: &[(&str, &str)]) -> String {
        let columns: Vec<_> = columns
            .iter()
            .map(|(name, definition)| format!("{} {definition}", quote(system, name)))
            .collect();
        format!(
            "CREATE TABLE {} ({})",
            quote(system, table),
            columns.join(", ")
        )
    }

    const CREATE_GOODS: &str = "(sku VARCHAR(20) NOT NULL PRIMARY KEY, \
         name VARCHAR(20) NOT NULL, stock INTEGER NOT NULL)";

    on_every_database! {
        shared {
            /// The schema `upsert_shapes`, which nobody else has at the time.
            struct Schema(Conn);

            impl Schema {
                fn create(database: &mut system::TestDatabase) -> Self {
                    let mut conn = database.connect();
                    match system::SYSTEM {
                        System::Sqlite => database.run("ATTACH ':memory:' AS upsert_shapes"),
                        #[cfg(feature = "postgres")]
                        System::Postgres => conn
                            .batch_execute(
                                "SELECT pg_advisory_lock(7811); \
                                 SET client_min_messages = warning; \
                                 DROP SCHEMA IF EXISTS upsert_shapes CASCADE; \
                                 CREATE SCHEMA upsert_shapes",
                            )
                            .unwrap(),
                        #[cfg(feature = "mysql")]
                        System::Mysql => conn
                            .batch_execute(
                                "DO GET_LOCK('upsert_shapes', 60); \
                                 DROP DATABASE IF EXISTS upsert_shapes; \
                                 CREATE DATABASE upsert_shapes CHARACTER SET utf8mb4",
                            )
                            .unwrap(),
                    }
                    Self(conn)
                }
            }

            impl Drop for Schema {
                fn drop(&mut self) {
                    let sql = match system::SYSTEM {
                        System::Sqlite => return,
                        #[cfg(feature = "postgres")]
                        System::Postgres => "DROP SCHEMA upsert_shapes CASCADE",
                        #[cfg(feature = "mysql")]
                        System::Mysql => "DROP DATABASE upsert_shapes",
                    };
                    let _ = self.0.batch_execute(sql);
                }
            }
        }

        #[test]
        fn raw_identifiers(database) {
            database.run(&create(
                system::SYSTEM,
                "kinds",
                &[
                    ("type", "VARCHAR(20) NOT NULL PRIMARY KEY"),
                    ("match", "INTEGER NOT NULL"),
                    ("gen", "VARCHAR(20)"),
                ],
            ));
            let conn = &mut database.conn;
            let kind = |r#type, r#match, r#gen| Kind { r#type, r#match, r#gen };
            let kinds = [kind("a", 1, Some("x")), kind("b", 2, None)];
            assert_eq!(wait(Kind::bulk_upsert(conn, &kinds)).unwrap(), 2);
            let kinds = [kind("a", 3, None), kind("c", 4, None)];
            assert_eq!(wait(Kind::bulk_upsert(conn, &kinds)).unwrap(), 2);
            let rows: Vec<(String, i32, Option<String>)> =
                kinds::table.order(kinds::r#type).load(conn).unwrap();
            assert_eq!(
                rows,
                [
                    ("a".to_owned(), 3, Some("x".to_owned())),
                    ("b".to_owned(), 2, None),
                    ("c".to_owned(), 4, None),
                ]
            );
        }

        #[test]
        fn names_that_are_no_words(database) {
            database.run(&create(
                system::SYSTEM,
                "Order \"Items\" `Größe`, select",
                &[
                    ("Primary \"Key\"", "INTEGER NOT NULL PRIMARY KEY"),
                    ("na`me", "VARCHAR(20) NOT NULL"),
                    ("values", "INTEGER NOT NULL"),
                    ("a.b; -- $1 ?", "VARCHAR(20)"),
                ],
            ));
            let conn = &mut database.conn;
            let item = |order, name, sum, note| OddItem { order, name, sum, note };
            let items = [item(1, "a", 10, Some("n")), item(2, "b", 20, None)];
            assert_eq!(wait(OddItem::bulk_upsert(conn, &items)).unwrap(), 2);
            let items = [item(3, "c", 30, None), item(1, "aa", 11, None)];
            assert_eq!(wait(OddItem::bulk_upsert(conn, &items)).unwrap(), 2);
            let rows: Vec<(i32, String, i32, Option<String>)> =
                odd_items::table.order(odd_items::order).load(conn).unwrap();
            assert_eq!(
                rows,
                [
                    (1, "aa".to_owned(), 10, None),
                    (2, "b".to_owned(), 20, None),
                    (3, "c".to_owned(), 30, None),
                ]
            );
        }

        #[test]
        fn names_that_begin_and_end_with_quotes(database) {
            database.run(&create(
                system::SYSTEM,
                "`\"items\"`",
                &[
                    ("`\"id\"`", "INTEGER NOT NULL PRIMARY KEY"),
                    ("\"`name`\"", "VARCHAR(20) NOT NULL"),
                ],
            ));
            let conn = &mut database.conn;
            let item = |id, name| QuotedItem { id, name };
            let items = [item(1, "a"), item(2, "b")];
            assert_eq!(wait(QuotedItem::bulk_upsert(conn, items)).unwrap(), 2);
            let items = [item(2, "bb"), item(3, "c")];
            assert_eq!(wait(QuotedItem::bulk_upsert(conn, items)).unwrap(), 2);
            let rows: Vec<(i32, String)> =
                quoted_items::table.order(quoted_items::id).load(conn).unwrap();
            assert_eq!(
                rows,
                [(1, "a".to_owned()), (2, "bb".to_owned()), (3, "c".to_owned())]
            );
        }

        /// A table's name says nothing about its quotes, so the lookup of its
        /// unique index has to find it.
        #[test]
        fn a_missing_index_is_found_out_whatever_the_names(database) {
            database.run(&create(
                system::SYSTEM,
                "`\"items\"`",
                &[
                    ("`\"id\"`", "INTEGER NOT NULL"),
                    ("\"`name`\"", "VARCHAR(20) NOT NULL"),
                ],
            ));
            let conn = &mut database.conn;
            let error = wait(QuotedItem { id: 1, name: "a" }.upsert(conn)).unwrap_err();
            assert!(
                matches!(error, upsert_core::Error::NoUniqueIndex { .. }),
                "{error:?}"
            );
            assert_eq!(quoted_items::table.count().get_result::<i64>(conn).unwrap(), 0);
        }

        #[test]
        fn a_table_in_a_schema(database) {
            let schema = Schema::create(&mut database);
            database.run(&format!("CREATE TABLE upsert_shapes.goods {CREATE_GOODS}"));
            // One of that name that is not meant, and has no unique index.
            database.run("CREATE TABLE goods (sku VARCHAR(20), name VARCHAR(20), stock INTEGER)");
            let conn = &mut database.conn;
            let good = |sku, name, stock| Good { sku, name, stock };
            let goods = [good("a", "A", 1), good("b", "B", 2)];
            assert_eq!(wait(Good::bulk_upsert(conn, &goods)).unwrap(), 2);
            let goods = [good("b", "B1", 3), good("c", "C", 4), good("b", "B2", 5)];
            assert_eq!(wait(Good::bulk_upsert(conn, &goods)).unwrap(), 3);
            let rows: Vec<(String, String, i32)> =
                goods::table.order(goods::sku).load(conn).unwrap();
            assert_eq!(
                rows,
                [
                    ("a".to_owned(), "A".to_owned(), 1),
                    ("b".to_owned(), "B2".to_owned(), 2),
                    ("c".to_owned(), "C".to_owned(), 4),
                ]
            );
            drop(schema);
        }
    }
}

/// The types that every database has.
mod types {
    use chrono::{NaiveDate, NaiveDateTime};

    use super::*;
    use crate::support::System;

    diesel::table! {
        numbers (id) {
            id -> BigInt,
            flag -> Bool,
            small -> SmallInt,
            single -> Float,
            precise -> Double,
            bytes -> Nullable<Binary>,
        }
    }

    type Number = (i64, bool, i16, f32, f64, Option<Vec<u8>>);

    #[derive(Upsertable)]
    #[diesel(table_name = numbers)]
    #[upsert(update_all)]
    struct Numbers<'a> {
        #[conflict_key]
        id: i64,
        flag: bool,
        small: i16,
        single: f32,
        precise: f64,
        bytes: Option<&'a [u8]>,
    }

    impl<'a> From<&'a Number> for Numbers<'a> {
        fn from((id, flag, small, single, precise, bytes): &'a Number) -> Self {
            Self {
                id: *id,
                flag: *flag,
                small: *small,
                single: *single,
                precise: *precise,
                bytes: bytes.as_deref(),
            }
        }
    }

    diesel::table! {
        flags (flag) {
            flag -> Bool,
            count -> BigInt,
        }
    }

    #[derive(Upsertable)]
    #[diesel(table_name = flags)]
    #[upsert(update_all)]
    struct Flag {
        flag: bool,
        count: i64,
    }

    diesel::table! {
        blobs (code) {
            code -> Binary,
            value -> Integer,
        }
    }

    #[derive(Upsertable)]
    #[diesel(table_name = blobs)]
    #[upsert(update_all)]
    struct Blob<K> {
        code: K,
        value: i32,
    }

    #[derive(Upsertable)]
    #[diesel(table_name = blobs)]
    #[upsert(update_all)]
    struct Array<const N: usize> {
        #[diesel(column_name = code)]
        array: [u8; N],
        value: i32,
    }

    diesel::table! {
        events (at) {
            at -> Timestamp,
            name -> Text,
        }
    }

    #[derive(Upsertable)]
    #[diesel(table_name = events)]
    #[upsert(update_all)]
    struct Event {
        #[conflict_key]
        at: NaiveDateTime,
        name: &'static str,
    }

    diesel::table! {
        days (day) {
            day -> Date,
            seen -> Nullable<Timestamp>,
        }
    }

    #[derive(Upsertable)]
    #[diesel(table_name = days)]
    #[upsert(update_all)]
    struct Day {
        day: NaiveDate,
        seen: Option<NaiveDateTime>,
    }

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 2, day).unwrap()
    }

    fn time(second: u32, nanosecond: u32) -> NaiveDateTime {
        day(28)
            .and_hms_nano_opt(23, 59, second, nanosecond)
            .unwrap()
    }

    on_every_database! {
        shared {
            /// The words for a type that databases call differently.
            fn words(sql: &str) -> String {
                let [bytes, key, single, double, time] = match system::SYSTEM {
                    System::Sqlite => ["BLOB", "BLOB", "REAL", "DOUBLE", "TIMESTAMP"],
                    #[cfg(feature = "postgres")]
                    System::Postgres => {
                        ["BYTEA", "BYTEA", "REAL", "DOUBLE PRECISION", "TIMESTAMP"]
                    }
                    #[cfg(feature = "mysql")]
                    System::Mysql => ["BLOB", "VARBINARY(16)", "FLOAT", "DOUBLE", "DATETIME(6)"],
                };
                sql.replace("{bytes}", bytes)
                    .replace("{key}", key)
                    .replace("{single}", single)
                    .replace("{double}", double)
                    .replace("{time}", time)
            }
        }

        #[test]
        fn numbers_at_their_limits(database) {
            database.run(&words(
                "CREATE TABLE numbers (id BIGINT NOT NULL PRIMARY KEY, flag BOOLEAN NOT NULL, \
                 small SMALLINT NOT NULL, single {single} NOT NULL, precise {double} NOT NULL, \
                 bytes {bytes})",
            ));
            let conn = &mut database.conn;
            let mut rows: Vec<Number> = vec![
                (i64::MIN, true, i16::MIN, f32::MIN, f64::MIN, Some(vec![])),
                (-1, false, -1, -0.1, -0.1, Some(vec![0, 255, 0])),
                (0, true, 0, 0.0, 0.0, None),
                (1, false, 1, f32::MIN_POSITIVE, f64::MIN_POSITIVE, Some(b"'\"\\".to_vec())),
                (i64::MAX, true, i16::MAX, f32::MAX, f64::MAX, Some((0..=255).collect())),
            ];
            let models: Vec<_> = rows.iter().map(Numbers::from).collect();
            assert_eq!(wait(Numbers::bulk_upsert(conn, &models)).unwrap(), 5);
            let all = numbers::table.order(numbers::id);
            assert_eq!(all.load::<Number>(conn).unwrap(), rows);
            // Each has the values of its opposite.
            for row in &mut rows {
                row.1 = !row.1;
            }
            let (first, last) = rows.split_at_mut(2);
            for (a, b) in first.iter_mut().zip(last.iter_mut().rev()) {
                std::mem::swap(&mut a.2, &mut b.2);
                std::mem::swap(&mut a.3, &mut b.3);
                std::mem::swap(&mut a.4, &mut b.4);
                std::mem::swap(&mut a.5, &mut b.5);
            }
            rows.push((i64::MAX - 1, false, 2, 16_777_216.0, 0.1 + 0.2, None));
            let models: Vec<_> = rows.iter().map(Numbers::from).collect();
            assert_eq!(wait(Numbers::bulk_upsert(conn, &models)).unwrap(), 6);
            rows.sort_by_key(|row| row.0);
            assert_eq!(all.load::<Number>(conn).unwrap(), rows);
        }

        #[test]
        fn booleans_as_keys(database) {
            database.run(
                "CREATE TABLE flags (flag BOOLEAN NOT NULL PRIMARY KEY, count BIGINT NOT NULL)",
            );
            let conn = &mut database.conn;
            let models = [Flag { flag: true, count: i64::MAX }];
            assert_eq!(wait(Flag::bulk_upsert(conn, models)).unwrap(), 1);
            let flag = |flag, count| Flag { flag, count };
            let models = [flag(true, 1), flag(false, 2), flag(true, i64::MIN)];
            assert_eq!(wait(Flag::bulk_upsert(conn, models)).unwrap(), 3);
            let rows: Vec<(bool, i64)> = flags::table.order(flags::flag).load(conn).unwrap();
            assert_eq!(rows, [(false, 2), (true, i64::MIN)]);
        }

        #[test]
        fn bytes_as_keys(database) {
            database.run(&words(
                "CREATE TABLE blobs (code {key} NOT NULL PRIMARY KEY, value INTEGER NOT NULL)",
            ));
            let conn = &mut database.conn;
            let codes: [&[u8]; 9] =
                [b"", b"\0", b"\0\0", b"\0\x01", b"A", b"A ", b"a", b"a\0", b"\xff\xfe"];
            let blobs = (0..).zip(codes).map(|(value, code)| Blob { code, value });
            assert_eq!(wait(Blob::bulk_upsert(conn, blobs)).unwrap(), 9);
            let all = blobs::table.order(blobs::code);
            let mut expected: Vec<_> = codes.map(<[u8]>::to_vec).into_iter().zip(0..).collect();
            assert_eq!(all.load::<(Vec<u8>, i32)>(conn).unwrap(), expected);
            // The same keys in other types, the last one first, and one of them twice.
            for (_, value) in &mut expected {
                *value += 10;
            }
            let blobs = expected.iter().rev();
            let blobs = blobs.map(|(code, value)| Blob { code: code.clone(), value: *value });
            assert_eq!(wait(Blob::bulk_upsert(conn, blobs)).unwrap(), 9);
            let array = |array, value| Array { array, value };
            let arrays = [array([0, 1], 20), array([9, 9], 21), array([0, 1], 22)];
            assert_eq!(wait(Array::bulk_upsert(conn, arrays)).unwrap(), 3);
            expected[3].1 = 22;
            expected.insert(4, (vec![9, 9], 21));
            assert_eq!(all.load::<(Vec<u8>, i32)>(conn).unwrap(), expected);
        }

        #[test]
        fn times_as_keys(database) {
            database.run(&words(
                "CREATE TABLE events (at {time} NOT NULL PRIMARY KEY, name VARCHAR(20) NOT NULL)",
            ));
            let conn = &mut database.conn;
            let event = |at, name| Event { at, name };
            let events = [
                event(time(1, 0), "a"),
                event(time(0, 123_456_000), "b"),
                event(time(0, 123_457_000), "c"),
            ];
            assert_eq!(wait(Event::bulk_upsert(conn, &events)).unwrap(), 3);
            let all = events::table.order(events::at);
            assert_eq!(
                all.load::<(NaiveDateTime, String)>(conn).unwrap(),
                [
                    (time(0, 123_456_000), "b".to_owned()),
                    (time(0, 123_457_000), "c".to_owned()),
                    (time(1, 0), "a".to_owned()),
                ]
            );
            let events = [event(time(0, 123_457_000), "d"), event(time(2, 0), "e")];
            assert_eq!(wait(Event::bulk_upsert(conn, &events)).unwrap(), 2);
            assert_eq!(
                all.load::<(NaiveDateTime, String)>(conn).unwrap(),
                [
                    (time(0, 123_456_000), "b".to_owned()),
                    (time(0, 123_457_000), "d".to_owned()),
                    (time(1, 0), "a".to_owned()),
                    (time(2, 0), "e".to_owned()),
                ]
            );
        }

        /// Servers have microseconds: what differs in nanoseconds is one key.
        #[test]
        fn times_that_differ_in_nanoseconds(database) {
            database.run(&words(
                "CREATE TABLE events (at {time} NOT NULL PRIMARY KEY, name VARCHAR(20) NOT NULL)",
            ));
            let conn = &mut database.conn;
            let event = |at, name| Event { at, name };
            let events = [
                event(time(0, 123_456_100), "a"),
                event(time(0, 123_456_200), "b"),
                event(time(0, 123_456_000), "c"),
            ];
            assert_eq!(wait(Event::bulk_upsert(conn, &events)).unwrap(), 3);
            let kept = if system::SYSTEM == System::Sqlite {
                vec![
                    (time(0, 123_456_000), "c".to_owned()),
                    (time(0, 123_456_100), "a".to_owned()),
                    (time(0, 123_456_200), "b".to_owned()),
                ]
            } else {
                vec![(time(0, 123_456_000), "c".to_owned())]
            };
            let all = events::table.order(events::at);
            assert_eq!(all.load::<(NaiveDateTime, String)>(conn).unwrap(), kept);
            assert_eq!(wait(event(time(0, 123_456_200), "d").upsert(conn)).unwrap(), 1);
            let mut updated = kept;
            updated.last_mut().unwrap().1 = "d".to_owned();
            assert_eq!(all.load::<(NaiveDateTime, String)>(conn).unwrap(), updated);
        }

        #[test]
        fn dates_as_keys(database) {
            database.run(&words("CREATE TABLE days (day DATE NOT NULL PRIMARY KEY, seen {time})"));
            let conn = &mut database.conn;
            let seen = time(5, 6_000);
            let ancient = NaiveDate::from_ymd_opt(1000, 1, 1).unwrap();
            let future = NaiveDate::from_ymd_opt(9999, 12, 31).unwrap();
            let model = |day, seen| Day { day, seen };
            let models = [model(day(2), None), model(ancient, Some(seen)), model(day(1), None)];
            assert_eq!(wait(Day::bulk_upsert(conn, &models)).unwrap(), 3);
            let all = days::table.order(days::day);
            assert_eq!(
                all.load::<(NaiveDate, Option<NaiveDateTime>)>(conn).unwrap(),
                [(ancient, Some(seen)), (day(1), None), (day(2), None)]
            );
            let models = [
                model(future, None),
                model(day(2), Some(seen)),
                model(ancient, None),
                model(future, Some(seen)),
            ];
            assert_eq!(wait(Day::bulk_upsert(conn, &models)).unwrap(), 4);
            assert_eq!(
                all.load::<(NaiveDate, Option<NaiveDateTime>)>(conn).unwrap(),
                [(ancient, None), (day(1), None), (day(2), Some(seen)), (future, Some(seen))]
            );
        }
    }
}

/// Tables with many columns.
macro_rules! wide_table {
    ($module:ident: $($column:ident)*) => {
        mod $module {
            use super::*;

            diesel::table! {
                wide (id) {
                    id -> Integer,
                    $($column -> Integer,)*
                }
            }

            #[derive(Debug, Clone, PartialEq, Queryable, Upsertable)]
            #[diesel(table_name = wide)]
            #[upsert(update_all)]
            struct Wide {
                id: i32,
                $($column: i32,)*
            }

            /// A row with a number of its own in each column.
            fn wide(id: i32, first: i32) -> Wide {
                let mut numbers = first..;
                Wide {
                    id,
                    $($column: numbers.next().unwrap(),)*
                }
            }

            on_every_database! {
                #[test]
                fn all_columns_are_written(database) {
                    let columns = [$(stringify!($column)),*];
                    let columns = columns.map(|column| format!("{column} INTEGER NOT NULL"));
                    let columns = columns.join(", ");
                    database.run(&format!(
                        "CREATE TABLE wide (id INTEGER NOT NULL PRIMARY KEY, {columns})"
                    ));
                    let conn = &mut database.conn;
                    let rows = [wide(1, 100), wide(2, 200)];
                    assert_eq!(wait(Wide::bulk_upsert(conn, &rows)).unwrap(), 2);
                    let all = wide::table.order(wide::id);
                    assert_eq!(all.load::<Wide>(conn).unwrap(), rows);
                    let rows = [wide(2, 300), wide(3, 400), wide(3, 500)];
                    assert_eq!(wait(Wide::bulk_upsert(conn, &rows)).unwrap(), 3);
                    assert_eq!(
                        all.load::<Wide>(conn).unwrap(),
                        [wide(1, 100), wide(2, 300), wide(3, 500)]
                    );
                }
            }
        }
    };
}

wide_table!(columns_32:
    c01 c02 c03 c04 c05 c06 c07 c08 c09 c10 c11 c12 c13 c14 c15 c16
    c17 c18 c19 c20 c21 c22 c23 c24 c25 c26 c27 c28 c29 c30 c31
);

wide_table!(columns_64:
    c01 c02 c03 c04 c05 c06 c07 c08 c09 c10 c11 c12 c13 c14 c15 c16
    c17 c18 c19 c20 c21 c22 c23 c24 c25 c26 c27 c28 c29 c30 c31 c32
    c33 c34 c35 c36 c37 c38 c39 c40 c41 c42 c43 c44 c45 c46 c47 c48
    c49 c50 c51 c52 c53 c54 c55 c56 c57 c58 c59 c60 c61 c62 c63
);

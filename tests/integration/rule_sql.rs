//! The SQL of every rule, guard and target.
//!
//! What stock diesel can write is written by it too, and has to be the same
//! byte for byte. It differs where stock diesel would be wrong:
//!
//! - `add` on a nullable column: a NULL would make the sum NULL.
//! - `add` on SQLite: an overflow would become a floating point number.
//! - `skip_unchanged`: `IS DISTINCT FROM` has no `json`, and holds equal what a
//!   collation holds equal.
//! - a value in an index predicate is a literal, not a parameter.
//!
//! The documentation's table of the SQL is compared with what is sent.

use diesel::debug_query;
use diesel::dsl::now;
use diesel::mysql::Mysql;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_dsl::methods::FilterDsl;
use diesel::sqlite::Sqlite;
use diesel::upsert::DecoratableTarget;
use upsert_core::{Upsertable, excluded, literal, on_constraint, rule, upsert};

diesel::table! {
    t (k) {
        k -> Integer,
        c -> BigInt,
        n -> Nullable<BigInt>,
        s -> Text,
        u -> Timestamp,
    }
}

#[derive(Insertable, Upsertable)]
#[diesel(table_name = t, treat_none_as_default_value = false)]
struct Row {
    k: i32,
    #[on_conflict(update)]
    c: i64,
    n: Option<i64>,
    s: &'static str,
}

const ROW: Row = Row {
    k: 1,
    c: 2,
    n: None,
    s: "x",
};

/// The statement of a call, by its options.
macro_rules! ours {
    ($db:ty, $($option:tt)*) => {
        debug_query::<$db, _>(&upsert([&ROW])$($option)*.statement::<$db>().unwrap()).to_string()
    };
}

/// The statement by stock diesel.
macro_rules! stock {
    ($db:ty, $($clause:tt)*) => {
        debug_query::<$db, _>(&diesel::insert_into(t::table).values(&ROW)$($clause)*).to_string()
    };
}

macro_rules! same_as_stock_on {
    ($($module:ident: $db:ty,)*) => {$(
        mod $module {
            use super::*;
            use diesel::upsert::excluded as new;

            #[test]
            fn an_expression() {
                assert_eq!(
                    ours!($db, .set(t::c, t::c + excluded(t::c))),
                    stock!($db, .on_conflict(t::k).do_update().set(t::c.eq(t::c + new(t::c)))),
                );
                assert_eq!(
                    ours!($db, .rule(t::c, rule::Keep).set(t::s, "it's")),
                    stock!($db, .on_conflict(t::k).do_update().set(t::s.eq("it's"))),
                );
                // A column that the model does not have.
                assert_eq!(
                    ours!($db, .set(t::u, now)),
                    stock!($db, .on_conflict(t::k).do_update().set((t::c.eq(new(t::c)), t::u.eq(now)))),
                );
            }

            #[test]
            fn a_guard() {
                assert_eq!(
                    ours!($db, .update_if(t::c.lt(excluded(t::c)).or(t::s.eq("x")))),
                    stock!($db, .on_conflict(t::k).do_update().set(t::c.eq(new(t::c)))
                        .filter(t::c.lt(new(t::c)).or(t::s.eq("x")))),
                );
                let newer = Newer { k: 1, c: 2 };
                let newer = upsert([&newer]).statement::<$db>().unwrap();
                let stock = Newer { k: 1, c: 2 };
                assert_eq!(
                    debug_query::<$db, _>(&newer).to_string(),
                    debug_query::<$db, _>(
                        &diesel::insert_into(t::table).values(&stock).on_conflict(t::k)
                            .do_update().set(t::c.eq(new(t::c))).filter(t::c.lt(new(t::c)))
                    ).to_string(),
                );
            }

            #[test]
            fn another_target() {
                assert_eq!(
                    ours!($db, .on_conflict((t::s, t::n))),
                    stock!($db, .on_conflict((t::s, t::n)).do_update().set(t::c.eq(new(t::c)))),
                );
                assert_eq!(
                    ours!($db, .do_nothing()),
                    stock!($db, .on_conflict(t::k).do_nothing()),
                );
            }
        }
    )*};
}

same_as_stock_on! {
    on_sqlite: Sqlite,
    on_postgres: Pg,
}

#[derive(Insertable, Upsertable)]
#[diesel(table_name = t, treat_none_as_default_value = false)]
#[upsert(newer_by = c)]
struct Newer {
    k: i32,
    #[on_conflict(update)]
    c: i64,
}

#[test]
fn what_stock_diesel_has_only_on_postgres() {
    use diesel::upsert::excluded as new;
    assert_eq!(
        ours!(Pg, .rule(t::c, rule::Add)),
        stock!(Pg, .on_conflict(t::k).do_update().set(t::c.eq(t::c + new(t::c)))),
    );
    assert_eq!(
        ours!(Pg, .on_conflict(on_constraint("t_\"k\""))),
        stock!(Pg, .on_conflict(diesel::upsert::on_constraint("t_\"k\"")).do_update()
            .set(t::c.eq(new(t::c)))),
    );
    assert_eq!(
        ours!(Pg, .on_conflict(t::n).filter_target(t::n.is_not_null())),
        stock!(Pg, .on_conflict(t::n).filter_target(t::n.is_not_null()).do_update()
            .set(t::c.eq(new(t::c)))),
    );
}

/// The rows of a query.
#[test]
fn a_query() {
    use diesel::upsert::excluded as new;
    diesel::table! { other (k) { k -> Integer, c -> BigInt, } }
    let query = || QueryDsl::filter(other::table, other::c.gt(5)).select((other::k, other::c));
    assert_eq!(
        debug_query::<Pg, _>(&Newer::upsert_from(query()).statement::<Pg>().unwrap()).to_string(),
        debug_query::<Pg, _>(
            &query()
                .insert_into(t::table)
                .into_columns((t::k, t::c))
                .on_conflict(t::k)
                .do_update()
                .set(t::c.eq(new(t::c)))
                .filter(t::c.lt(new(t::c)))
        )
        .to_string(),
    );
}

/// The rule or guard, and what stands behind the conflict target on PostgreSQL,
/// SQLite and MySQL.
type Line = (&'static str, [String; 3]);

/// One line of the table.
macro_rules! line {
    ($name:literal, $rows:expr, $($option:tt)*) => {
        ($name, [
            clause(&debug_query::<Pg, _>(&upsert($rows)$($option)*.statement::<Pg>().unwrap()).to_string()),
            clause(&debug_query::<Sqlite, _>(&upsert($rows)$($option)*.statement::<Sqlite>().unwrap()).to_string()),
            clause(&debug_query::<Mysql, _>(&upsert($rows)$($option)*.statement::<Mysql>().unwrap()).to_string()),
        ])
    };
}

/// A model that says nothing but its rule.
macro_rules! model {
    ($name:ident $(#[$meta:meta])* $column:ident: $ty:ty, $value:expr, $(#[$field:meta])*) => {{
        #[derive(Upsertable)]
        #[diesel(table_name = t)]
        $(#[$meta])*
        struct $name {
            k: i32,
            $(#[$field])*
            $column: $ty,
        }
        || [$name { k: 1, $column: $value }]
    }};
}

fn lines() -> Vec<Line> {
    let update = model!(Update c: i64, 1, #[on_conflict(update)]);
    let add = model!(Add c: i64, 1, #[on_conflict(add)]);
    let add_null = model!(AddNull n: Option<i64>, None, #[on_conflict(add)]);
    let max = model!(Max c: i64, 1, #[on_conflict(max)]);
    let max_null = model!(MaxNull n: Option<i64>, None, #[on_conflict(max)]);
    let min = model!(Min c: i64, 1, #[on_conflict(min)]);
    let coalesce = model!(Coalesce n: Option<i64>, None, #[on_conflict(coalesce)]);
    let fill = model!(Fill n: Option<i64>, None, #[on_conflict(fill)]);
    let set = model!(Set c: i64, 1, #[on_conflict(set = c * 2 + excluded(c))]);
    let touch = model!(Touch #[upsert(touch(u = now))] c: i64, 1, #[on_conflict(update)]);
    let update_if =
        model!(UpdateIf #[upsert(update_if = s.ne("x"))] c: i64, 1, #[on_conflict(update)]);
    let newer = model!(NewerBy #[upsert(newer_by = c)] c: i64, 1, #[on_conflict(update)]);
    let newer_null =
        model!(NewerNull #[upsert(newer_by = n)] n: Option<i64>, None, #[on_conflict(update)]);
    let not_older = model!(NotOlder #[upsert(not_older_by = c)] c: i64, 1, #[on_conflict(update)]);
    let skip = model!(Skip #[upsert(skip_unchanged)] s: &'static str, "", #[on_conflict(update)]);
    let nothing = model!(Nothing #[upsert(do_nothing)] c: i64, 1,);
    vec![
        line!("`update`", update(),),
        line!("`add`", add(),),
        line!("`add`, column `n` is nullable", add_null(),),
        line!("`max`", max(),),
        line!("`max`, column `n` is nullable", max_null(),),
        line!("`min`", min(),),
        line!("`coalesce`", coalesce(),),
        line!("`fill`", fill(),),
        line!("`set = c * 2 + excluded(c)`", set(),),
        line!("`update`, and `touch(u = now)`", touch(),),
        line!("`update_if = s.ne(\"x\")`", update_if(),),
        line!("`newer_by = c`", newer(),),
        line!("`newer_by = n`, nullable", newer_null(),),
        line!("`not_older_by = c`", not_older(),),
        line!("`skip_unchanged`", skip(),),
        line!("`do_nothing`", nothing(),),
    ]
}

/// The first assignment on MySQL where it only guards the key; the documentation
/// shows it once.
const GUARD: &str = "`k` = IF(IF(`t`.`k` = VALUES(`k`), 0, EXP(710 + (`t`.`k` IS NULL))) IS NULL, \
                     `t`.`k`, `t`.`k`)";

/// What stands behind the conflict target.
fn clause(sql: &str) -> String {
    let (sql, _) = sql.split_once(" -- binds: ").unwrap();
    for start in [
        " ON CONFLICT (\"k\") ",
        " ON CONFLICT (`k`) ",
        " ON DUPLICATE KEY UPDATE ",
    ] {
        if let Some((_, clause)) = sql.split_once(start) {
            return clause.replace(GUARD, "`k` = ..");
        }
    }
    panic!("no conflict clause in {sql}");
}

fn table(lines: &[Line], database: usize) -> String {
    use std::fmt::Write;
    let mut table = String::from("| | SQL |\n|---|---|\n");
    for (name, clauses) in lines {
        let sql = &clauses[database];
        // Backticks in code take two around it.
        let sql = if sql.contains('`') {
            format!("`` {sql} ``")
        } else {
            format!("`{sql}`")
        };
        writeln!(table, "| {name} | {sql} |").unwrap();
    }
    table
}

/// `BLESS=1` writes the tables anew.
#[test]
fn the_documentation_shows_what_is_sent() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/upsert-core/src/rule.md");
    let written = std::fs::read_to_string(path).unwrap();
    let lines = lines();
    let mut expected = String::new();
    let mut rest = written.as_str();
    for (database, name) in ["PostgreSQL", "SQLite", "MySQL"].into_iter().enumerate() {
        let start = format!("<!-- {name} -->\n");
        let (before, after) = rest.split_once(&start).unwrap();
        let (_, after) = after.split_once("<!-- end -->").unwrap();
        expected += before;
        expected += &start;
        expected += &table(&lines, database);
        expected += "<!-- end -->";
        rest = after;
    }
    expected += rest;
    assert!(
        expected.contains(GUARD),
        "the documentation shows the guard"
    );
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, &expected).unwrap();
    }
    let differs = written.lines().zip(expected.lines()).find(|(a, b)| a != b);
    assert!(
        written == expected,
        "run the test with `BLESS=1`, and read the difference, which begins at {differs:#?}",
    );
}

#[derive(Upsertable)]
#[diesel(table_name = t)]
#[upsert(constraint = "t_key")]
struct ByConstraint {
    k: i32,
    #[on_conflict(update)]
    c: i64,
}

#[test]
fn targets() {
    use diesel::define_sql_function;
    use diesel::sql_types::Text;
    define_sql_function! { fn lower(text: Text) -> Text; }

    #[derive(Upsertable)]
    #[diesel(table_name = t)]
    #[upsert(target = (lower(s), c), target_where = c.gt(-5).and(t::s.ne("it's")))]
    struct ByLower {
        #[conflict_key]
        s: &'static str,
        #[conflict_key]
        c: i64,
        #[on_conflict(update)]
        k: i32,
    }
    let rows = [ByLower { s: "a", c: 1, k: 1 }];
    assert_eq!(
        debug_query::<Pg, _>(&upsert(&rows).statement::<Pg>().unwrap()).to_string(),
        "INSERT INTO \"t\" (\"s\", \"c\", \"k\") VALUES ($1, $2, $3) \
         ON CONFLICT ((lower(\"t\".\"s\")), (\"t\".\"c\")) \
         WHERE ((\"t\".\"c\" > -5) AND (\"t\".\"s\" != 'it''s')) \
         DO UPDATE SET \"k\" = excluded.\"k\" -- binds: [\"a\", 1, 1]",
    );
    assert_eq!(
        debug_query::<Sqlite, _>(&upsert(&rows).statement::<Sqlite>().unwrap()).to_string(),
        "INSERT INTO `t` (`s`, `c`, `k`) VALUES (?, ?, ?) \
         ON CONFLICT ((lower(`t`.`s`)), (`t`.`c`)) \
         WHERE ((`t`.`c` > -5) AND (`t`.`s` != 'it''s')) \
         DO UPDATE SET `k` = excluded.`k` -- binds: [\"a\", 1, 1]",
    );

    let rows = [ByConstraint { k: 1, c: 1 }];
    assert_eq!(
        debug_query::<Pg, _>(&upsert(&rows).statement::<Pg>().unwrap()).to_string(),
        "INSERT INTO \"t\" (\"k\", \"c\") VALUES ($1, $2) \
         ON CONFLICT ON CONSTRAINT \"t_key\" DO UPDATE SET \"c\" = excluded.\"c\" \
         -- binds: [1, 1]",
    );
}

/// A parameter would keep PostgreSQL from finding the index, from the sixth
/// execution on.
#[test]
fn a_predicate_has_no_parameters() {
    assert_eq!(
        ours!(Pg, .on_conflict(t::n).filter_target(t::n.gt(literal(0)).and(t::s.eq(literal("$1"))))),
        "INSERT INTO \"t\" (\"k\", \"c\", \"n\", \"s\") VALUES ($1, $2, $3, $4) \
         ON CONFLICT (\"n\") WHERE ((\"t\".\"n\" > 0) AND (\"t\".\"s\" = '$1')) \
         DO UPDATE SET \"c\" = excluded.\"c\" -- binds: [1, 2, None, \"x\"]",
    );
    let call = upsert([&ROW]).on_conflict(t::n).filter_target(t::n.gt(0));
    let error = call.statement::<Pg>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "upsert into `t`: the conflict target has a parameter, which keeps the database from finding the \
         index: write the value as `upsert_core::literal(..)`, or as a literal in the attribute",
    );
}

#[derive(Upsertable)]
#[diesel(table_name = t)]
struct Chain {
    k: i32,
    #[on_conflict(update)]
    c: i64,
    #[on_conflict(set = c.nullable())]
    n: Option<i64>,
}

/// MySQL runs assignments from left to right.
#[test]
fn each_assignment_reads_the_old_row_on_mysql() {
    let text = ours!(Mysql, .set(t::n, (t::n + 1).nullable()).set(t::c, t::c + excluded(t::c)).set(t::s, t::s.concat("x")));
    assert!(text.contains("`c` = (`t`.`c` + VALUES(`c`))"), "{text}");

    let rows = [Chain {
        k: 1,
        c: 2,
        n: None,
    }];
    let text = debug_query::<Mysql, _>(&upsert(&rows).statement::<Mysql>().unwrap()).to_string();
    let (n, c) = (
        text.find("`n` = `t`.`c`").unwrap(),
        text.find("`c` = VALUES(`c`)").unwrap(),
    );
    assert!(n < c, "{text}");

    // Each reads what the other writes.
    let call = upsert(&rows).set(t::c, t::n.assume_not_null());
    assert_eq!(
        call.statement::<Mysql>().unwrap_err().to_string(),
        "upsert into `t`: the expressions for `c`, `n` read each other's old values, but MySQL writes one \
         column after the other: let one of them be computed from `excluded(..)` alone",
    );
}

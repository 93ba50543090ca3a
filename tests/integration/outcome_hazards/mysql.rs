//! Tables of MySQL and MariaDB.

use std::io::Write;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use diesel::mysql::{Mysql, MysqlValue};
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::Numeric;

super::cases_on!(mysql);

keyed!(text: &'static str as [Text]);
keyed!(nullable: Option<&'static str> as [Nullable<Text>], conflict_key(nullable));
keyed!(tiny: i8 as [TinyInt]);
keyed!(small: u16 as [Unsigned<SmallInt>]);
keyed!(big: u64 as [Unsigned<BigInt>]);
keyed!(boolean: bool as [Bool]);
keyed!(bytes: &'static [u8] as [Binary]);
keyed!(datetime: NaiveDateTime as [Datetime]);
keyed!(timestamp: NaiveDateTime as [Timestamp]);
keyed!(date: NaiveDate as [Date]);
keyed!(time: NaiveTime as [Time]);
keyed!(single: f32 as [Float]);
keyed!(double: f64 as [Double]);
keyed!(decimal: Decimal as [Numeric]);

#[derive(Debug, Clone, Copy, diesel::expression::AsExpression, diesel::deserialize::FromSqlRow)]
#[diesel(sql_type = Numeric)]
pub(super) struct Decimal(&'static str);

impl ToSql<Numeric, Mysql> for Decimal {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Mysql>) -> serialize::Result {
        out.write_all(self.0.as_bytes())?;
        Ok(IsNull::No)
    }
}

impl diesel::deserialize::FromSql<Numeric, Mysql> for Decimal {
    fn from_sql(_: MysqlValue<'_>) -> diesel::deserialize::Result<Self> {
        Ok(Self("?"))
    }
}

const TEXT: &str = "CONVERT(CAST(k AS CHAR(60)) USING utf8mb4)";

fn created(key: &str, values: [&str; 2]) -> String {
    let [a, b] = values;
    format!(
        "DROP VIEW IF EXISTS items; DROP TABLE IF EXISTS items; \
         CREATE TABLE items (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, k {key}, v INT NOT NULL, \
         UNIQUE (k)); INSERT INTO items (k, v) VALUES ({a}, 1), ({b}, 5)"
    )
}

fn items(key: &str) -> String {
    created(key, ["'a'", "'b'"])
}

fn case<K: Clone>(
    name: &'static str,
    setup: impl Into<String>,
    how: How,
    input: &[(K, i32)],
) -> Case<K> {
    Case::new(name, setup, how, input).key(TEXT)
}

fn check_equal<K: Clone>(
    cases: &mut Cases,
    name: &'static str,
    setup: &str,
    keys: [K; 6],
    names: [&str; 3],
    call: Call<K>,
) {
    for case in equal_keys(name, setup, keys, names) {
        cases.check(&case.key(TEXT), call);
    }
}

/// The same with keys that the server stores otherwise than they are bound, which
/// cannot be found by what is bound.
fn check_stored_otherwise<K: Clone>(
    cases: &mut Cases,
    name: &'static str,
    setup: &str,
    keys: [K; 6],
    names: [&str; 3],
    call: Call<K>,
) {
    for case in equal_keys(name, setup, keys, names) {
        cases.check(&case.key(TEXT).rows_fail("!NoRow"), call);
    }
}

#[test]
fn collations() {
    let mut cases = Cases::new();
    let ci = ["a", "b", "A", "B", "C", "c"];
    let accents = ["á", "b ", "A", "B", "Ç", "c "];
    let bin = ["a", "b", "a", "b", "C", "C"];
    let padded = ["a ", "b", "a", "b  ", "C", "C "];
    let names = ["a", "b", "C"];
    for (key, keys, names) in [
        ("VARCHAR(20) COLLATE utf8mb4_unicode_ci", ci, names),
        (
            "VARCHAR(20) COLLATE utf8mb4_unicode_ci",
            accents,
            ["a", "b", "Ç"],
        ),
        ("VARCHAR(20) COLLATE utf8mb4_bin", bin, names),
        ("VARCHAR(20) COLLATE utf8mb4_bin", padded, names),
        ("VARCHAR(20) COLLATE utf8mb4_general_nopad_ci", ci, names),
        ("CHAR(20) COLLATE utf8mb4_bin", padded, names),
        ("CHAR(20) CHARACTER SET latin1", accents, ["a", "b", "Ç"]),
        (
            "VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_general_cs",
            padded,
            names,
        ),
        ("VARCHAR(20) CHARACTER SET ascii", ci, names),
        ("VARCHAR(20) CHARACTER SET utf16", ci, names),
        ("TINYTEXT COLLATE utf8mb4_unicode_ci", ci, names),
        ("LONGTEXT COLLATE utf8mb4_bin", bin, names),
        ("ENUM('a', 'b', 'C')", ci, names),
        ("SET('a', 'b', 'C')", ci, names),
        (
            "VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_german2_ci",
            ["a", "b", "a", "b", "ß", "ss"],
            ["a", "b", "ß"],
        ),
        (
            "VARCHAR(20) COLLATE utf8mb4_danish_ci",
            ["a", "b", "a", "b", "å", "aa"],
            ["a", "b", "å"],
        ),
    ] {
        let connections = ["SET NAMES utf8mb4", "SET NAMES utf8mb4 COLLATE utf8mb4_bin"];
        for connection in connections {
            let setup = format!("{connection}; {}", items(key));
            check_equal(&mut cases, key, &setup, keys, names, text::call);
        }
    }
    // The server holds them equal only at this length.
    let long =
        "a very long key that is longer than what a variable of the session may have in a group";
    check_equal(
        &mut cases,
        "long text",
        &created("VARCHAR(200)", [&format!("'{long}'"), "'b'"]),
        [long, "b", long, "b", "c", "c"],
        [&long.replace(' ', "_")[..60], "b", "c"],
        text::call,
    );
}

#[test]
fn types_of_keys() {
    let mut cases = Cases::new();
    let cases = &mut cases;
    check_equal(
        cases,
        "TINYINT",
        &created("TINYINT", ["-1", "0"]),
        [-1, 0, -1, 0, 127, 127],
        ["-1", "0", "127"],
        tiny::call,
    );
    check_equal(
        cases,
        "SMALLINT UNSIGNED",
        &created("SMALLINT UNSIGNED", ["1", "65535"]),
        [1, 65535, 1, 65535, 0, 0],
        ["1", "65535", "0"],
        small::call,
    );
    check_equal(
        cases,
        "BIGINT UNSIGNED",
        &created(
            "BIGINT UNSIGNED",
            ["18446744073709551615", "18446744073709551614"],
        ),
        [
            u64::MAX,
            u64::MAX - 1,
            u64::MAX,
            u64::MAX - 1,
            1 << 63,
            1 << 63,
        ],
        [
            "18446744073709551615",
            "18446744073709551614",
            "9223372036854775808",
        ],
        big::call,
    );
    check_equal(
        cases,
        "BIT",
        &created("TINYINT(1)", ["0", "2"]),
        [0, 2, 0, 2, 1, 1],
        ["0", "2", "1"],
        tiny::call,
    );
    let setup = "DROP TABLE IF EXISTS items; CREATE TABLE items (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, k BOOL UNIQUE, v INT NOT NULL); \
         INSERT INTO items (k, v) VALUES (FALSE, 1)";
    cases.check(
        &case(
            "BOOL",
            setup,
            How::SmallerChanged,
            &[(true, 3), (false, 2), (true, 3)],
        )
        .tells(
            "Inserted - 1=3; Updated 0=1 0=2; Skipped 1=3 1=3",
            "0=2 1=3",
        ),
        boolean::call,
    );
    let keys: [&'static [u8]; 6] = [
        b"\0",
        b"\xff\xfe",
        b"\0",
        b"\xff\xfe",
        b"\xc3\xa9'",
        b"\xc3\xa9'",
    ];
    for (key, names) in [
        ("VARBINARY(20)", ["00", "FFFE", "C3A927"]),
        ("BINARY(3)", ["000000", "FFFE00", "C3A927"]),
        ("BLOB", ["00", "FFFE", "C3A927"]),
    ] {
        for connection in ["SET NAMES utf8mb4", "SET NAMES latin1"] {
            let setup = format!("{connection}; {}", created(key, ["X'00'", "X'FFFE'"]));
            for mut case in equal_keys(key, &setup, keys, names) {
                case.key = "HEX(k)";
                if key.starts_with("BINARY") {
                    // Padded.
                    case = case.rows_fail("!NoRow");
                }
                cases.check(&case, bytes::call);
            }
        }
    }
    cases.database.run("SET NAMES utf8mb4");

    let day = NaiveDate::from_ymd_opt(2026, 1, 2).unwrap();
    let at = |second, micro| day.and_hms_micro_opt(3, 4, second, micro).unwrap();
    let whole = [at(0, 0), at(2, 0), at(0, 0), at(2, 0), at(3, 0), at(3, 0)];
    let names = [
        "2026-01-02_03:04:00",
        "2026-01-02_03:04:02",
        "2026-01-02_03:04:03",
    ];
    let values = ["'2026-01-02 03:04:00'", "'2026-01-02 03:04:02'"];
    check_equal(
        cases,
        "DATETIME",
        &created("DATETIME", values),
        whole,
        names,
        datetime::call,
    );
    check_equal(
        cases,
        "TIMESTAMP",
        &created("TIMESTAMP", values),
        whole,
        names,
        timestamp::call,
    );
    check_equal(
        cases,
        "a timestamp for DATETIME",
        &created("DATETIME", values),
        whole,
        names,
        timestamp::call,
    );
    let micros = [
        at(0, 1),
        at(2, 999_999),
        at(0, 1),
        at(2, 999_999),
        at(3, 5),
        at(3, 5),
    ];
    let micro_names = [
        "2026-01-02_03:04:00.000001",
        "2026-01-02_03:04:02.999999",
        "2026-01-02_03:04:03.000005",
    ];
    let micro_values = [
        "'2026-01-02 03:04:00.000001'",
        "'2026-01-02 03:04:02.999999'",
    ];
    check_equal(
        cases,
        "DATETIME(6)",
        &created("DATETIME(6)", micro_values),
        micros,
        micro_names,
        datetime::call,
    );
    // Cut off.
    let parts = [
        at(0, 900_000),
        at(2, 1),
        at(0, 1),
        at(2, 0),
        at(3, 999_999),
        at(3, 0),
    ];
    check_stored_otherwise(
        cases,
        "DATETIME of parts of a second",
        &created("DATETIME", values),
        parts,
        names,
        datetime::call,
    );

    let dates = [1, 2, 1, 2, 3, 3].map(|day| NaiveDate::from_ymd_opt(2026, 1, day).unwrap());
    check_equal(
        cases,
        "DATE",
        &created("DATE", ["'2026-01-01'", "'2026-01-02'"]),
        dates,
        ["2026-01-01", "2026-01-02", "2026-01-03"],
        date::call,
    );
    let times = [1, 2, 1, 2, 3, 3].map(|second| NaiveTime::from_hms_opt(0, 0, second).unwrap());
    check_equal(
        cases,
        "TIME",
        &created("TIME", ["'00:00:01'", "'00:00:02'"]),
        times,
        ["00:00:01", "00:00:02", "00:00:03"],
        time::call,
    );

    let doubles = [0.0, 0.1, -0.0, 0.1, 1e-300, 1e-300];
    check_equal(
        cases,
        "DOUBLE",
        &created("DOUBLE", ["0", "0.1"]),
        doubles,
        ["0", "0.1", "1e-300"],
        double::call,
    );
    let singles = [0.5, 0.1, 0.5, 0.1, 16_777_216.0, 16_777_216.0];
    check_equal(
        cases,
        "FLOAT",
        &created("FLOAT", ["0.5", "0.1"]),
        singles,
        ["0.5", "0.1", "16777200"],
        single::call,
    );

    // To the server diesel-async's decimals are texts, of which it holds these
    // different.
    if crate::api::SENDS_DECIMALS {
        let numbers = ["1.0", "2.5", "1.00", "2.50", "3", "3.00"].map(Decimal);
        check_equal(
            cases,
            "DECIMAL",
            &created("DECIMAL(6,2)", ["1", "2.5"]),
            numbers,
            ["1.00", "2.50", "3.00"],
            decimal::call,
        );
    }
    let numbers = ["1.04", "2.46", "0.96", "2.54", "3.04", "2.96"].map(Decimal);
    check_stored_otherwise(
        cases,
        "a DECIMAL that rounds",
        &created("DECIMAL(6,1)", ["1", "2.5"]),
        numbers,
        ["1.0", "2.5", "3.0"],
        decimal::call,
    );
    let numbers = [
        "12345678901234567890123456789.1",
        "12345678901234567890123456789.2",
        "12345678901234567890123456789.1",
        "12345678901234567890123456789.2",
        "12345678901234567890123456789.3",
        "12345678901234567890123456789.3",
    ];
    check_equal(
        cases,
        "a long DECIMAL",
        &created("DECIMAL(40,1)", [numbers[0], numbers[1]]),
        numbers.map(Decimal),
        [numbers[0], numbers[1], numbers[4]],
        decimal::call,
    );
    check_equal(
        cases,
        "text for a long DECIMAL",
        &created("DECIMAL(40,1)", [numbers[0], numbers[1]]),
        numbers,
        [numbers[0], numbers[1], numbers[4]],
        text::call,
    );
    let keys = [
        "9007199254740993",
        "9007199254740992",
        "9007199254740993",
        "9007199254740992",
        "9007199254740991",
        "9007199254740991",
    ];
    check_equal(
        cases,
        "text for BIGINT",
        &created("BIGINT", [keys[0], keys[1]]),
        keys,
        [keys[0], keys[1], keys[4]],
        text::call,
    );
}

fn trigger(when: &str, body: &str) -> String {
    format!(
        "{}; CREATE TRIGGER act {when} ON items FOR EACH ROW BEGIN {body} END",
        items("VARCHAR(20) COLLATE utf8mb4_bin")
    )
}

#[test]
fn triggers() {
    let mut cases = Cases::new();
    let mut check = |case: Case<&'static str>| text::check(&mut cases, &case);
    let lower = trigger("BEFORE INSERT", "SET NEW.k = lower(NEW.k);");
    check(
        case(
            "lower keys",
            &*lower,
            How::Update,
            &[("A", 2), ("C", 3), ("c", 4), ("C", 5)],
        )
        .tells(
            "Updated a=1 a=2; Inserted - c=3; Updated c=3 c=4; Updated c=4 c=5",
            "a=2 b=5 c=5",
        )
        .rows_fail("!NoRow"),
    );
    check(
        case(
            "keys that are lower",
            &*lower,
            How::Smaller,
            &[("a", 2), ("c", 3), ("b", 4)],
        )
        .tells(
            "Updated a=1 a=2; Inserted - c=3; Skipped b=5 b=5",
            "a=2 b=5 c=3",
        ),
    );
    let tenfold = trigger("BEFORE UPDATE", "SET NEW.v = NEW.v * 10;");
    check(
        case(
            "values that change on update",
            &*tenfold,
            How::Update,
            &[("a", 2), ("c", 7)],
        )
        .tells("Updated a=1 a=20; Inserted - c=7", "a=20 b=5 c=7"),
    );
    let more = trigger("BEFORE INSERT", "SET NEW.v = NEW.v + 4;");
    check(
        case(
            "values that change on insert",
            &*more,
            How::SmallerChanged,
            &[("a", 2), ("b", 1), ("b", 0), ("c", 7)],
        )
        .tells(
            "Updated a=1 a=6; Skipped b=5 b=5; Skipped b=5 b=5; Inserted - c=11",
            "a=6 b=5 c=11",
        ),
    );
    let log = format!(
        "DROP TABLE IF EXISTS log; CREATE TABLE log (id INT AUTO_INCREMENT PRIMARY KEY, k TEXT); \
         INSERT INTO log (id, k) VALUES (700, ''); {}",
        trigger(
            "AFTER INSERT",
            "INSERT INTO log (k) VALUES (NEW.k) ON DUPLICATE KEY UPDATE k = NEW.k; SET @n = LAST_INSERT_ID();"
        )
    );
    check(
        case(
            "a trigger that numbers rows",
            &*log,
            How::Update,
            &[("a", 2), ("c", 3), ("d", 4)],
        )
        .tells(
            "Updated a=1 a=2; Inserted - c=3; Inserted - d=4",
            "a=2 b=5 c=3 d=4",
        ),
    );
    let signal = trigger(
        "AFTER INSERT",
        "IF NEW.k = 'd' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not d'; END IF;",
    );
    check(
        case(
            "a trigger that fails",
            &*signal,
            How::Update,
            &[("a", 2), ("c", 3), ("d", 4)],
        )
        .tells("!not d", ""),
    );
    let mut check = |case: Case<Option<&'static str>>| nullable::check(&mut cases, &case);
    check(
        case(
            "rows without a key and a trigger",
            &*log,
            How::Update,
            &[(None, 2), (Some("c"), 3), (None, 4)],
        )
        .tells(
            "Inserted - NULL=2; Inserted - c=3; Inserted - NULL=4",
            "a=1 b=5 NULL=2 NULL=4 c=3",
        ),
    );
    let named = trigger(
        "BEFORE INSERT",
        "IF NEW.k IS NULL THEN SET NEW.k = 'b'; END IF;",
    );
    check(
        case(
            "NULL that becomes a key",
            &*named,
            How::Update,
            &[(None, 2), (Some("c"), 3)],
        )
        .tells("Updated b=5 b=2; Inserted - c=3", "a=1 b=2 c=3")
        .rows_fail("!NoRow"),
    );
}

#[test]
fn tables() {
    let mut cases = Cases::new();
    let input = [("c", 1), ("b", 5), ("a", 2), ("c", 1), ("a", 0)];
    let key = "VARCHAR(20) COLLATE utf8mb4_bin";
    for (name, setup) in [
        ("a generated column", format!("{}; ALTER TABLE items ADD g INT AS (v + 1) STORED, ADD h TEXT AS (concat(k, 'x')) VIRTUAL", items(key))),
        ("a view", format!("{}; RENAME TABLE items TO base; CREATE VIEW items AS SELECT v, id, k FROM base", items(key).replace("DROP TABLE IF EXISTS items;", "DROP TABLE IF EXISTS items; DROP TABLE IF EXISTS base;"))),
        ("a partitioned table", "DROP VIEW IF EXISTS items; DROP TABLE IF EXISTS items; \
            CREATE TABLE items (id INT NOT NULL AUTO_INCREMENT, k VARCHAR(20) NOT NULL, v INT NOT NULL, PRIMARY KEY (k), KEY (id)) \
            PARTITION BY KEY (k) PARTITIONS 4; INSERT INTO items (k, v) VALUES ('a', 1), ('b', 5)".to_owned()),
        ("columns that are not in order", format!("{}; ALTER TABLE items MODIFY v INT NOT NULL FIRST", items(key))),
        ("another engine", format!("{}; ALTER TABLE items ENGINE = Aria", items(key))),
        ("ANSI", format!("SET sql_mode = CONCAT(@@sql_mode, ',ANSI'); {}", items(key))),
        ("no backslashes", format!("SET sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES,SIMULTANEOUS_ASSIGNMENT'); {}", items(key))),
    ] {
        let case = |how| case(name, &*setup, how, &input);
        cases.database.run("SET sql_mode = @@global.sql_mode");
        for case in [
            case(How::Update).tells("Inserted - c=1; Updated b=5 b=5; Updated a=1 a=2; Updated c=1 c=1; Updated a=2 a=0", "a=0 b=5 c=1"),
            case(How::Nothing).tells("Inserted - c=1; Skipped b=5 b=5; Skipped a=1 a=1; Skipped c=1 c=1; Skipped a=1 a=1", "a=1 b=5 c=1"),
            case(How::Changed).tells("Inserted - c=1; Unchanged b=5 b=5; Updated a=1 a=2; Unchanged c=1 c=1; Updated a=2 a=0", "a=0 b=5 c=1"),
            case(How::SmallerChanged).tells("Inserted - c=1; Skipped b=5 b=5; Updated a=1 a=2; Skipped c=1 c=1; Skipped a=2 a=2", "a=2 b=5 c=1"),
        ] {
            text::check(&mut cases, &case);
        }
    }
    cases.database.run("SET sql_mode = @@global.sql_mode");
    let mut check = |case: Case<&'static str>| text::check(&mut cases, &case);
    let other = format!("{}; CREATE UNIQUE INDEX other ON items (v)", items(key));
    for how in [How::Update, How::Nothing, How::Changed, How::SmallerChanged] {
        // `c` meets `b`, by its value.
        check(
            case(
                "another unique index",
                &*other,
                how,
                &[("a", 1), ("d", 7), ("c", 5)],
            )
            .tells("!OtherUniqueIndex", ""),
        );
    }
    let null = [(None, 2), (Some("a"), 3), (None, 4)];
    let mut check = |case: Case<Option<&'static str>>| nullable::check(&mut cases, &case);
    check(
        case(
            "NULL and AUTO_INCREMENT",
            items("VARCHAR(20)"),
            How::Update,
            &null,
        )
        .tells(
            "Inserted - NULL=2; Updated a=1 a=3; Inserted - NULL=4",
            "a=3 b=5 NULL=2 NULL=4",
        ),
    );
    check(
        case("NULL without AUTO_INCREMENT", "DROP TABLE IF EXISTS items; \
            CREATE TABLE items (id INT NOT NULL DEFAULT (FLOOR(RAND() * 1000000000)), k VARCHAR(20) UNIQUE, v INT NOT NULL); \
            INSERT INTO items (k, v) VALUES ('a', 1)", How::Update, &null)
            .tells("Inserted - NULL=2; Updated a=1 a=3; Inserted - NULL=4", "a=3 NULL=2 NULL=4")
            .rows_fail("!NoRow"),
    );
}

mod marked {
    //! The column whose values are wrapped stores what is bound.

    use super::*;

    /// A model with a first column of each type, which is not the key.
    macro_rules! marked {
        ($name:ident: $rust:ty as [$($sql:tt)+], $column:literal, $values:expr) => {
            #[test]
            fn $name() {
                diesel::table! {
                    use diesel::sql_types::*;
                    marked (w) {
                        w -> $($sql)+,
                        k -> Double,
                    }
                }
                #[derive(Debug, Clone, upsert_core::Upsertable)]
                #[diesel(table_name = marked)]
                struct Marked {
                    #[on_conflict(update)]
                    w: $rust,
                    #[conflict_key]
                    k: f64,
                }
                let mut database = TestDatabase::new();
                database.run(concat!("CREATE TABLE marked (w ", $column, ", k DOUBLE PRIMARY KEY)"));
                let conn = &mut database.conn;
                let values: Vec<$rust> = $values.to_vec();
                let rows: Vec<Marked> = values.iter().enumerate()
                    .map(|(i, w)| Marked { w: w.clone(), k: i as f64 })
                    .collect();
                // Wrapped to be inserted, not to be updated.
                for round in 0..2 {
                    let call = upsert(&rows).skip_unchanged(round == 1);
                    let outcome = wait(call.outcome(conn)).unwrap();
                    let action = [upsert_core::Action::Inserted, upsert_core::Action::Unchanged][round];
                    assert_eq!(outcome.actions(), vec![action; rows.len()]);
                }
                let call = upsert(&rows).returning_old(marked::w);
                let told: Vec<upsert_core::Change<$rust>> = wait(call.get_results(conn)).unwrap();
                let told: Vec<$rust> = told.into_iter().map(|change| change.new).collect();
                let stored: Vec<$rust> = marked::table.select(marked::w).order(marked::k).load(conn).unwrap();
                assert_eq!(stored, values);
                assert_eq!(told, values);
            }
        };
    }

    fn all_bytes() -> Vec<u8> {
        (0..=255).collect()
    }

    marked!(double: f64 as [Double], "DOUBLE", [0.1, 1e300, 5e-324, -0.1, 1.0 / 3.0]);
    marked!(single: f32 as [Float], "FLOAT", [0.1, 1e30, 1.0 / 3.0]);
    marked!(binary: Vec<u8> as [Binary], "LONGBLOB", [all_bytes(), vec![], vec![0xff; 100_000]]);
    marked!(text: String as [Text], "LONGTEXT COLLATE utf8mb4_bin", ["é😀\\'\0".to_owned(), String::new(), "x".repeat(100_000)]);
    marked!(latin: String as [Text], "VARCHAR(20) CHARACTER SET latin1", ["é\\'".to_owned(), "a ".to_owned()]);
    marked!(nullable: Option<i32> as [Nullable<Integer>], "INT", [None, Some(-1), Some(i32::MAX), None]);
    marked!(nullable_text: Option<String> as [Nullable<Text>], "TEXT", [None, Some("é".to_owned()), None]);
    marked!(unsigned: u64 as [Unsigned<BigInt>], "BIGINT UNSIGNED", [0, 1, u64::MAX, 1 << 63]);
    marked!(tiny: i8 as [TinyInt], "TINYINT", [-128, 127, 0]);
    marked!(datetime: NaiveDateTime as [Datetime], "DATETIME(6)", [
        NaiveDate::from_ymd_opt(2026, 1, 2).unwrap().and_hms_micro_opt(3, 4, 5, 678_901).unwrap(),
        NaiveDate::from_ymd_opt(1, 1, 1).unwrap().and_hms_micro_opt(0, 0, 0, 1).unwrap(),
    ]);
    marked!(date: NaiveDate as [Date], "DATE", [NaiveDate::from_ymd_opt(9999, 12, 31).unwrap()]);
    marked!(time: NaiveTime as [Time], "TIME(6)", [NaiveTime::from_hms_micro_opt(23, 59, 59, 999_999).unwrap()]);
    marked!(big: i64 as [BigInt], "BIGINT", [i64::MIN, i64::MAX, 0]);
    marked!(boolean: bool as [Bool], "BOOL", [true, false]);
    marked!(json: String as [Text], "JSON", ["{\"a\": [1.0, \"é\"]}".to_owned(), "[]".to_owned()]);
    marked!(enumeration: String as [Text], "ENUM('x', 'é', '1')", ["é".to_owned(), "1".to_owned(), "x".to_owned()]);
}

/// A transaction whose snapshot is older than a row that has the key.
#[test]
fn a_row_that_the_snapshot_does_not_have() {
    for how in [How::Update, How::Nothing, How::SmallerChanged] {
        for way in Way::TELLING {
            for chunk_size in [1, 1000] {
                let mut database = TestDatabase::new();
                database.run(&items("VARCHAR(20)"));
                database.run("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ");
                let mut other = database.connect();
                let conn = &mut database.conn;
                let told = conn
                    .transaction(|conn| {
                        assert_eq!(table(conn, TEXT).len(), 2);
                        other.batch_execute("INSERT INTO items (k, v) VALUES ('c', 8); UPDATE items SET v = 4 WHERE k = 'a'")?;
                        assert_eq!(table(conn, TEXT).len(), 2);
                        let input = [("c", 9), ("a", 5), ("d", 1), ("a", 6)];
                        let told = text::call(conn, &input, how, way, chunk_size);
                        QueryResult::Ok(told.unwrap())
                    })
                    .unwrap();
                let after = table(&mut other, TEXT);
                let (tells, lines) = match how {
                    How::Nothing => (
                        "Skipped c=8 c=8; Skipped a=4 a=4; Inserted - d=1; Skipped a=4 a=4",
                        "a=4 b=5 c=8 d=1",
                    ),
                    _ => (
                        "Updated c=8 c=9; Updated a=4 a=5; Inserted - d=1; Updated a=5 a=6",
                        "a=6 b=5 c=9 d=1",
                    ),
                };
                let expected = case::<&str>("", "", how, &[]).tells(tells, lines).told(way);
                assert_eq!(name(&told, &after), expected.join("; "), "{how:?} {way:?}");
                let after: Vec<_> = after.iter().map(|(_, line)| line.as_str()).collect();
                assert_eq!(after.join(" "), lines, "{how:?} {way:?}");
            }
        }
    }
}

#[test]
fn a_table_without_an_index() {
    let mut cases = Cases::new();
    let setup = items("VARCHAR(20)").replace("UNIQUE (k)", "KEY (k)");
    for how in [How::Update, How::Nothing, How::Changed] {
        let case = case("no index", &*setup, how, &[("a", 1)]);
        text::check(&mut cases, &case.tells("!NoUniqueIndex", ""));
    }
}

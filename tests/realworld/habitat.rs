//! Habitat's builder: packages, by the name of a constraint, on PostgreSQL.

use std::io::Write;

use chrono::{NaiveDate, NaiveTime};
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::prelude::*;
use diesel::query_builder::QueryId;
use diesel::serialize::{self, IsNull, Output, ToSql};
use upsert_core::Upsertable;

use crate::support::postgres::TestDatabase;

#[derive(Debug, QueryId, diesel::sql_types::SqlType)]
#[diesel(postgres_type(name = "vis"))]
pub struct Visibility;

#[derive(Debug, Clone, Copy, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Visibility)]
enum Vis {
    Public,
    Private,
    Hidden,
}

impl Vis {
    fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Hidden => "hidden",
        }
    }
}

impl ToSql<Visibility, Pg> for Vis {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(self.name().as_bytes())?;
        Ok(IsNull::No)
    }
}

impl FromSql<Visibility, Pg> for Vis {
    fn from_sql(bytes: PgValue<'_>) -> deserialize::Result<Self> {
        [Self::Public, Self::Private, Self::Hidden]
            .into_iter()
            .find(|vis| bytes.as_bytes() == vis.name().as_bytes())
            .ok_or_else(|| "not a visibility".into())
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::Visibility;

    package (id) {
        id -> BigInt,
        origin -> Text,
        owner_id -> BigInt,
        name -> Text,
        ident -> Text,
        checksum -> Text,
        target -> Text,
        deps -> Array<Text>,
        visibility -> Visibility,
        created_at -> Timestamptz,
    }
}

const CREATE: &str = "CREATE TYPE vis AS ENUM ('public', 'private', 'hidden'); \
     CREATE TABLE package (id BIGSERIAL PRIMARY KEY, origin TEXT NOT NULL, \
     owner_id BIGINT NOT NULL, name TEXT NOT NULL, ident TEXT NOT NULL, checksum TEXT NOT NULL, \
     target TEXT NOT NULL, deps TEXT[] NOT NULL, visibility VIS NOT NULL, \
     created_at TIMESTAMPTZ NOT NULL DEFAULT now(), \
     CONSTRAINT package_ident_target_key UNIQUE (ident, target))";

const GIVEN: &str = "INSERT INTO package (origin, owner_id, name, ident, checksum, target, \
     deps, visibility, created_at) VALUES ('core', 1, 'a', 'core/a/1', 'x', 'linux', '{}', \
     'public', '2020-01-01 00:00:00+00')";

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Upsertable)]
#[diesel(table_name = package)]
#[upsert(update_all, constraint = "package_ident_target_key")]
struct NewPackage {
    origin: String,
    owner_id: i64,
    name: String,
    #[conflict_key]
    #[on_conflict(update)]
    ident: String,
    checksum: String,
    #[conflict_key]
    #[on_conflict(update)]
    target: String,
    deps: Vec<String>,
    visibility: Vis,
}

fn new_package(
    owner_id: i64,
    checksum: &str,
    target: &str,
    deps: &[&str],
    visibility: Vis,
) -> NewPackage {
    NewPackage {
        origin: "core".to_owned(),
        owner_id,
        name: "a".to_owned(),
        ident: "core/a/1".to_owned(),
        checksum: checksum.to_owned(),
        target: target.to_owned(),
        deps: deps.iter().map(|&dep| dep.to_owned()).collect(),
        visibility,
    }
}

/// The package with the number `i`, which is its owner's too.
fn numbered(i: i64, checksum: &str) -> NewPackage {
    NewPackage {
        origin: format!("origin {}", i % 7),
        owner_id: i,
        name: format!("name {i}"),
        ident: format!("ident {i}"),
        checksum: checksum.to_owned(),
        target: ["linux", "windows"][usize::try_from(i % 2).unwrap()].to_owned(),
        deps: (0..i % 4).map(|dep| format!("dep {dep}")).collect(),
        visibility: [Vis::Public, Vis::Private, Vis::Hidden][usize::try_from(i % 3).unwrap()],
    }
}

/// The rows, and whether each is of before the calls.
fn state(conn: &mut PgConnection) -> Vec<(NewPackage, bool)> {
    let year_2021 = NaiveDate::from_ymd_opt(2021, 1, 1).unwrap();
    let year_2021 = year_2021.and_time(NaiveTime::MIN).and_utc();
    package::table
        .select((NewPackage::as_select(), package::created_at.lt(year_2021)))
        .order((package::owner_id, package::id))
        .load(conn)
        .unwrap()
}

fn ids(conn: &mut PgConnection) -> Vec<i64> {
    let ids = package::table.select(package::id);
    ids.order((package::owner_id, package::id))
        .load(conn)
        .unwrap()
}

#[test]
fn packages_are_overwritten_by_constraint() {
    let mut database = TestDatabase::new();
    database.run(CREATE);
    database.run(GIVEN);
    let conn = &mut database.conn;

    let linux = new_package(2, "y", "linux", &["b", "c"], Vis::Hidden);
    assert_eq!(linux.upsert(conn).unwrap(), 1);
    let mut expected = vec![(linux, true)];
    assert_eq!(state(conn), expected);
    assert_eq!(ids(conn), [1]);

    let windows = new_package(2, "z", "windows", &[], Vis::Public);
    assert_eq!(windows.upsert(conn).unwrap(), 1);
    expected.push((windows, false));
    assert_eq!(state(conn), expected);
    let both = ids(conn);
    assert_eq!(both[0], 1);

    // Of two rows for one package the later stays.
    let packages = [
        new_package(2, "1", "linux", &["d"], Vis::Private),
        new_package(2, "2", "windows", &["d"], Vis::Private),
        new_package(2, "3", "linux", &[], Vis::Public),
    ];
    assert_eq!(NewPackage::bulk_upsert(conn, &packages).unwrap(), 3);
    let [_, windows, linux] = packages;
    assert_eq!(state(conn), [(linux, true), (windows, false)]);
    assert_eq!(ids(conn), both);
}

#[test]
fn nine_thousand_packages_in_one_call() {
    let mut database = TestDatabase::new();
    database.run(CREATE);
    let conn = &mut database.conn;
    let packages = |checksum| (0..9000).map(|i| numbered(i, checksum)).collect::<Vec<_>>();
    let rows = |packages: &[NewPackage]| {
        let rows = packages.iter().map(|package| (package.clone(), false));
        rows.collect::<Vec<_>>()
    };

    // 72 000 binds.
    let first = packages("first");
    assert_eq!(NewPackage::bulk_upsert(conn, &first).unwrap(), 9000);
    assert!(state(conn) == rows(&first));

    // PostgreSQL's text holds no NUL: the call fails at a row in the middle.
    let mut second = packages("second");
    second[5000].checksum.push('\0');
    NewPackage::bulk_upsert(conn, &second).unwrap_err();
    assert!(state(conn) == rows(&first));

    second[5000].checksum.pop();
    assert_eq!(NewPackage::bulk_upsert(conn, &second).unwrap(), 9000);
    assert!(state(conn) == rows(&second));
}

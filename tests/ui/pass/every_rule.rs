use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::Upsertable;

diesel::table! {
    products (id) {
        id -> Integer,
        name -> Text,
        created_by -> Text,
        stock -> Integer,
        highest -> Nullable<Double>,
        lowest -> BigInt,
        note -> Nullable<Text>,
        origin -> Nullable<Text>,
        visits -> Integer,
        version -> Integer,
        updated_at -> Timestamp,
        changes -> Integer,
        label -> Text,
        deleted -> Bool,
        seen -> Integer,
    }
}

diesel::define_sql_function! {
    fn abs(number: diesel::sql_types::Integer) -> diesel::sql_types::Integer;
}

const STEP: i32 = 1;

fn step() -> i32 {
    STEP
}

#[derive(Upsertable)]
#[upsert(
    set(deleted = stock.lt(0).and(note.is_null()).or(stock.eq(-1))),
    touch(seen = seen + 1),
    update_if = deleted.eq(false).or(products::version.is_not_null()),
    newer_by = version,
    skip_unchanged,
    targets(by_name = name, by_name_and_version = (name, version)),
)]
struct Product {
    #[conflict_key]
    id: i32,
    #[on_conflict(update)]
    name: &'static str,
    #[on_conflict(keep)]
    created_by: &'static str,
    #[on_conflict(add)]
    stock: i32,
    #[on_conflict(max)]
    highest: Option<f64>,
    #[on_conflict(min)]
    lowest: i64,
    #[on_conflict(coalesce)]
    note: Option<String>,
    #[on_conflict(fill)]
    origin: Option<String>,
    #[on_conflict(set = abs(visits) + excluded(visits) * { step() } + (STEP - 1))]
    visits: i32,
    #[on_conflict(update)]
    version: i32,
    #[on_conflict(touch = diesel::dsl::now)]
    updated_at: Option<chrono::NaiveDateTime>,
    #[on_conflict(touch)]
    changes: i32,
    #[on_conflict(update)]
    #[on_insert(default = format!("{} {}", self.name, self.version))]
    label: Option<String>,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(update_all, not_older_by = version)]
struct NotOlder {
    id: i32,
    name: &'static str,
    version: i32,
}

#[derive(Upsertable)]
#[diesel(table_name = products)]
#[upsert(update_if = name.ne(excluded(name)))]
#[upsert(set(deleted = false))]
struct Named {
    id: i32,
    name: &'static str,
}

fn product(stock: i32, version: i32) -> Product {
    Product {
        id: 1,
        name: "a",
        created_by: "me",
        stock,
        highest: Some(stock.into()),
        lowest: stock.into(),
        note: None,
        origin: Some("here".into()),
        visits: 1,
        version,
        updated_at: None,
        changes: version,
        label: None,
    }
}

fn main() {
    let conn = &mut connection();
    assert_eq!(product(5, 1).upsert(conn).unwrap(), 1);
    assert_eq!(product(3, 2).upsert(conn).unwrap(), 1);
    assert_eq!(product(3, 2).upsert(conn).unwrap(), 0);
    let old = NotOlder {
        id: 1,
        name: "b",
        version: 1,
    };
    assert_eq!(old.upsert(conn).unwrap(), 0);
    assert_eq!(Named { id: 1, name: "a" }.upsert(conn).unwrap(), 0);

    let rows: Vec<(i32, Option<f64>, i64, i32, i32, String, bool, i32)> = products::table
        .select((
            products::stock,
            products::highest,
            products::lowest,
            products::visits,
            products::changes,
            products::label,
            products::deleted,
            products::seen,
        ))
        .load(conn)
        .unwrap();
    assert_eq!(rows, [(8, Some(5.0), 3, 2, 2, "a 1".into(), false, 1)]);
}

fn connection() -> SqliteConnection {
    let mut conn = SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute(
        "CREATE TABLE products (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            created_by TEXT NOT NULL DEFAULT '',
            stock INTEGER NOT NULL DEFAULT 0,
            highest DOUBLE,
            lowest BIGINT NOT NULL DEFAULT 0,
            note TEXT,
            origin TEXT,
            visits INTEGER NOT NULL DEFAULT 0,
            version INTEGER NOT NULL DEFAULT 0,
            updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
            changes INTEGER NOT NULL DEFAULT 0,
            label TEXT NOT NULL DEFAULT '',
            deleted BOOLEAN NOT NULL DEFAULT FALSE,
            seen INTEGER NOT NULL DEFAULT 0
        )",
    )
    .unwrap();
    conn
}

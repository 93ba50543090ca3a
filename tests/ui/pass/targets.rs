#![deny(warnings)]

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::{Upsertable, upsert};

diesel::table! {
    users (id) {
        id -> Integer,
        email -> Text,
        source -> Text,
        deleted -> Bool,
        name -> Nullable<Text>,
    }
}

diesel::define_sql_function! {
    fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text;
}

/// The key's text may change.
#[derive(Upsertable)]
#[diesel(table_name = users)]
#[upsert(target = lower(email))]
struct ByLower<'a> {
    #[conflict_key]
    #[on_conflict(update)]
    email: &'a str,
    source: &'a str,
}

/// No field is marked, so all rows of the input are another user.
#[derive(Upsertable)]
#[diesel(table_name = users)]
#[upsert(target = (source, lower(users::email)), target_where = deleted.eq(false))]
#[upsert(update_all)]
struct ByBoth<'a> {
    email: &'a str,
    source: &'a str,
    name: Option<&'a str>,
}

#[derive(Upsertable)]
#[diesel(table_name = users)]
#[upsert(target_where = deleted.eq(false).and(source.ne("it's")).and(id.gt(-1)))]
struct Living<'a> {
    #[conflict_key]
    email: &'a str,
    source: &'a str,
    #[on_conflict(update)]
    name: Option<&'a str>,
}

/// For PostgreSQL; here nobody uses it.
#[derive(Upsertable)]
#[diesel(table_name = users)]
#[upsert(constraint = "users_email_key", update_all)]
#[allow(dead_code)]
struct ByConstraint<'a> {
    email: &'a str,
    source: &'a str,
}

mod models {
    use super::{Upsertable, users};

    #[derive(Upsertable)]
    #[diesel(table_name = users)]
    #[upsert(update_all, targets(by_email = email, by_source = (source, email)))]
    pub struct User<T> {
        pub id: i32,
        pub email: T,
        pub source: &'static str,
    }
}

fn main() {
    let conn = &mut connection();
    index(conn, "(lower(email))");
    let by_lower = |email| ByLower { email, source: "x" };
    assert_eq!(by_lower("A").upsert(conn).unwrap(), 1);
    assert_eq!(by_lower("a").upsert(conn).unwrap(), 1);

    index(conn, "(source, lower(email)) WHERE deleted = FALSE");
    let by_both = ByBoth {
        email: "A",
        source: "x",
        name: Some("b"),
    };
    assert_eq!(by_both.upsert(conn).unwrap(), 1);

    index(
        conn,
        "(email) WHERE deleted = FALSE AND source <> 'it''s' AND id > -1",
    );
    let living = Living {
        email: "A",
        source: "y",
        name: Some("c"),
    };
    assert_eq!(living.upsert(conn).unwrap(), 1);

    index(conn, "(source, email)");
    let users = [(7, "A", "x"), (8, "d", "z")];
    let users = users.map(|(id, email, source)| models::User { id, email, source });
    let by_source = models::User::<&str>::by_source();
    let written = upsert(&users).on_conflict(by_source).execute(conn);
    assert_eq!(written.unwrap(), 2);
    let _: users::email = models::User::<String>::by_email();

    let rows: Vec<(i32, String, Option<String>)> = users::table
        .select((users::id, users::email, users::name))
        .load(conn)
        .unwrap();
    assert_eq!(
        rows,
        [(7, "A".into(), Some("c".into())), (8, "d".into(), None),]
    );
}

fn index(conn: &mut SqliteConnection, index: &str) {
    conn.batch_execute(&format!(
        "DROP INDEX IF EXISTS target; CREATE UNIQUE INDEX target ON users {index}"
    ))
    .unwrap();
}

fn connection() -> SqliteConnection {
    let mut conn = SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute(
        "CREATE TABLE users (
            id INTEGER PRIMARY KEY,
            email TEXT NOT NULL,
            source TEXT NOT NULL,
            deleted BOOLEAN NOT NULL DEFAULT FALSE,
            name TEXT
        )",
    )
    .unwrap();
    conn
}

//! The least privileges of each kind of call, which `docs/privileges.md` has as a table.
//!
//! A user has all of them at first, and loses one after the other: where the call still works,
//! it was not needed, and where it does not, the user gets it back.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use upsert_core::{Error, Strategy};

use crate::api::{Upsertable, stream, upsert, upsert_stream, wait};

diesel::table! {
    parts (k) {
        k -> VarChar,
        v -> Integer,
        n -> Nullable<VarChar>,
    }
}

const CREATE: &str = "CREATE TABLE parts (k VARCHAR(40) NOT NULL PRIMARY KEY, \
     v INTEGER NOT NULL, n VARCHAR(40))";

/// What no error may show.
const CANARY: &str = "CANARY-7f3a";

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = parts)]
struct Part {
    #[conflict_key]
    k: String,
    #[on_conflict(update)]
    v: i32,
    n: Option<String>,
}

/// One row that exists, and one that does not.
fn rows() -> [Part; 2] {
    [1, 2].map(|i| Part {
        k: format!("{CANARY} {i}"),
        v: i,
        n: Some(CANARY.to_owned()),
    })
}

/// The kinds of calls, as they are called in the documentation.
const CALLS: [&str; 15] = [
    "`do_nothing`",
    "`update`",
    "`add`, `max` and other rules that read the old value",
    "`set(v, 7)`, a constant",
    "`update_if` that reads `n`",
    "`skip_unchanged`",
    "several statements",
    "`returning(n)`",
    "`returning_old(n)`",
    "`do_nothing().returning(n)`",
    "`outcome`",
    "`on_error`, `retry`, a stream",
    "`explain`",
    "`verify`",
    "`idempotency_token`",
];

/// The rows of the table in the documentation that begin with these names.
fn documented(heading: &str) -> Vec<(String, String)> {
    let text = include_str!("../../docs/privileges.md");
    let (_, section) = text.split_once(&format!("## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| {
        let line = line.strip_prefix("| ")?.strip_suffix(" |")?;
        line.split_once(" | ")
    });
    rows.skip(1)
        .map(|(call, grants)| (call.to_owned(), grants.to_owned()))
        .collect()
}

/// `INSERT (k), INSERT (v)` as `INSERT (k, v)`.
fn shown(grants: &[&str]) -> String {
    let mut parts: Vec<(&str, Vec<&str>)> = Vec::new();
    for grant in grants {
        let columns = grant.split_once(" (").and_then(|(what, column)| {
            let column = column.strip_suffix(')')?;
            Some((what, column))
        });
        match columns {
            None => parts.push((grant, Vec::new())),
            Some((what, column)) => match parts.iter_mut().find(|(known, _)| *known == what) {
                Some((_, columns)) => columns.push(column),
                None => parts.push((what, vec![column])),
            },
        }
    }
    let parts = parts
        .into_iter()
        .map(|(what, columns)| match &*columns.join(", ") {
            "" => format!("`{what}`"),
            columns => format!("`{what} ({columns})`"),
        });
    let shown: Vec<_> = parts.collect();
    if shown.is_empty() {
        return "nothing".to_owned();
    }
    shown.join(", ")
}

/// The statement that gives a grant to a role or a user, or takes it.
fn set(grant: &str, is_granted: bool, to: &str) -> String {
    let (table, grant) = match grant.strip_suffix(" ON upsert_tokens") {
        Some(grant) => ("upsert_tokens", grant),
        None => ("parts", grant),
    };
    if is_granted {
        format!("GRANT {grant} ON {table} TO {to}")
    } else {
        format!("REVOKE {grant} ON {table} FROM {to}")
    }
}

#[track_caller]
fn assert_hides_values(error: &Error) {
    let text = format!("{error} {error:?} {:?}", error.place());
    assert!(!text.contains(CANARY), "{text}");
}

macro_rules! calls {
    ($conn:ty) => {
        /// Makes a call of a kind.
        fn run(call: &str, conn: &mut $conn) -> upsert_core::Result<()> {
            let rows = rows();
            let update = || upsert(&rows);
            let index = CALLS.iter().position(|it| *it == call).unwrap();
            match index {
                0 => wait(update().do_nothing().execute(conn)).map(drop),
                1 => wait(update().execute(conn)).map(drop),
                2 => {
                    let sum = parts::v + upsert_core::excluded(parts::v);
                    wait(update().set(parts::v, sum).execute(conn)).map(drop)
                }
                3 => wait(update().set(parts::v, 7).execute(conn)).map(drop),
                4 => {
                    let guarded = update().update_if(parts::n.ne("other"));
                    wait(guarded.execute(conn)).map(drop)
                }
                5 => wait(update().skip_unchanged(true).execute(conn)).map(drop),
                6 => wait(update().chunk_size(1).execute(conn)).map(drop),
                7 => wait(
                    update()
                        .returning(parts::n)
                        .get_results::<Option<String>, _>(conn),
                )
                .map(drop),
                8 => wait(
                    update()
                        .returning_old(parts::n)
                        .get_results::<Option<String>, _>(conn),
                )
                .map(drop),
                9 => {
                    let get = update().do_nothing().returning(parts::n);
                    wait(get.get_results::<Option<String>, _>(conn)).map(drop)
                }
                10 => wait(update().outcome(conn)).map(drop),
                11 => {
                    let retry = upsert_core::Retry::default();
                    let named = || upsert_core::OnError::Name;
                    wait(update().retry(retry).on_error(named()).execute(conn))?;
                    wait(upsert_stream(stream(rows.clone())).execute(conn)).map(drop)
                }
                12 => wait(update().explain(conn)).map(drop),
                13 => {
                    let found = wait(Part::verify(conn))?;
                    // It says what is wrong with the model, or cannot tell.
                    if found.is_ok() {
                        Ok(())
                    } else {
                        Err(Error::Connection(diesel::result::Error::NotFound))
                    }
                }
                _ => {
                    let once = || update().idempotency_token(CANARY);
                    wait(once().execute(conn))?;
                    assert_eq!(wait(once().execute(conn))?, 0);
                    Ok(())
                }
            }
        }
    };
}

/// Takes one grant after the other away, and says which were needed.
fn least<'g>(
    grants: &[&'g str],
    mut set: impl FnMut(&str, bool),
    mut run: impl FnMut() -> upsert_core::Result<()>,
) -> Vec<&'g str> {
    for grant in grants {
        set(grant, true);
    }
    run().unwrap();
    let mut needed = Vec::new();
    for grant in grants {
        set(grant, false);
        if let Err(error) = run() {
            assert_hides_values(&error);
            set(grant, true);
            run().unwrap();
            needed.push(*grant);
        }
    }
    for grant in &needed {
        set(grant, false);
    }
    needed
}

/// What the table of the documentation has to be.
#[track_caller]
fn assert_documented(heading: &str, found: &[(String, String)]) {
    let lines = |rows: &[(String, String)]| {
        let lines = rows
            .iter()
            .map(|(call, grants)| format!("| {call} | {grants} |\n"));
        lines.collect::<String>()
    };
    let (found, documented) = (lines(found), lines(&documented(heading)));
    assert!(
        found == documented,
        "docs/privileges.md should have\n\n{found}"
    );
}

const COLUMNS: [&str; 9] = [
    "INSERT (k)",
    "INSERT (v)",
    "INSERT (n)",
    "UPDATE (k)",
    "UPDATE (v)",
    "UPDATE (n)",
    "SELECT (k)",
    "SELECT (v)",
    "SELECT (n)",
];

#[cfg(feature = "postgres")]
mod postgres {
    use super::*;
    use crate::api::{COPIES, connect};
    use crate::support::postgres::{Conn, TestDatabase};

    calls!(Conn);

    /// A role, dropped at the end.
    struct Role {
        admin: Conn,
        name: String,
        schema: String,
    }

    impl Role {
        fn new(database: &TestDatabase) -> Self {
            let mut admin = database.connect();
            let schema = diesel::dsl::sql::<diesel::sql_types::Text>("current_schema()::text");
            let schema: String = diesel::select(schema).get_result(&mut admin).unwrap();
            let name = format!("{schema}_role");
            admin
                .batch_execute(&format!(
                    "CREATE ROLE {name}; GRANT USAGE ON SCHEMA {schema} TO {name}"
                ))
                .unwrap();
            Self {
                admin,
                name,
                schema,
            }
        }

        fn set(&mut self, grant: &str, is_granted: bool) {
            let sql = set(grant, is_granted, &self.name);
            self.admin.batch_execute(&sql).unwrap();
        }

        /// A connection with this role's rights.
        fn connect(&self, database: &TestDatabase) -> Conn {
            let mut conn = database.connect();
            conn.batch_execute(&format!("SET ROLE {}", self.name))
                .unwrap();
            conn
        }
    }

    impl Drop for Role {
        fn drop(&mut self) {
            let Self { name, schema, .. } = self;
            let _ = self.admin.batch_execute(&format!(
                "DROP OWNED BY {name}; REVOKE ALL ON SCHEMA {schema} FROM {name}; DROP ROLE {name}"
            ));
        }
    }

    fn start(database: &mut TestDatabase) {
        database.run("DELETE FROM parts; DELETE FROM upsert_tokens");
        wait(rows()[0].upsert(&mut database.conn)).unwrap();
    }

    #[test]
    fn the_least_privileges() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        database.run(<diesel::pg::Pg as upsert_core::Dialect>::CREATE_TOKENS);
        let mut role = Role::new(&database);
        let mut conn = role.connect(&database);
        let tokens = ["INSERT ON upsert_tokens", "SELECT ON upsert_tokens"];
        let grants: Vec<_> = COLUMNS.into_iter().chain(tokens).collect();
        let mut found = Vec::new();
        for call in CALLS {
            let needed = least(
                &grants,
                |grant, is| role.set(grant, is),
                || {
                    start(&mut database);
                    run(call, &mut conn)
                },
            );
            found.push((call.to_owned(), shown(&needed)));
        }
        assert_documented("PostgreSQL", &found);
    }

    /// A database of its own, where nobody may create temporary tables.
    #[test]
    fn the_staging_table_of_copy_needs_temporary_tables() {
        if !COPIES {
            return;
        }
        let mut database = TestDatabase::new();
        database.run(CREATE);
        let mut role = Role::new(&database);
        let name = role.name.replace("role", "db");
        let Role {
            admin, name: user, ..
        } = &mut role;
        admin
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .unwrap();
        let (server, _) = database.url().rsplit_once('/').unwrap();
        let mut owner: Conn = connect(&format!("{server}/{name}"));
        owner
            .batch_execute(&format!(
                "{CREATE}; REVOKE ALL ON DATABASE {name} FROM PUBLIC; \
                 GRANT INSERT, UPDATE, SELECT ON parts TO {user}"
            ))
            .unwrap();
        let mut conn: Conn = connect(&format!("{server}/{name}"));
        conn.batch_execute(&format!("SET ROLE {user}")).unwrap();
        let copy = |conn: &mut Conn| wait(upsert(rows()).strategy(Strategy::Copy).execute(conn));
        let error = copy(&mut conn).unwrap_err();
        assert_hides_values(&error);
        assert!(error.to_string().contains("the staging table"), "{error}");
        // Large calls do without.
        let many = (0..20_000).map(|v| Part {
            k: format!("{CANARY} {v}"),
            v,
            n: None,
        });
        assert_eq!(wait(Part::bulk_upsert(&mut conn, many)).unwrap(), 20_000);
        owner
            .batch_execute(&format!("GRANT TEMPORARY ON DATABASE {name} TO {user}"))
            .unwrap();
        assert_eq!(copy(&mut conn).unwrap(), 2);
        drop((conn, owner));
        admin
            .batch_execute(&format!("DROP DATABASE {name}"))
            .unwrap();
    }

    /// Row-level security: what a policy refuses is an error, and nothing is written.
    #[test]
    fn policies() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        database.run(
            "ALTER TABLE parts ENABLE ROW LEVEL SECURITY; \
             CREATE POLICY mine ON parts USING (v < 10) WITH CHECK (v < 10)",
        );
        let mut role = Role::new(&database);
        role.set("SELECT, INSERT, UPDATE", true);
        let mut conn = role.connect(&database);
        let part = |i: i32, v| Part {
            k: format!("{CANARY} {i}"),
            v,
            n: None,
        };
        wait(part(0, 50).upsert(&mut database.conn)).unwrap();
        wait(part(1, 1).upsert(&mut database.conn)).unwrap();

        let table = |conn: &mut Conn| -> Vec<(String, i32)> {
            parts::table
                .select((parts::k, parts::v))
                .order(parts::k)
                .load(conn)
                .unwrap()
        };
        let before = table(&mut database.conn);
        let mut strategies = vec![Strategy::Values, Strategy::Unnest];
        strategies.extend(COPIES.then_some(Strategy::Copy));
        for strategy in strategies {
            for (what, last) in [
                ("a row that may not be inserted", part(3, 70)),
                ("a row that may not be updated so", part(1, 70)),
                ("a row of somebody else", part(0, 5)),
            ] {
                let rows = [part(2, 2), last];
                for chunk_size in [1, 10] {
                    let call = upsert(&rows).chunk_size(chunk_size).strategy(strategy);
                    let error = wait(call.execute(&mut conn)).unwrap_err();
                    assert!(
                        matches!(error, Error::Statement { .. }),
                        "{what}: {error:?}"
                    );
                    assert_hides_values(&error);
                    assert_eq!(table(&mut database.conn), before, "{what}, {strategy}");
                }
            }
            let allowed = [part(1, 2), part(2, 3)];
            let call = upsert(&allowed).strategy(strategy);
            assert_eq!(wait(call.execute(&mut conn)).unwrap(), 2);
            database.run(
                "DELETE FROM parts WHERE k LIKE '%2'; UPDATE parts SET v = 1 WHERE k LIKE '%1'",
            );
        }
        // That somebody else has the key is seen: nothing is inserted, and nothing fails.
        let call = upsert([part(0, 5), part(1, 5)]).do_nothing();
        assert_eq!(wait(call.execute(&mut conn)).unwrap(), 0);
        let outcome = wait(upsert([part(0, 5)]).outcome(&mut conn)).unwrap_err();
        assert_hides_values(&outcome);
        // The row of somebody else is not returned.
        let get = upsert([part(0, 5)]).do_nothing().returning(parts::v);
        let error = wait(get.get_results::<i32, _>(&mut conn)).unwrap_err();
        assert_hides_values(&error);
        assert_eq!(table(&mut database.conn), before);
        // What a policy refuses can be left out.
        let mut failed = Vec::new();
        let call = upsert([part(5, 5), part(6, 60)]);
        let call = call.on_error(upsert_core::OnError::Skip(&mut failed));
        assert_eq!(wait(call.execute(&mut conn)).unwrap(), 1);
        assert_eq!(failed.iter().map(|it| it.row).collect::<Vec<_>>(), [1]);
        assert_eq!(table(&mut database.conn).len(), before.len() + 1);
    }
}

#[cfg(feature = "mysql")]
mod mysql {
    use super::*;
    use crate::api::connect;
    use crate::support::mysql::{Conn, TestDatabase};

    calls!(Conn);

    /// A user, dropped at the end.
    struct User {
        admin: Conn,
        name: String,
        url: String,
    }

    impl User {
        fn new(database: &TestDatabase) -> Self {
            let mut admin = database.connect();
            let (_, server) = database.url().split_once('@').unwrap();
            let (_, schema) = server.rsplit_once('/').unwrap();
            // At most 32 characters are a name.
            let name = schema.replace("upsert_", "u");
            admin
                .batch_execute(&format!("CREATE USER {name}@'%' IDENTIFIED BY 'Pa-{name}'"))
                .unwrap();
            let url = format!("mysql://{name}:Pa-{name}@{server}");
            Self { admin, name, url }
        }

        fn set(&mut self, grant: &str, is_granted: bool) {
            let sql = set(grant, is_granted, &format!("{}@'%'", self.name));
            self.admin.batch_execute(&sql).unwrap();
        }
    }

    impl Drop for User {
        fn drop(&mut self) {
            let _ = self
                .admin
                .batch_execute(&format!("DROP USER {}@'%'", self.name));
        }
    }

    #[test]
    fn the_least_privileges() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        database.run(<diesel::mysql::Mysql as upsert_core::Dialect>::CREATE_TOKENS);
        let mut user = User::new(&database);
        let tokens = ["INSERT ON upsert_tokens", "SELECT ON upsert_tokens"];
        let grants: Vec<_> = COLUMNS.into_iter().chain(tokens).collect();
        let mut found = Vec::new();
        for call in CALLS {
            let url = user.url.clone();
            let needed = least(
                &grants,
                |grant, is| user.set(grant, is),
                || {
                    database.run("DELETE FROM parts; DELETE FROM upsert_tokens");
                    wait(rows()[0].upsert(&mut database.conn)).unwrap();
                    // Another one may recall what the catalog said.
                    let mut conn: Conn = connect(&url);
                    run(call, &mut conn)
                },
            );
            found.push((call.to_owned(), shown(&needed)));
        }
        assert_documented("MariaDB", &found);
    }
}

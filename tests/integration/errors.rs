//! What a call says when it fails, and what it does not say.

use std::error::Error as StdError;

use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::sql_types::Text;
use upsert_core::{Duplicates, Error};

use crate::api::{Upsertable, upsert, wait};
use crate::support::{Recorder, System, Unwritable, on_every_database};

diesel::table! {
    members (email) {
        email -> Text,
        nick -> Text,
        age -> Integer,
        team -> Integer,
    }
}

diesel::table! {
    teams (id) {
        id -> Integer,
        name -> Text,
    }
}

/// `{0}` stands for the constraints.
fn create(constraints: &str) -> String {
    format!(
        "CREATE TABLE teams (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(20) NOT NULL); \
         INSERT INTO teams (id, name) VALUES (1, 'red'), (2, 'blue'); \
         CREATE TABLE members (email VARCHAR(60) NOT NULL, nick VARCHAR(60) NOT NULL, \
         age INTEGER NOT NULL, team INTEGER NOT NULL{constraints})",
    )
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = members)]
#[upsert(update_all)]
struct Member {
    #[conflict_key]
    email: String,
    nick: String,
    age: i32,
    team: i32,
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = members)]
#[upsert(do_nothing)]
struct NewMember<'a> {
    #[conflict_key]
    email: &'a str,
    nick: &'a str,
    age: i32,
    team: i32,
}

/// Does not supply `age` and `team`.
#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = members)]
#[upsert(update_all)]
struct Incomplete {
    #[conflict_key]
    email: String,
    nick: String,
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = members)]
#[upsert(update_all)]
struct UnwritableNick {
    #[conflict_key]
    email: String,
    nick: Unwritable,
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = members)]
#[upsert(update_all)]
struct UnwritableEmail {
    #[conflict_key]
    email: Unwritable,
    nick: String,
}

/// What no error may show, in every text column of every row.
const CANARY: &str = "canary";

type Row = (String, String, i32, i32);

fn member(email: &str, nick: &str, age: i32, team: i32) -> Member {
    Member {
        email: format!("{email} {CANARY}"),
        nick: format!("{nick} {CANARY}"),
        age,
        team,
    }
}

fn row(email: &str, nick: &str, age: i32, team: i32) -> Row {
    let member = member(email, nick, age, team);
    (member.email, member.nick, age, team)
}

/// Checks that nothing which shows the error itself shows a value.
#[track_caller]
fn assert_hides_values(error: &Error) {
    for shown in [
        error.to_string(),
        format!("{error:?}"),
        format!("{error:#?}"),
        format!("{:?}", error.place()),
    ] {
        assert!(!shown.contains(CANARY), "{shown}");
        // Nor a number of theirs.
        assert!(!shown.contains("4711"), "{shown}");
    }
}

/// Checks that the database's error is the source, and that it is the one that
/// has the values.
#[track_caller]
fn assert_source(error: &Error, kind: Option<DatabaseErrorKind>) {
    let source = StdError::source(error).expect("there is a source");
    let source = source
        .downcast_ref::<DieselError>()
        .expect("it is diesel's");
    let DieselError::DatabaseError(actual, info) = source else {
        panic!("{source:?}");
    };
    assert!(!info.message().is_empty());
    if let Some(kind) = kind {
        assert_eq!(format!("{actual:?}"), format!("{kind:?}"));
    }
}

/// Into diesel's error and back.
fn round_trip(error: Error) -> Error {
    Error::from(DieselError::from(error))
}

on_every_database! {
    shared {
        fn rows(conn: &mut Conn) -> Vec<Row> {
            members::table.order(members::email).load(conn).unwrap()
        }
    }

    #[test]
    fn no_unique_index(database) {
        // An index on one column more, and one on another, do not help.
        database.run(&create(", UNIQUE (email, nick), UNIQUE (nick)"));
        let conn = &mut database.conn;
        let values = (
            members::email.eq(format!("a {CANARY}")),
            members::nick.eq(format!("x {CANARY}")),
            members::age.eq(1),
            members::team.eq(1),
        );
        diesel::insert_into(members::table).values(values).execute(conn).unwrap();
        let expected = [row("a", "x", 1, 1)];

        let many: Vec<_> = (0..9).map(|i| member(&i.to_string(), &i.to_string(), 4711, 1)).collect();
        for (members, chunk_size) in [(&many[..1], 1), (&many[..], 100), (&many[..], 2)] {
            let error = wait(upsert(members).chunk_size(chunk_size).execute(conn)).unwrap_err();
            assert!(matches!(error, Error::NoUniqueIndex { .. }), "{error:?}");
            assert_hides_values(&error);
            assert_eq!(
                error.to_string(),
                "`members` has no unique index on (email), the conflict target: mark all fields \
                 of the primary key or of another unique index with `#[conflict_key]`, or create \
                 one, for example `CREATE UNIQUE INDEX members_email_key ON members (email)`; the \
                 model's `verify(..)` says which there are; an index with a `WHERE` needs that in \
                 `target_where = ..`",
            );
            let place = error.place().unwrap();
            assert_eq!((&*place.table, place.target.join(", ")), ("members", "email".to_owned()));
            match system::SYSTEM {
                // Found in the catalog.
                #[cfg(feature = "mysql")]
                System::Mysql => {
                    assert!(error.source().is_none());
                    let error = round_trip(error);
                    assert!(matches!(error, Error::NoUniqueIndex { .. }), "{error:?}");
                }
                _ => assert_source(&error, None),
            }
            assert_eq!(rows(conn), expected);
        }
        let new = NewMember { email: "canary", nick: "canary", age: 4711, team: 1 };
        let error = wait(new.upsert(conn)).unwrap_err();
        assert!(matches!(error, Error::NoUniqueIndex { .. }), "{error:?}");
        assert_hides_values(&error);
        assert_eq!(rows(conn), expected);

        // The advice helps.
        database.run("CREATE UNIQUE INDEX members_email_key ON members (email)");
        let conn = &mut database.conn;
        assert_eq!(wait(Member::bulk_upsert(conn, &many)).unwrap(), 9);
        assert_eq!(rows(conn).len(), 10);
    }

    #[test]
    fn a_repeated_key(database) {
        database.run(&create(", PRIMARY KEY (email)"));
        let conn = &mut database.conn;
        let members = [
            member("a", "x", 4711, 1),
            member("b", "y", 4711, 1),
            member("a", "z", 4711, 1),
        ];
        let recorder = Recorder::of(conn);
        let error = wait(
            upsert(&members)
                .on_duplicate(Duplicates::Reject)
                .execute(conn),
        )
        .unwrap_err();
        assert_eq!(recorder.take(), []);
        assert_hides_values(&error);
        assert!(error.source().is_none());
        assert_eq!(
            error.to_string(),
            "a conflict key is repeated in the input for `members` on conflict (email): the rows \
             0, 2: remove the repeated rows, or choose another policy with `on_duplicate(..)`",
        );

        // Diesel has no error for it, so it travels as it is.
        let shown = error.to_string();
        let diesel = DieselError::from(error);
        assert!(matches!(diesel, DieselError::QueryBuilderError(_)), "{diesel:?}");
        assert!(!format!("{diesel} {diesel:?}").contains(CANARY));
        assert_eq!(diesel.to_string(), shown);
        let error = Error::from(diesel);
        assert!(
            matches!(&error, Error::RepeatedKey { groups, .. } if *groups == [[0, 2]]),
            "{error:?}",
        );
        assert_eq!(rows(conn), []);
    }

    #[test]
    fn another_unique_index(database) {
        database.run(&create(
            ", PRIMARY KEY (email), CONSTRAINT members_nick_key UNIQUE (nick)",
        ));
        let mut other = database.connect();
        let conn = &mut database.conn;
        wait(Member::bulk_upsert(conn, [member("a", "x", 1, 1), member("b", "y", 2, 2)])).unwrap();
        let expected = [row("a", "x", 1, 1), row("b", "y", 2, 2)];

        // A new key with another row's nick would be inserted; the row with the
        // nick must not be taken for the one with the key.
        let hijack = [member("c", "x", 4711, 2)];
        // A row that exists would get another row's nick.
        let collide = [member("a", "y", 4711, 2)];
        // Two rows of the input.
        let each_other = [member("c", "z", 4711, 2), member("d", "z", 4711, 2)];
        // After many that are right.
        let mut last: Vec<_> = (0..40)
            .map(|i| member(&format!("m{i}"), &format!("m{i}"), 4711, 1))
            .collect();
        last.push(member("z", "x", 4711, 2));
        for members in [&hijack[..], &collide, &each_other, &last] {
            for chunk_size in [1, 2, 100] {
                let error = wait(upsert(members).chunk_size(chunk_size).execute(conn)).unwrap_err();
                assert_hides_values(&error);
                let shown = error.to_string();
                assert!(shown.starts_with("upsert into `members` on conflict (email), "), "{shown}");
                let Error::OtherUniqueIndex { index, .. } = &error else {
                    panic!("{error:?}");
                };
                match system::SYSTEM {
                    System::Sqlite => assert_eq!(index.as_deref(), Some("members.nick")),
                    #[cfg(feature = "postgres")]
                    System::Postgres => assert_eq!(index.as_deref(), Some("members_nick_key")),
                    // The server names it only where it refuses by itself.
                    #[cfg(feature = "mysql")]
                    System::Mysql => assert!(
                        index.as_deref().is_none_or(|index| index.ends_with("members_nick_key")),
                        "{index:?}",
                    ),
                }
                if let Some(index) = index {
                    assert!(shown.contains(&format!("the unique index `{index}`")), "{shown}");
                }
                assert_source(&error, None);
                assert_eq!(rows(conn), expected);

                // As diesel's error it has the kind that code matches on.
                let diesel = DieselError::from(error);
                let DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) = &diesel
                else {
                    panic!("{diesel:?}");
                };
                let again = DieselError::from(Error::from(diesel));
                let DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) = &again
                else {
                    panic!("{again:?}");
                };
            }
        }

        // A model that does nothing does nothing only for its own key.
        let new = [
            NewMember { email: "a canary", nick: "new canary", age: 4711, team: 1 },
            NewMember { email: "e canary", nick: "y canary", age: 4711, team: 1 },
        ];
        for chunk_size in [1, 2] {
            let error = wait(upsert(&new).chunk_size(chunk_size).execute(conn)).unwrap_err();
            assert!(matches!(error, Error::OtherUniqueIndex { .. }), "{error:?}");
            assert_hides_values(&error);
            assert_eq!(rows(conn), expected);
        }
        assert_eq!(wait(new[0].upsert(conn)).unwrap(), 0);

        // In a transaction, the caller goes on.
        conn.transaction(|conn| {
            assert!(wait(Member::bulk_upsert(conn, &hijack)).is_err());
            assert_eq!(wait(member("c", "z", 3, 2).upsert(conn))?, 1);
            Ok::<_, Error>(())
        })
        .unwrap();
        assert_eq!(
            rows(&mut other),
            [row("a", "x", 1, 1), row("b", "y", 2, 2), row("c", "z", 3, 2)],
        );
    }

    /// Here the row that is found by the other index has the same key, too.
    #[test]
    fn both_unique_indexes_hold_the_same_row(database) {
        database.run(&create(", PRIMARY KEY (email), UNIQUE (nick)"));
        let conn = &mut database.conn;
        wait(Member::bulk_upsert(conn, [member("a", "x", 1, 1), member("b", "y", 2, 2)])).unwrap();
        let again = [member("b", "y", 20, 1), member("a", "x", 10, 2)];
        assert_eq!(wait(Member::bulk_upsert(conn, &again)).unwrap(), 2);
        assert_eq!(rows(conn), [row("a", "x", 10, 2), row("b", "y", 20, 1)]);
    }

    #[test]
    fn a_statement_that_the_database_refuses(database) {
        database.run(&create(
            ", PRIMARY KEY (email), CONSTRAINT age_is_possible CHECK (age < 4711), \
             CONSTRAINT team_exists FOREIGN KEY (team) REFERENCES teams (id)",
        ));
        let conn = &mut database.conn;
        wait(Member::bulk_upsert(conn, [member("a", "x", 1, 1)])).unwrap();
        let expected = [row("a", "x", 1, 1)];

        let error = wait(member("a", "y", 4711, 1).upsert(conn)).unwrap_err();
        assert!(matches!(error, Error::Statement { .. }), "{error:?}");
        assert_hides_values(&error);
        // Diesel does not know MariaDB's number for it.
        let (kind, what) = match system::SYSTEM {
            #[cfg(feature = "mysql")]
            System::Mysql => (DatabaseErrorKind::Unknown, "the database refused the statement"),
            _ => (DatabaseErrorKind::CheckViolation, "a CHECK constraint is violated"),
        };
        let kind_text = format!("{kind:?}");
        assert_source(&error, Some(kind));
        let shown = error.to_string();
        assert!(
            shown.starts_with(&format!(
                "upsert into `members` on conflict (email), input row 0: {what}",
            )),
            "{shown}",
        );
        assert_eq!(rows(conn), expected);
        let error = round_trip(error);
        let Error::Connection(DieselError::DatabaseError(kind, _)) = &error else {
            panic!("{error:?}");
        };
        assert_eq!(format!("{kind:?}"), kind_text);
        assert_hides_values(&error);

        // The fifth and sixth row of the input are the last by key.
        let mut members: Vec<_> = ["g", "f", "e", "d", "z", "y", "c", "b"]
            .iter()
            .map(|email| member(email, "x", 1, 1))
            .collect();
        members[4].team = 47110;
        let error = wait(upsert(&members).chunk_size(2).execute(conn)).unwrap_err();
        assert_hides_values(&error);
        assert_source(&error, Some(DatabaseErrorKind::ForeignKeyViolation));
        assert_eq!(error.place().unwrap().rows, [5, 4]);
        let shown = error.to_string();
        assert!(
            shown.starts_with(
                "upsert into `members` on conflict (email), among the input rows 4, 5: a foreign \
                 key is violated",
            ),
            "{shown}",
        );
        assert!(
            shown.ends_with("; with `on_error(OnError::Name)` the error names the row"),
            "{shown}",
        );
        assert_eq!(rows(conn), expected);

        let incomplete: Vec<_> = (0..20)
            .map(|i| Incomplete { email: format!("{i} {CANARY}"), nick: CANARY.to_owned() })
            .collect();
        let error = wait(upsert(&incomplete).chunk_size(16).execute(conn)).unwrap_err();
        assert_hides_values(&error);
        assert_source(&error, None);
        let shown = error.to_string();
        assert!(
            shown.starts_with("upsert into `members` on conflict (email), among 16 input rows between "),
            "{shown}",
        );
        assert_eq!(rows(conn), expected);
    }

    #[test]
    fn a_table_that_is_not_there(database) {
        let conn = &mut database.conn;
        let error = wait(member("a", "x", 4711, 1).upsert(conn)).unwrap_err();
        assert!(matches!(error, Error::Statement { .. }), "{error:?}");
        assert_hides_values(&error);
        assert_source(&error, None);
        assert!(error.to_string().contains("`members`"), "{error}");
    }

    #[test]
    fn a_value_that_cannot_be_serialized(database) {
        database.run(&create(", PRIMARY KEY (email)"));
        let conn = &mut database.conn;
        let by_nick = [
            UnwritableNick { email: "a".to_owned(), nick: Unwritable(CANARY.to_owned()) },
            UnwritableNick { email: "b".to_owned(), nick: Unwritable(CANARY.to_owned()) },
        ];
        let by_email =
            [UnwritableEmail { email: Unwritable(CANARY.to_owned()), nick: "a".to_owned() }];
        for error in [
            wait(upsert(&by_nick).execute(conn)).unwrap_err(),
            wait(upsert(&by_nick).chunk_size(1).execute(conn)).unwrap_err(),
            wait(upsert(&by_email).execute(conn)).unwrap_err(),
        ] {
            let Error::Statement { source: DieselError::SerializationError(reason), .. } = &error
            else {
                panic!("{error:?}");
            };
            assert_eq!(reason.to_string(), "`canary` cannot be written");
            assert_hides_values(&error);
            assert!(error.to_string().starts_with("upsert into `members` on conflict (email), "));
        }
        assert_eq!(rows(conn), []);

        // Nor in a transaction does it disturb what comes after.
        conn.transaction(|conn| {
            assert!(wait(upsert(&by_nick).execute(conn)).is_err());
            assert_eq!(wait(member("a", "x", 1, 1).upsert(conn))?, 1);
            Ok::<_, Error>(())
        })
        .unwrap();
        assert_eq!(rows(conn), [row("a", "x", 1, 1)]);
    }

    /// What else is shown of a call.
    #[test]
    fn a_call_does_not_show_its_rows(database) {
        let members = [member("a", "x", 4711, 1)];
        let call = upsert(&members);
        assert!(!format!("{call:?} {call:#?}").contains(CANARY));
        let statement = call.statement::<<Conn as Connection>::Backend>().unwrap();
        assert!(!format!("{statement:?} {statement:#?}").contains(CANARY));
    }

    #[test]
    fn diesels_errors_round_trip(database) {
        assert!(matches!(
            DieselError::from(Error::from(DieselError::NotFound)),
            DieselError::NotFound,
        ));
        assert!(matches!(
            DieselError::from(Error::from(DieselError::RollbackTransaction)),
            DieselError::RollbackTransaction,
        ));
        let error = Error::from(DieselError::QueryBuilderError("reason".into()));
        assert!(matches!(&error, Error::Connection(DieselError::QueryBuilderError(_))));
        assert_eq!(DieselError::from(error).to_string(), "reason");

        // A query of the caller's shows no values either.
        database.run(&create(", PRIMARY KEY (email)"));
        let conn = &mut database.conn;
        wait(member("a", "x", 1, 1).upsert(conn)).unwrap();
        let values = (
            members::email.eq(format!("a {CANARY}")),
            members::nick.eq(CANARY),
            members::age.eq(4711),
            members::team.eq(1),
        );
        let error: Error = diesel::insert_into(members::table)
            .values(values)
            .execute(conn)
            .unwrap_err()
            .into();
        assert_source(&error, Some(DatabaseErrorKind::UniqueViolation));
        assert_hides_values(&error);
        assert!(error.place().is_none());
    }
}

// --- PostgreSQL -------------------------------------------------------------

/// A row that PostgreSQL sees twice, because a trigger gives all one key.
#[cfg(feature = "postgres")]
#[test]
fn a_message_of_a_trigger_stays_in_the_source() {
    use crate::support::postgres::TestDatabase;

    let mut database = TestDatabase::new();
    database.run(&create(", PRIMARY KEY (email)"));
    database.run(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
         $$BEGIN RAISE EXCEPTION 'refused %', NEW.email USING HINT = NEW.nick, \
         DETAIL = NEW.nick; END$$; \
         CREATE TRIGGER refuse BEFORE INSERT ON members \
         FOR EACH ROW EXECUTE FUNCTION refuse()",
    );
    let conn = &mut database.conn;
    let error = wait(member("a", "x", 4711, 1).upsert(conn)).unwrap_err();
    assert_hides_values(&error);
    assert_source(&error, None);
    assert!(error.source().unwrap().to_string().contains(CANARY));
}

#[cfg(feature = "postgres")]
#[test]
fn a_closed_connection() {
    use crate::support::postgres::TestDatabase;

    let mut database = TestDatabase::new();
    database.run(&create(", PRIMARY KEY (email)"));
    let mut victim = database.connect();
    let pid: i32 = diesel::select(diesel::dsl::sql::<diesel::sql_types::Integer>(
        "pg_backend_pid()",
    ))
    .get_result(&mut victim)
    .unwrap();
    database.run(&format!("SELECT pg_terminate_backend({pid}, 10000)"));
    let members: Vec<_> = (0..9)
        .map(|i| member(&i.to_string(), "x", 4711, 1))
        .collect();
    for chunk_size in [100, 2] {
        let error = wait(upsert(&members).chunk_size(chunk_size).execute(&mut victim)).unwrap_err();
        assert_hides_values(&error);
    }
    assert_eq!(members::table.count().get_result(&mut database.conn), Ok(0));
}

// --- MySQL and MariaDB ------------------------------------------------------

#[cfg(feature = "mysql")]
mod on_mysql_only {
    use diesel::connection::SimpleConnection;

    use super::*;
    use crate::support::mysql::TestDatabase;

    diesel::table! {
        files (name) {
            name -> Text,
            content -> Binary,
        }
    }

    const CREATE_FILES: &str =
        "CREATE TABLE files (name VARCHAR(40) PRIMARY KEY, content LONGBLOB NOT NULL)";

    #[derive(Debug, Upsertable)]
    #[diesel(table_name = files)]
    struct File<'a> {
        #[conflict_key]
        name: &'a str,
        #[on_conflict(update)]
        content: &'a [u8],
    }

    /// The name, the size, and the checksum of each file.
    fn files(database: &mut TestDatabase) -> Vec<(String, i32, String)> {
        use diesel::dsl::sql;
        use diesel::sql_types::Integer;

        files::table
            .order(files::name)
            .select((
                files::name,
                sql::<Integer>("LENGTH(content)"),
                sql::<Text>("MD5(content)"),
            ))
            .load(&mut database.conn)
            .unwrap()
    }

    fn packet(database: &mut TestDatabase) -> usize {
        use diesel::dsl::sql;
        use diesel::sql_types::BigInt;

        let packet: i64 = diesel::select(sql::<BigInt>("@@max_allowed_packet"))
            .get_result(&mut database.conn)
            .unwrap();
        usize::try_from(packet).unwrap()
    }

    #[test]
    fn a_row_larger_than_the_packet() {
        let mut database = TestDatabase::new();
        database.run(CREATE_FILES);
        let packet = packet(&mut database);
        let content = vec![b'x'; packet + 1];
        let mut rows: Vec<_> = ["a", "b", "c"]
            .map(|name| File {
                name,
                content: b"small",
            })
            .into();
        rows.push(File {
            name: "large canary",
            content: &content,
        });
        rows.push(File {
            name: "z",
            content: b"small",
        });

        let conn = &mut database.conn;
        let recorder = Recorder::of(conn);
        for (rows, row) in [(&rows[..], 3), (&rows[3..4], 0)] {
            let error = wait(upsert(rows).execute(conn)).unwrap_err();
            let Error::StatementTooLarge {
                place,
                bytes,
                limit,
                ..
            } = &error
            else {
                panic!("{error:?}");
            };
            assert_eq!(place.rows, [row]);
            assert!(bytes.is_none_or(|bytes| bytes > packet), "{bytes:?}");
            assert_eq!(*limit, Some(packet));
            assert_hides_values(&error);
            let shown = error.to_string();
            assert!(
                shown.starts_with(&format!(
                    "upsert into `files` on conflict (name), input row {row}: "
                )),
                "{shown}",
            );
            assert!(shown.contains("max_allowed_packet"), "{shown}");
            let error = round_trip(error);
            assert!(
                matches!(error, Error::StatementTooLarge { .. }),
                "{error:?}"
            );
        }
        assert_eq!(recorder.take_upserts(), [""; 0]);
        assert_eq!(files(&mut database), []);

        // The connection is still there, and so are the others' rows.
        assert_eq!(
            wait(File::bulk_upsert(&mut database.conn, &rows[..3])).unwrap(),
            3
        );
        let sizes: Vec<_> = files(&mut database)
            .into_iter()
            .map(|(name, size, _)| (name, size))
            .collect();
        let small = |name: &str| (name.to_owned(), 5);
        assert_eq!(sizes, [small("a"), small("b"), small("c")]);
    }

    /// What the connection keeps of the catalog is not trusted with many rows.
    #[test]
    fn an_index_that_is_dropped_between_calls() {
        let mut database = TestDatabase::new();
        database.run(CREATE_FILES);
        let names: Vec<String> = (0..101).map(|i| format!("file {i}")).collect();
        let rows = || {
            names.iter().map(|name| File {
                name,
                content: b"small",
            })
        };
        let conn = &mut database.conn;
        assert_eq!(wait(upsert(rows()).execute(conn)).unwrap(), 101);
        database.run("DROP TABLE files");
        database.run(&CREATE_FILES.replace("PRIMARY KEY", ""));
        let error = wait(upsert(rows()).execute(&mut database.conn)).unwrap_err();
        assert!(matches!(error, Error::NoUniqueIndex { .. }), "{error:?}");
        assert_eq!(files(&mut database), []);
    }

    /// A row that is not sent may have any size.
    #[test]
    fn a_large_row_that_is_left_out() {
        let mut database = TestDatabase::new();
        database.run(CREATE_FILES);
        let content = vec![b'x'; packet(&mut database) + 1];
        let contents: [&[u8]; 2] = [&content, b"small"];
        let rows = contents.map(|content| File { name: "a", content });
        let call = upsert(&rows).on_duplicate(Duplicates::KeepLast);
        assert_eq!(wait(call.execute(&mut database.conn)).unwrap(), 1);
        let files = files(&mut database);
        assert!(
            matches!(&files[..], [(name, 5, _)] if name == "a"),
            "{files:?}"
        );
    }

    #[test]
    fn many_large_rows_go_out_in_statements_that_fit() {
        const MIB: usize = 1024 * 1024;

        let mut database = TestDatabase::new();
        database.run(CREATE_FILES);
        let packet = packet(&mut database);
        let count = u8::try_from(packet * 2 / MIB + 3).unwrap();
        let names: Vec<_> = (0..count).map(|i| format!("file {i:03}")).collect();
        let contents: Vec<_> = (0..count).map(|i| vec![i; MIB + usize::from(i)]).collect();
        let rows: Vec<_> = names
            .iter()
            .zip(&contents)
            .map(|(name, content)| File { name, content })
            .collect();
        for _ in 0..2 {
            assert_eq!(
                wait(File::bulk_upsert(&mut database.conn, &rows)).unwrap(),
                rows.len()
            );
        }
        let files = files(&mut database);
        assert_eq!(files.len(), rows.len());
        for (i, (name, size, _)) in files.iter().enumerate() {
            assert_eq!((name, usize::try_from(*size)), (&names[i], Ok(MIB + i)));
        }
        // All of each file is of its own byte.
        let mixed = files::table
            .filter(diesel::dsl::sql::<diesel::sql_types::Bool>(
                "content <> REPEAT(LEFT(content, 1), LENGTH(content)) \
                 OR ORD(LEFT(content, 1)) <> SUBSTRING(name, 6)",
            ))
            .count()
            .get_result::<i64>(&mut database.conn);
        assert_eq!(mixed, Ok(0));
    }

    /// The same name means another table in another database.
    #[test]
    fn a_table_of_the_same_name_without_the_index() {
        let mut with_index = TestDatabase::new();
        with_index.run(&create(", PRIMARY KEY (email)"));
        let mut without = TestDatabase::new();
        without.run(&create(""));

        assert_eq!(
            wait(member("a", "x", 1, 1).upsert(&mut with_index.conn)).unwrap(),
            1
        );
        for _ in 0..2 {
            let result = wait(member("a", "x", 4711, 1).upsert(&mut without.conn));
            assert!(
                matches!(result, Err(Error::NoUniqueIndex { .. })),
                "{result:?}"
            );
        }
        assert_eq!(members::table.count().get_result(&mut without.conn), Ok(0));
    }

    /// Nor is it taken for the other on one connection that goes from one to the other.
    #[test]
    fn another_database_without_the_index() {
        let mut with_index = TestDatabase::new();
        with_index.run(&create(", PRIMARY KEY (email)"));
        let mut without = TestDatabase::new();
        without.run(&create(""));
        let use_database = |url: &str| {
            let (_, name) = url.rsplit_once('/').unwrap();
            format!("USE `{name}`")
        };
        let [own, other] = [with_index.url(), without.url()].map(use_database);

        let conn = &mut with_index.conn;
        // No numbers of rows for which Diesel keeps the statement, which stays in the
        // database that it was prepared in.
        for count in [11, 99] {
            let rows: Vec<_> = (0..count)
                .map(|i| member(&i.to_string(), "x", 1, 1))
                .collect();
            assert_eq!(wait(Member::bulk_upsert(conn, &rows)).unwrap(), count);
            conn.batch_execute(&other).unwrap();
            let result = wait(Member::bulk_upsert(conn, &rows));
            assert!(
                matches!(result, Err(Error::NoUniqueIndex { .. })),
                "{result:?}"
            );
            conn.batch_execute(&own).unwrap();
        }
        assert_eq!(members::table.count().get_result(&mut without.conn), Ok(0));
    }

    /// What a connection keeps of the catalog is not trusted for longer than a second.
    #[test]
    fn an_index_that_was_dropped() {
        let mut database = TestDatabase::new();
        database.run(&create(", PRIMARY KEY (email)"));
        let row = member("a", "x", 1, 1);
        assert_eq!(wait(row.upsert(&mut database.conn)).unwrap(), 1);
        database.run("ALTER TABLE members DROP PRIMARY KEY");
        std::thread::sleep(std::time::Duration::from_millis(1100));
        for _ in 0..2 {
            let result = wait(row.upsert(&mut database.conn));
            assert!(
                matches!(result, Err(Error::NoUniqueIndex { .. })),
                "{result:?}"
            );
        }
        assert_eq!(members::table.count().get_result(&mut database.conn), Ok(1));
    }

    /// A value in the server's message is not taken for what the call itself raises.
    #[test]
    fn values_like_our_own_errors() {
        let mut database = TestDatabase::new();
        database.run(&create(", PRIMARY KEY (email), UNIQUE (nick)"));
        let row = |email: &str, nick: &str| Member {
            email: email.to_owned(),
            nick: nick.to_owned(),
            age: 1,
            team: 1,
        };
        for raised in ["exp711*", "exp(711 * (", "exp710+", "max_allowed_packet"] {
            let rows = [row("a", raised), row("b", "other")];
            assert_eq!(
                wait(Member::bulk_upsert(&mut database.conn, &rows)).unwrap(),
                2
            );
            let conn = &mut database.conn;
            let results = [
                wait(row("b", raised).upsert(conn)),
                wait(upsert([row("b", raised)]).outcome(conn)).map(|_| 0),
            ];
            for result in results {
                let error = result.unwrap_err();
                assert!(
                    matches!(&error, Error::OtherUniqueIndex { index: Some(index), .. }
                        if index == "nick"),
                    "{error:?}"
                );
            }
        }
    }

    /// On the first characters only, an index holds more rows equal.
    #[test]
    fn an_index_on_a_part_of_the_column() {
        let mut database = TestDatabase::new();
        database.run(&create(", UNIQUE (email(3))"));
        let result = wait(member("a", "x", 4711, 1).upsert(&mut database.conn));
        assert!(
            matches!(result, Err(Error::NoUniqueIndex { .. })),
            "{result:?}"
        );
        assert_eq!(members::table.count().get_result(&mut database.conn), Ok(0));
    }

    /// A unique index that is not on the target holds rows by a key of which a
    /// part is NULL, or by several columns.
    #[test]
    fn a_second_key_never_takes_another_row() {
        diesel::table! {
            seats (room, number) {
                room -> Text,
                number -> Integer,
                guest -> Nullable<Integer>,
                note -> Text,
            }
        }

        #[derive(Debug, Clone, Upsertable)]
        #[diesel(table_name = seats)]
        #[upsert(update_all)]
        struct Seat {
            #[conflict_key]
            room: &'static str,
            #[conflict_key]
            number: i32,
            guest: Option<i32>,
            note: &'static str,
        }

        let mut database = TestDatabase::new();
        database.run(
            "CREATE TABLE seats (room VARCHAR(20) NOT NULL, number INTEGER NOT NULL, \
             guest INTEGER, note VARCHAR(20) NOT NULL, PRIMARY KEY (room, number), \
             UNIQUE (room, guest))",
        );
        let conn = &mut database.conn;
        let seat = |room, number, guest, note| Seat {
            room,
            number,
            guest,
            note,
        };
        let seats = [
            seat("a", 1, Some(7), "first"),
            seat("a", 2, None, "first"),
            seat("a", 3, None, "first"),
        ];
        assert_eq!(wait(Seat::bulk_upsert(conn, &seats)).unwrap(), 3);

        for wrong in [
            // Would be taken for the first row by its guest.
            seat("a", 4, Some(7), "canary"),
            // Case does not tell the two rooms apart.
            seat("A", 4, Some(7), "canary"),
            // Would find the second row first, or the first.
            seat("a", 2, Some(7), "canary"),
        ] {
            let error = wait(wrong.upsert(conn)).unwrap_err();
            assert!(matches!(error, Error::OtherUniqueIndex { .. }), "{error:?}");
            assert_hides_values(&error);
        }
        assert_eq!(
            wait(seat("A", 3, Some(8), "second").upsert(conn)).unwrap(),
            1
        );
        let rows: Vec<(String, i32, Option<i32>, String)> =
            seats::table.order(seats::number).load(conn).unwrap();
        let row = |number, guest, note: &str| ("a".to_owned(), number, guest, note.to_owned());
        assert_eq!(
            rows,
            [
                row(1, Some(7), "first"),
                row(2, None, "first"),
                row(3, Some(8), "second")
            ],
        );
    }
}

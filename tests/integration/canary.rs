//! No value of a row is in what the crate shows: errors, reports, panics, spans, and the
//! `Debug` of everything.
//!
//! Every column and every key of every row has the canary, and all that is public and within
//! reach of a failure is searched for it. The one exception is `source()`, which is documented
//! to have the database's message.

use std::cell::RefCell;
use std::error::Error as StdError;
use std::fmt::{Debug, Display, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::Error as DieselError;
use upsert_core::{Contention, Duplicates, Error, FailedRow, OnError, Retry, Strategy};

#[cfg(any(feature = "postgres", feature = "mysql"))]
use crate::api::connect;
use crate::api::{COPIES, Upsertable, stream, upsert, upsert_stream, wait};
use crate::log::{Log, subscriber};
#[cfg(any(feature = "postgres", feature = "mysql"))]
use crate::proxy::{Cut, Proxy};
use crate::support::{PanickingText, System, Unwritable, on_every_database};

const CANARY: &str = "CANARY-7f3a";

/// What the numbers have.
const NUMBER: i64 = 731_244;

diesel::table! {
    secrets (id) {
        id -> Text,
        nick -> Text,
        code -> Text,
        note -> Nullable<Text>,
        owner -> Text,
        number -> BigInt,
    }
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = secrets)]
#[upsert(update_all)]
struct Secret {
    #[conflict_key]
    id: String,
    nick: String,
    code: String,
    note: Option<String>,
    owner: String,
    number: i64,
}

fn secret(i: i32) -> Secret {
    let text = |what| format!("{CANARY} {what} {i}");
    Secret {
        id: text("id"),
        nick: text("nick"),
        code: text("code"),
        note: Some(text("note")),
        owner: CANARY.to_owned(),
        number: NUMBER,
    }
}

/// What no database takes, as it is the nick of another row.
#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = secrets)]
#[upsert(do_nothing)]
struct NewSecret {
    #[conflict_key]
    id: String,
    nick: String,
    code: String,
    note: Option<String>,
    owner: String,
    number: i64,
}

/// Its nick is a key that no index is on.
#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = secrets)]
#[upsert(update_all)]
struct ByCode {
    id: String,
    nick: String,
    #[conflict_key]
    code: String,
    note: Option<String>,
    owner: String,
    number: i64,
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = secrets)]
#[upsert(update_all)]
struct UnwritableNote {
    #[conflict_key]
    id: String,
    nick: String,
    code: String,
    note: Unwritable,
    owner: String,
    number: i64,
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = secrets)]
#[upsert(update_all)]
struct UnwritableKey {
    #[conflict_key]
    id: Unwritable,
    nick: String,
    code: String,
    owner: String,
    number: i64,
}

#[derive(Debug, Clone, Upsertable)]
#[diesel(table_name = secrets)]
#[upsert(update_all)]
struct PanickingNote {
    #[conflict_key]
    id: String,
    nick: String,
    code: String,
    note: PanickingText,
    owner: String,
    number: i64,
}

fn create(system: System) -> String {
    let (ascii, checks) = match system {
        System::Sqlite => (
            "",
            ", CHECK (length(nick) <= 60), CHECK (number < 2147483648), \
             CHECK (instr(code, char(0)) = 0)",
        ),
        #[cfg(feature = "postgres")]
        System::Postgres => ("", ""),
        #[cfg(feature = "mysql")]
        System::Mysql => ("CHARACTER SET ascii ", ""),
    };
    let trigger = match system {
        // Before SQLite 3.47 the text is a literal.
        System::Sqlite => &format!(
            "CREATE TRIGGER refuse BEFORE INSERT ON secrets WHEN NEW.note LIKE 'refuse %' BEGIN \
             SELECT RAISE(ABORT, 'refuse {CANARY}'); END"
        ),
        #[cfg(feature = "postgres")]
        System::Postgres => {
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF NEW.note LIKE 'refuse %' THEN RAISE EXCEPTION '%', NEW.note \
             USING DETAIL = NEW.nick, HINT = NEW.id; END IF; RETURN NEW; END $$; \
             CREATE TRIGGER refuse BEFORE INSERT ON secrets FOR EACH ROW EXECUTE FUNCTION refuse()"
        }
        #[cfg(feature = "mysql")]
        System::Mysql => {
            "CREATE TRIGGER refuse BEFORE INSERT ON secrets FOR EACH ROW BEGIN \
             DECLARE why VARCHAR(100) DEFAULT NEW.note; IF NEW.note LIKE 'refuse %' THEN \
             SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = why; END IF; END"
        }
    };
    format!(
        "CREATE TABLE owners (name VARCHAR(60) NOT NULL PRIMARY KEY); \
         INSERT INTO owners (name) VALUES ('{CANARY}'); \
         CREATE TABLE secrets (id VARCHAR(60) NOT NULL PRIMARY KEY, nick VARCHAR(60) NOT NULL, \
         code VARCHAR(60) {ascii}NOT NULL, note VARCHAR(60) NOT NULL, owner VARCHAR(60) NOT NULL, \
         number INTEGER NOT NULL, CONSTRAINT secrets_nick UNIQUE (nick), \
         CONSTRAINT secrets_number CHECK (number > 0), \
         FOREIGN KEY (owner) REFERENCES owners (name){checks}); {trigger}"
    )
}

/// Rows that cannot be written, each with what is wrong with it.
fn bad_rows(system: System) -> Vec<(&'static str, Vec<Secret>)> {
    let with = |change: fn(&mut Secret)| {
        let mut row = secret(2);
        change(&mut row);
        vec![row]
    };
    let mut same_nick = vec![secret(2), secret(3)];
    same_nick[1].nick = secret(2).nick;
    let mut rows = vec![
        (
            "the nick of a row of the table",
            with(|row| row.nick = secret(0).nick),
        ),
        ("the nick of a row of the call", same_nick),
        ("NULL", with(|row| row.note = None)),
        ("CHECK", with(|row| row.number = -NUMBER)),
        ("FOREIGN KEY", with(|row| row.owner.push_str(" nobody"))),
        ("too long", with(|row| row.nick = CANARY.repeat(9))),
        ("out of range", with(|row| row.number = NUMBER * 10_000_001)),
        (
            "a trigger",
            with(|row| row.note = Some(format!("refuse {CANARY}"))),
        ),
    ];
    rows.push(match system {
        #[cfg(feature = "mysql")]
        System::Mysql => ("encoding", with(|row| row.code = format!("é{CANARY}"))),
        _ => ("encoding", with(|row| row.code = format!("\0{CANARY}"))),
    });
    rows
}

// --- What is searched -------------------------------------------------------

/// Fails where a text has a value, as text, as bytes, or as hexadecimal digits.
#[track_caller]
fn assert_hidden(what: &str, shown: &str) {
    let lower = shown.to_lowercase();
    let hex = format!(
        "{:x}",
        u128::from_be_bytes(std::array::from_fn(|i| match i {
            0..5 => 0,
            i => CANARY.as_bytes()[i - 5],
        }))
    );
    let bytes = format!("{:?}", CANARY.as_bytes());
    let bytes = bytes.trim_matches(['[', ']']);
    for canary in [&*CANARY.to_lowercase(), &NUMBER.to_string(), &hex, bytes] {
        assert!(!lower.contains(canary), "{what}: {shown}");
    }
}

#[track_caller]
fn assert_debug_hidden(what: &str, value: &dyn Debug) {
    assert_hidden(what, &format!("{value:?} {value:#?}"));
}

#[track_caller]
fn assert_shown_hidden<T: Debug + Display + ?Sized>(what: &str, value: &T) {
    assert_hidden(what, &format!("{value} {value:#} {value:?} {value:#?}"));
}

/// Everything that is within reach of an error but its source.
#[track_caller]
fn assert_error_hidden(what: &str, error: &Error) {
    assert_shown_hidden(what, error);
    assert_debug_hidden(what, &error.place());
    if let Some(place) = error.place() {
        assert_shown_hidden(what, place);
    }
    assert_debug_hidden(what, &(error.commit_outcome(), error.contention()));
    match error {
        Error::FailedRows { failed, .. } => assert_failed_hidden(what, failed),
        Error::Interrupted { source, .. } => assert_error_hidden(what, source),
        Error::OtherUniqueIndex { index, .. } => assert_debug_hidden(what, index),
        Error::RepeatedKey { groups, .. } => assert_debug_hidden(what, groups),
        Error::Refused { table, reason } => assert_debug_hidden(what, &(table, reason)),
        Error::Token { create_table, .. } => assert_hidden(what, create_table),
        _ => {}
    }
}

#[track_caller]
fn assert_failed_hidden(what: &str, failed: &[FailedRow]) {
    assert_debug_hidden(what, &failed);
    for failed in failed {
        assert_error_hidden(what, &failed.error);
    }
}

/// What an error becomes for a caller with Diesel's errors: the database's own, or one that
/// has no value.
#[track_caller]
fn assert_conversion_hidden(what: &str, error: Error) {
    let has_source = error.source().is_some();
    match DieselError::from(error) {
        DieselError::QueryBuilderError(inner) => assert_shown_hidden(what, &*inner),
        _ => assert!(has_source, "{what}"),
    }
}

/// Has the source of an error the value?
fn source_has_value(error: &Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        let text = format!("{cause} {cause:?}");
        let of_database = match cause.downcast_ref::<DieselError>() {
            Some(DieselError::DatabaseError(_, info)) => {
                format!("{:?} {:?}", info.details(), info.hint())
            }
            _ => String::new(),
        };
        if text.contains(CANARY) || of_database.contains(CANARY) {
            return true;
        }
        source = cause.source();
    }
    false
}

/// What all threads have said of their panics.
static PANICS: Mutex<String> = Mutex::new(String::new());

/// Keeps what is said of panics from now on.
fn listen_to_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let next = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let mut panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
            writeln!(panics, "{info}").unwrap();
            drop(panics);
            next(info);
        }));
    });
}

/// The panics that are not of a failed assertion in here, which has the text that it failed for.
#[track_caller]
fn assert_panics_hidden(expected: &str) {
    // Not locked, as a panic in here is one too.
    let panics = PANICS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    assert!(panics.contains(expected), "{panics}");
    assert_hidden("a panic", &panics);
}

fn retry() -> Retry {
    Retry::default()
        .attempts(2)
        .max_delay(Duration::from_millis(1))
}

on_every_database! {
    shared {
        /// What the calls with these rows fail with, in every way to call them.
        fn errors(database: &mut system::TestDatabase, rows: &[Secret]) -> Vec<(String, Error)> {
            let found = RefCell::new(Vec::new());
            let push = |way: &str, result: upsert_core::Result<()>| match result {
                Err(error) => found.borrow_mut().push((way.to_owned(), error)),
                Ok(()) => panic!("{way}: no error"),
            };
            let mut conns: Vec<_> = (0..2).map(|_| database.connect()).collect();
            let conn = &mut database.conn;
            let call = || upsert(rows);
            let last = &rows[rows.len() - 1];
            push("execute", wait(call().execute(conn)).map(drop));
            push("each row", wait(call().chunk_size(1).execute(conn)).map(drop));
            push("retry", wait(call().retry(retry()).execute(conn)).map(drop));
            push("VALUES", wait(call().strategy(Strategy::Values).execute(conn)).map(drop));
            if system::SYSTEM.is_postgres() {
                push("arrays", wait(call().strategy(Strategy::Unnest).execute(conn)).map(drop));
                if COPIES {
                    push("COPY", wait(call().strategy(Strategy::Copy).execute(conn)).map(drop));
                }
            }
            push("as given", wait(call().on_duplicate(Duplicates::KeepFirst).execute(conn)).map(drop));
            push("outcome", wait(call().outcome(conn)).map(drop));
            let returning = call().returning((secrets::id, secrets::number));
            push("returning", wait(returning.get_results::<(String, i64), _>(conn)).map(drop));
            let old = call().returning_old((secrets::id, secrets::number));
            push("old", wait(old.get_results::<(String, i64), _>(conn)).map(drop));
            push("name", wait(call().on_error(OnError::Name).execute(conn)).map(drop));
            push("name of outcome", wait(call().on_error(OnError::Name).outcome(conn)).map(drop));
            let update = call().set(secrets::note, Some(CANARY)).update_if(secrets::nick.ne(CANARY));
            push("a call's own value", wait(update.execute(conn)).map(drop));
            let result = conn.transaction(|conn| wait(call().execute(conn)).map(drop));
            push("a transaction", result);

            let mut failed = Vec::new();
            let skip = call().on_error(OnError::Skip(&mut failed));
            assert_debug_hidden("skip", &skip);
            wait(skip.execute(conn)).unwrap();
            assert!(!failed.is_empty());
            assert_failed_hidden("skip", &failed);
            assert_debug_hidden("skip", &OnError::Skip(&mut failed));
            for failed in failed {
                push("skip", Err(failed.error));
            }
            diesel::delete(secrets::table.filter(secrets::id.ne(secret(0).id))).execute(conn).unwrap();

            // What was committed before is said.
            let rows_of_stream = || [secret(1)].into_iter().chain(rows.iter().cloned());
            let every = upsert_stream(stream(rows_of_stream())).commit_every(1);
            assert_debug_hidden("stream", &every);
            let every = wait(every.execute(conn)).unwrap_err();
            assert!(matches!(every, Error::Interrupted { .. }), "{every:?}");
            push("stream", Err(every));
            let named = upsert_stream(stream(rows_of_stream())).on_error(OnError::Name);
            push("names of a stream", wait(named.execute(conn)).map(drop));
            diesel::delete(secrets::table.filter(secrets::id.ne(secret(0).id))).execute(conn).unwrap();

            if rows.len() == 1 {
                push("one", wait(last.upsert(conn)).map(drop));
                let new = NewSecret {
                    id: last.id.clone(),
                    nick: last.nick.clone(),
                    code: last.code.clone(),
                    note: last.note.clone(),
                    owner: last.owner.clone(),
                    number: last.number,
                };
                push("do nothing", wait(new.upsert(conn)).map(drop));
                let get = upsert([new]).returning(secrets::id);
                push("get or create", wait(get.get_results::<String, _>(conn)).map(drop));
                let partitions = wait(call().execute_parallel(&mut conns)).unwrap();
                assert_debug_hidden("parallel", &partitions);
                for partition in partitions.into_iter().filter(|it| it.result.is_err()) {
                    push("parallel", partition.result.map(drop));
                }
            }
            found.into_inner()
        }

        fn ids(conn: &mut Conn) -> Vec<String> {
            secrets::table.select(secrets::id).order(secrets::id).load(conn).unwrap()
        }
    }

    #[test]
    fn rows_that_cannot_be_written(database) {
        database.run(&create(system::SYSTEM));
        wait(secret(0).upsert(&mut database.conn)).unwrap();
        for (what, rows) in bad_rows(system::SYSTEM) {
            let log = Log::default();
            let errors = tracing::subscriber::with_default(subscriber(&log), || {
                errors(&mut database, &rows)
            });
            assert!(log.text().contains("upsert{table=\"secrets\""), "{}", log.text());
            assert_hidden(what, &log.text());
            assert!(errors.len() >= 14, "{what}: {errors:?}");
            for (way, error) in errors {
                let what = format!("{what}, {way}");
                assert_error_hidden(&what, &error);
                // The database's own message is the source.
                let source = error.source().map(<dyn StdError>::to_string);
                assert!(source.is_some_and(|it| !it.is_empty()), "{what}: {error:?}");
                if what.starts_with("a trigger") {
                    assert!(source_has_value(&error), "{what}: {error:?}");
                }
                assert_conversion_hidden(&what, error);
            }
            assert_eq!(ids(&mut database.conn), [secret(0).id], "{what}");
        }
    }

    #[test]
    fn values_that_cannot_be_serialized(database) {
        database.run(&create(system::SYSTEM));
        let conn = &mut database.conn;
        let Secret { id, nick, code, owner, number, .. } = secret(1);
        let note = UnwritableNote {
            note: Unwritable(CANARY.to_owned()),
            id: id.clone(),
            nick: nick.clone(),
            code: code.clone(),
            owner: owner.clone(),
            number,
        };
        let key = UnwritableKey { id: Unwritable(id), nick, code, owner, number };
        let (notes, keys) = ([note.clone(), note], [key.clone(), key]);
        let mut errors = vec![
            wait(upsert(&notes).execute(conn)).unwrap_err(),
            wait(notes[0].upsert(conn)).unwrap_err(),
            wait(upsert(&notes).outcome(conn)).map(drop).unwrap_err(),
            wait(upsert(&notes).on_error(OnError::Name).execute(conn)).unwrap_err(),
            wait(upsert(&keys).execute(conn)).unwrap_err(),
            wait(upsert(&keys).on_error(OnError::Name).execute(conn)).unwrap_err(),
            wait(upsert(&keys).on_duplicate(Duplicates::Reject).execute(conn)).unwrap_err(),
            wait(upsert_stream(stream(notes.clone())).execute(conn)).unwrap_err(),
        ];
        if COPIES && system::SYSTEM.is_postgres() {
            let copied = upsert(&notes).strategy(Strategy::Copy);
            errors.push(wait(copied.execute(conn)).unwrap_err());
        }
        for error in errors {
            assert_error_hidden("a value", &error);
            assert!(source_has_value(&error), "{error:?}");
        }
        assert!(ids(conn).is_empty());
    }

    #[test]
    fn values_that_panic(database) {
        listen_to_panics();
        database.run(&create(system::SYSTEM));
        let mut strategies = vec![None];
        if system::SYSTEM.is_postgres() {
            strategies.push(Some(Strategy::Unnest));
            strategies.extend(COPIES.then_some(Some(Strategy::Copy)));
        }
        for strategy in strategies {
            // The connection of a call that ends in the middle may be left in it.
            let mut conn = database.connect();
            let rows: Vec<_> = (0..3)
                .map(|i| {
                    let Secret { id, nick, code, owner, number, .. } = secret(i);
                    PanickingNote { id, nick, code, owner, number, note: PanickingText(i < 2) }
                })
                .collect();
            let log = Log::default();
            let panicked = tracing::subscriber::with_default(subscriber(&log), || {
                catch_unwind(AssertUnwindSafe(|| {
                    let mut call = upsert(&rows);
                    if let Some(strategy) = strategy {
                        call = call.strategy(strategy);
                    }
                    wait(call.execute(&mut conn))
                }))
            });
            match panicked {
                Ok(Err(error)) => assert_error_hidden("a panic", &error),
                Ok(Ok(_)) => panic!("nothing has panicked"),
                Err(_) => {}
            }
            assert_hidden("a panic", &log.text());
        }
        assert_panics_hidden("a value that panics");
        assert!(ids(&mut database.conn).is_empty());
    }

    #[test]
    fn keys_and_targets(database) {
        database.run(&create(system::SYSTEM));
        let conn = &mut database.conn;
        let rows = [secret(1), secret(1), secret(2), secret(2)];
        let by_code: Vec<_> = rows
            .iter()
            .cloned()
            .map(|Secret { id, nick, code, note, owner, number }| ByCode {
                id, nick, code, note, owner, number,
            })
            .collect();
        let repeated = wait(upsert(&rows).on_duplicate(Duplicates::Reject).execute(conn));
        let no_index = wait(upsert(&by_code[..1]).execute(conn));
        let token = "token ".to_owned() + CANARY;
        let no_table = wait(upsert(&rows).idempotency_token(&*token).execute(conn));
        let too_long = wait(upsert(&rows).idempotency_token(CANARY.repeat(30)).execute(conn));
        let no_token = wait(upsert(&rows).idempotency_token(&*token).outcome(conn)).map(|_| 0);
        for result in [repeated, no_index, no_table, too_long, no_token] {
            let error = result.unwrap_err();
            assert_error_hidden("a call", &error);
            assert_conversion_hidden("a call", error);
        }
        assert!(ids(conn).is_empty());
    }

    /// A trigger, or the type of the column, changes the key.
    #[test]
    fn a_row_that_is_not_found(database) {
        database.run(&create(system::SYSTEM));
        database.run(match system::SYSTEM {
            System::Sqlite => {
                "CREATE TRIGGER other AFTER INSERT ON secrets BEGIN UPDATE secrets \
                 SET id = 'other' || id WHERE id = NEW.id; END"
            }
            #[cfg(feature = "postgres")]
            System::Postgres => {
                "CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN RETURN NULL; END $$; CREATE TRIGGER other \
                 BEFORE INSERT ON secrets FOR EACH ROW EXECUTE FUNCTION other()"
            }
            #[cfg(feature = "mysql")]
            System::Mysql => {
                "CREATE TRIGGER other BEFORE INSERT ON secrets FOR EACH ROW \
                 SET NEW.id = CONCAT('other', NEW.id)"
            }
        });
        let conn = &mut database.conn;
        for rows in [vec![secret(1)], vec![secret(1), secret(2)]] {
            let call = upsert(&rows).returning(secrets::number);
            let error = wait(call.get_results::<i64, _>(conn)).unwrap_err();
            assert!(matches!(error, Error::NoRow { .. }), "{error:?}");
            assert_error_hidden("no row", &error);
            assert_conversion_hidden("no row", error);
        }
    }

    #[test]
    fn another_transaction_in_the_way(database) {
        database.run(&create(system::SYSTEM));
        wait(secret(1).upsert(&mut database.conn)).unwrap();
        let mut other = database.connect();
        let (lock, patience, contention) = match system::SYSTEM {
            System::Sqlite => ("BEGIN IMMEDIATE", "PRAGMA busy_timeout = 20", Contention::Busy),
            #[cfg(feature = "postgres")]
            System::Postgres => (
                "BEGIN; UPDATE secrets SET code = code",
                "SET lock_timeout = '50ms'",
                Contention::LockTimeout,
            ),
            #[cfg(feature = "mysql")]
            System::Mysql => (
                "BEGIN; UPDATE secrets SET number = number + 1",
                "SET SESSION innodb_lock_wait_timeout = 1",
                Contention::LockTimeout,
            ),
        };
        other.batch_execute(lock).unwrap();
        let conn = &mut database.conn;
        conn.batch_execute(patience).unwrap();
        let log = Log::default();
        let error = tracing::subscriber::with_default(subscriber(&log), || {
            let call = upsert([secret(1), secret(2)]).retry(retry());
            wait(call.execute(conn)).unwrap_err()
        });
        other.batch_execute("ROLLBACK").unwrap();
        assert_eq!(error.contention(), Some(contention));
        assert_error_hidden("contention", &error);
        assert_hidden("contention", &log.text());
    }

    #[test]
    fn reports_and_builders(database) {
        listen_to_panics();
        database.run(&create(system::SYSTEM));
        let conn = &mut database.conn;
        let rows: Vec<_> = (0..3).map(secret).collect();
        let log = Log::default();
        tracing::subscriber::with_default(subscriber(&log), || {
            let call = || {
                upsert(&rows)
                    .chunk_size(2)
                    .idempotency_token(CANARY)
                    .on_progress(|progress| assert_debug_hidden("progress", &progress))
                    .set(secrets::note, Some(CANARY))
                    .set(secrets::number, secrets::number + NUMBER)
                    .update_if(secrets::nick.ne(CANARY))
            };
            assert_debug_hidden("a call", &call());
            assert_debug_hidden("a call", &call().returning(secrets::id));
            assert_debug_hidden("a call", &call().returning_old(secrets::id));
            let explanation = wait(call().explain(conn)).unwrap();
            assert_shown_hidden("an explanation", &explanation);
            for statement in &explanation.statements {
                assert_hidden("an explanation", &statement.sql);
            }
            assert_debug_hidden("a stream", &upsert_stream(stream(rows.clone())));
            wait(upsert(&rows).execute(conn)).unwrap();
            let outcome = wait(upsert(&rows).outcome(conn)).unwrap();
            assert_shown_hidden("an outcome", &outcome);
        });
        assert_hidden("a call in progress", &log.text());

        // What the rows have is not in what the database says of the model.
        let fits = wait(Secret::verify(conn)).unwrap();
        assert_shown_hidden("a verification", &fits);
        let verification = wait(ByCode::verify(conn)).unwrap();
        assert!(!verification.is_ok());
        assert_shown_hidden("a verification", &verification);
        assert!(catch_unwind(|| verification.assert_ok()).is_err());
        assert_panics_hidden("`secrets` on conflict (code): 2 problems");
    }
}

/// A value of the call, where the database needs a literal.
#[test]
fn a_target_with_a_value() {
    let mut database = crate::support::sqlite::TestDatabase::new();
    database.run(&create(System::Sqlite));
    let call = upsert([secret(1)]).on_conflict(secrets::id);
    let call = call.filter_target(secrets::nick.eq(CANARY));
    let error = wait(call.execute(&mut database.conn)).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    assert_error_hidden("a target", &error);
    assert_conversion_hidden("a target", error);
}

#[cfg(any(feature = "postgres", feature = "mysql"))]
macro_rules! server_tests {
    ($system:ident) => {
        mod $system {
            use super::*;
            use crate::support::$system::{Conn, SYSTEM, TestDatabase};

            #[test]
            fn a_connection_that_is_lost() {
                let mut database = TestDatabase::new();
                database.run(&create(SYSTEM));
                wait(secret(1).upsert(&mut database.conn)).unwrap();
                let proxy = Proxy::to(database.url());
                for cut in [
                    Cut::Before("INSERT"),
                    Cut::After("INSERT"),
                    Cut::Before("COMMIT"),
                    Cut::After("COMMIT"),
                    // The first of the rows.
                    Cut::Before(CANARY),
                ] {
                    let mut conn: Conn = connect(proxy.url());
                    proxy.cut(cut);
                    let log = Log::default();
                    let error = tracing::subscriber::with_default(subscriber(&log), || {
                        let rows: Vec<_> = (1..4).map(secret).collect();
                        let call = upsert(&rows).chunk_size(2).retry(retry());
                        wait(call.execute(&mut conn)).unwrap_err()
                    });
                    assert!(
                        matches!(
                            error,
                            Error::ConnectionLost { .. } | Error::CommitUnknown { .. }
                        ),
                        "{error:?}"
                    );
                    assert_error_hidden("a lost connection", &error);
                    assert_hidden("a lost connection", &log.text());
                }
            }
        }
    };
}

#[cfg(feature = "postgres")]
server_tests!(postgres);
#[cfg(feature = "mysql")]
server_tests!(mysql);

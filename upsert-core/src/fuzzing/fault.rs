//! What errors mean.

use diesel::mysql::Mysql;
use diesel::pg::Pg;
use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};
use diesel::sqlite::Sqlite;

use super::Source;
use crate::dialect::{Dialect, Fault};
use crate::error::{Contention, is_of_row};

const KINDS: &[fn() -> DatabaseErrorKind] = &[
    || DatabaseErrorKind::Unknown,
    || DatabaseErrorKind::Unknown,
    || DatabaseErrorKind::UniqueViolation,
    || DatabaseErrorKind::ForeignKeyViolation,
    || DatabaseErrorKind::UnableToSendCommand,
    || DatabaseErrorKind::SerializationFailure,
    || DatabaseErrorKind::ReadOnlyTransaction,
    || DatabaseErrorKind::NotNullViolation,
    || DatabaseErrorKind::CheckViolation,
    || DatabaseErrorKind::RestrictViolation,
    || DatabaseErrorKind::ExclusionViolation,
    || DatabaseErrorKind::ClosedConnection,
];

/// What databases say, some of it with a name or a value.
const MESSAGES: &[&str] = &[
    "deadlock detected",
    "canceling statement due to lock timeout",
    "由于锁超时，正在取消语句",
    "could not serialize access due to concurrent update",
    "terminating connection due to administrator command",
    "query_wait_timeout",
    "{} command cannot affect row a second time",
    "constraint \"{}\" for table \"{}\" does not exist",
    "Deadlock found when trying to get lock; try restarting transaction",
    "Lock wait timeout exceeded; try restarting transaction",
    "Lost connection to server during query",
    "MySQL server has gone away",
    "Got a packet bigger than 'max_allowed_packet' bytes",
    "DOUBLE value is out of range in 'exp(710 + 1)'",
    "DOUBLE value is out of range in 'exp(711 * 1)'",
    "Duplicate entry '{}' for key 'a'",
    "database is locked",
    "database table is locked",
    "locking protocol",
    "UNIQUE constraint failed: {}",
    "ON CONFLICT clause does not match any PRIMARY KEY or UNIQUE constraint",
    "{}",
];

/// The details of a deadlock, and of others.
const DETAILS: &[&str] = &[
    "Process 1 waits for ShareLock on transaction 9; blocked by process 2.\n\
     Process 2 waits for ShareLock on transaction 8; blocked by process 1.",
    "Process 1 waits for ShareLock on transaction 9; blocked by process 2.\n\
     Process 3 waits for ShareLock on transaction 8; blocked by process 1.",
    "Key (a)=({}) already exists.",
    "Failing row contains ({}).",
    "99999999999999999999 1\n1 99999999999999999999",
    "{}",
];

struct Information {
    message: String,
    details: Option<String>,
    constraint: Option<String>,
    position: Option<i32>,
}

impl DatabaseErrorInformation for Information {
    fn message(&self) -> &str {
        &self.message
    }

    fn details(&self) -> Option<&str> {
        self.details.as_deref()
    }

    fn hint(&self) -> Option<&str> {
        None
    }

    fn table_name(&self) -> Option<&str> {
        None
    }

    fn column_name(&self) -> Option<&str> {
        None
    }

    fn constraint_name(&self) -> Option<&str> {
        self.constraint.as_deref()
    }

    fn statement_position(&self) -> Option<i32> {
        self.position
    }
}

/// One of `texts`, with any value in it, and often with a fault.
fn draw(texts: &[&str], source: &mut Source<'_>) -> String {
    let mut text: Vec<char> = source.pick(texts).chars().collect();
    for _ in 0..source.below(3) {
        let at = source.below(text.len() + 1);
        let char = source.text(1).pop();
        match (source.below(3), char) {
            (0, Some(char)) => text.insert(at, char),
            (1, Some(char)) if at < text.len() => text[at] = char,
            (_, _) if at < text.len() => drop(text.remove(at)),
            _ => {}
        }
    }
    let text: String = text.into_iter().collect();
    let value = if source.flag() {
        source.pick(MESSAGES).to_owned()
    } else {
        source.text(12)
    };
    text.replace("{}", &value)
}

/// Only an error of a transaction that may succeed when it is run again is a contention, and
/// no value makes one of another error.
pub fn fault(data: &[u8]) {
    let source = &mut Source(data);
    let kind = source.pick(KINDS);
    let message = draw(MESSAGES, source);
    let details = source.option(|it| draw(DETAILS, it));
    let error = DieselError::DatabaseError(
        kind(),
        Box::new(Information {
            message: message.clone(),
            details: details.clone(),
            constraint: source.option(|it| it.text(8)),
            position: source.option(|it| i32::from(it.byte())),
        }),
    );
    let is_serialization = matches!(kind(), DatabaseErrorKind::SerializationFailure);
    let is_unknown = matches!(kind(), DatabaseErrorKind::Unknown);
    let is_unique = matches!(kind(), DatabaseErrorKind::UniqueViolation);

    let expected = if is_serialization {
        Some(Contention::Serialization)
    } else if is_unknown
        && (message == "deadlock detected" || details.is_some_and(|it| is_ring(&it)))
    {
        Some(Contention::Deadlock)
    } else if is_unknown
        && (message == "canceling statement due to lock timeout"
            || message == "由于锁超时，正在取消语句")
    {
        Some(Contention::LockTimeout)
    } else {
        None
    };
    assert_eq!(contention(&Pg::fault(&error)), expected);

    // Known by its number elsewhere. A fault that is found first is no contention either.
    let expected = (is_serialization
        || !is_unique && message.starts_with("Deadlock found when trying"))
    .then_some(Contention::Deadlock);
    let found = contention(&Mysql::fault(&error));
    assert!(found.is_none() || found == expected, "{message}");

    let is_busy = [
        "database is locked",
        "database table is locked",
        "database schema is locked",
        "locking protocol",
    ]
    .iter()
    .any(|text| message == *text || message.starts_with(&format!("{text}: ")));
    let is_busy = is_busy && !is_unique && !is_of_row(&error);
    let expected = if is_busy {
        Some(Contention::Busy)
    } else {
        is_serialization.then_some(Contention::Serialization)
    };
    let found = contention(&Sqlite::fault(&error));
    assert!(
        found == expected || found.is_none() && !is_busy,
        "{message}"
    );

    of_value(source);
    for fault in [Pg::fault_of, Mysql::fault_of, Sqlite::fault_of] {
        let number = source.number();
        let is_contention = contention(&fault(number)).is_some();
        assert!(!is_contention || [1020, 1205, 1213].contains(&number));
    }
    let others = [
        DieselError::NotFound,
        DieselError::RollbackTransaction,
        DieselError::QueryBuilderError(message.clone().into()),
        DieselError::SerializationError(message.into()),
    ];
    for error in others {
        for fault in [
            Pg::fault(&error),
            Mysql::fault(&error),
            Sqlite::fault(&error),
        ] {
            assert_eq!(fault, Fault::Other);
        }
    }
}

/// No value makes an error one after which a call is run again, although a value may look
/// like what the engine's own statements raise.
fn of_value(source: &mut Source<'_>) {
    const QUOTING: &[&str] = &[
        "Incorrect integer value: '{}' for column 'a' at row 1",
        "Incorrect date value: '{}' for column `d`.`t`.`a` at row 1",
        "Truncated incorrect DOUBLE value: '{}'",
    ];
    let value = draw(MESSAGES, source);
    let error = DieselError::DatabaseError(
        DatabaseErrorKind::Unknown,
        Box::new(Information {
            message: source.pick(QUOTING).replace("{}", &value),
            details: None,
            constraint: None,
            position: None,
        }),
    );
    let fault = Mysql::fault(&error);
    let is_run_again = matches!(fault, Fault::Contention(_) | Fault::ConnectionLost);
    assert!(!is_run_again, "{value:?} is {fault:?}");
}

fn contention(fault: &Fault) -> Option<Contention> {
    match fault {
        Fault::Contention(contention) => Some(*contention),
        _ => None,
    }
}

/// Does each line end with the number with which the next one begins, and the last with that
/// of the first?
fn is_ring(details: &str) -> bool {
    let ends = |line: &str| -> Option<(u64, u64)> {
        let words: String = line
            .chars()
            .map(|char| if char.is_ascii_digit() { char } else { ' ' })
            .collect();
        let numbers: Vec<&str> = words.split_whitespace().collect();
        match numbers.as_slice() {
            [first, .., last] => Some((first.parse().ok()?, last.parse().ok()?)),
            _ => None,
        }
    };
    let lines: Vec<_> = details.lines().map(ends).collect();
    lines.len() > 1
        && (0..lines.len()).all(|i| {
            let next = lines[(i + 1) % lines.len()];
            matches!((lines[i], next), (Some((_, a)), Some((b, _))) if a == b)
        })
}

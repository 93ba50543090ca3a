//! Calls whose COMMIT gets no answer, sent again.

use std::thread;
use std::time::Duration;

use diesel::result::Error as DieselError;
use upsert_core::{CommitOutcome, upsert};

use crate::Failed;
use crate::failures::{self, Failures};
use crate::proxy::{Cut, Proxy};
use crate::report;
use crate::server::{Connect, Counter, Server};

const ROWS: i64 = 5;
const CHUNK: usize = 2;
/// Every fifth COMMIT is cut.
const CUT_EVERY: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sender {
    Naive,
    WithoutToken,
    WithToken,
}

/// What a sender was told.
#[derive(Default)]
struct Told {
    cut: usize,
    unknown: usize,
    failures: Failures,
}

/// How a call ended.
enum End {
    Acknowledged,
    Unknown,
    Nothing(String),
}

fn send<C: Server>(conn: &mut C, sender: Sender, call: usize) -> End {
    if sender == Sender::Naive {
        let result = conn.transaction(|conn| {
            for id in 0..ROWS {
                conn.batch_execute(&format!(
                    "INSERT INTO stress_counters (id, total) VALUES ({id}, 1) {}",
                    C::ON_CONFLICT_ADD
                ))?;
            }
            Ok::<_, DieselError>(())
        });
        return match result {
            Ok(()) => End::Acknowledged,
            Err(error) => End::Nothing(failures::name_of_diesel(&error)),
        };
    }
    let rows: Vec<_> = (0..ROWS).map(|id| Counter { id, total: 1 }).collect();
    let mut builder = upsert(rows).chunk_size(CHUNK);
    if sender == Sender::WithToken {
        builder = builder.idempotency_token(format!("call {call}"));
    }
    match builder.execute(conn) {
        Ok(_) => End::Acknowledged,
        Err(error) if error.commit_outcome() == CommitOutcome::Unknown => End::Unknown,
        Err(error) => End::Nothing(failures::name(&error)),
    }
}

fn send_all<C: Server>(
    connect: Connect<C>,
    proxy: &Proxy,
    sender: Sender,
    calls: usize,
) -> Result<Told, Failed> {
    let mut told = Told::default();
    let mut conn = connect(proxy.url())?;
    for call in 0..calls {
        if call % CUT_EVERY == CUT_EVERY - 1 {
            told.cut += 1;
            proxy.cut(if told.cut % 2 == 0 {
                Cut::Before
            } else {
                Cut::After
            });
        }
        loop {
            match send(&mut conn, sender, call) {
                End::Acknowledged => break,
                End::Unknown => told.unknown += 1,
                End::Nothing(name) => told.failures.add(name),
            }
            conn = connect(proxy.url())?;
        }
        if proxy.is_waiting() {
            return Err("a COMMIT was not cut".into());
        }
    }
    Ok(told)
}

pub(crate) fn run<C: Server>(connect: Connect<C>, url: &str, calls: usize) -> Result<bool, Failed> {
    let proxy = Proxy::to(url)?;
    println!("{}: {calls} calls of {ROWS} rows each\n", C::NAME);
    report::head(&[
        "sent by",
        "COMMITs cut",
        "told as unknown",
        "other errors",
        "applied twice per 1000 calls",
        "lost",
        "promise holds",
    ]);
    let mut all_hold = true;
    for (name, sender) in [
        ("hand, again after every error", Sender::Naive),
        ("crate, again where it is unknown", Sender::WithoutToken),
        ("crate, with `idempotency_token`", Sender::WithToken),
    ] {
        let mut conn = connect(url)?;
        conn.create(
            "stress_counters",
            "id BIGINT NOT NULL PRIMARY KEY, total BIGINT NOT NULL",
        )?;
        conn.create_tokens()?;
        let told = send_all(connect, &proxy, sender, calls)?;
        // The server may not have seen yet that the last client is gone.
        thread::sleep(Duration::from_millis(200));
        let wanted = i64::try_from(calls)?;
        let totals = conn.numbers("SELECT id, total FROM stress_counters")?;
        let most = totals.iter().map(|row| row.1).max().unwrap_or(0);
        let least = totals.iter().map(|row| row.1).min().unwrap_or(0);
        let holds = match sender {
            Sender::Naive => true,
            Sender::WithoutToken => least >= wanted && told.unknown == told.cut && most == least,
            Sender::WithToken => most == wanted && least == wanted && told.unknown == told.cut,
        };
        all_hold &= holds;
        report::row(&[
            &name,
            &told.cut,
            &told.unknown,
            &told.failures,
            &((most - wanted).max(0) * 1000 / wanted),
            &(wanted - least).max(0),
            &report::verdict(holds),
        ]);
    }
    Ok(all_hold)
}

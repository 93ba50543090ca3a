//! Writers on a server, or on the nodes of a cluster, of which one is killed and comes back.

use std::collections::BTreeSet;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use upsert_core::{CommitOutcome, Error, Retry, upsert};

use crate::Failed;
use crate::failures::{self, Failures};
use crate::random::Random;
use crate::report;
use crate::server::{Connect, Counter, Plain, Server};

const WRITERS: usize = 3;
const KEYS: i64 = 100;
const ROWS: usize = 20;
const CHUNK: usize = 6;
/// Each call of so many is sent by two nodes at once, with the same token.
const TWICE_EVERY: i64 = 5;
const PLAIN_ROWS: i64 = 5;
/// After so many calls a writer goes back to its own node.
const CALLS_AWAY: usize = 200;
/// A call that has not come through when the time is over is tried for so long.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Of one server, or of the nodes of a cluster.
    #[arg(required = true)]
    pub(crate) urls: Vec<String>,
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Kills the server, or a node; it is run after a third of each round.
    #[arg(long)]
    kill_command: String,
    /// Starts it again; it is run after two thirds.
    #[arg(long)]
    restart_command: String,
    /// The time is divided into so many rounds.
    #[arg(long, default_value_t = 1)]
    rounds: u32,
}

/// What a writer knows of its calls.
#[derive(Default)]
struct Known {
    /// How often each key was written by a call that has come through.
    written: Vec<i64>,
    /// .. and by one of which it is not known.
    open: Vec<i64>,
    calls: usize,
    /// Calls that were sent again after their commit was unknown.
    unknown: usize,
    /// .. of those, which were in the table already.
    applied: usize,
    plain_rows: Vec<i64>,
    longest: Duration,
    failures: Failures,
}

impl Known {
    fn new() -> Self {
        Self {
            written: vec![0; usize::try_from(KEYS).unwrap_or(0)],
            open: vec![0; usize::try_from(KEYS).unwrap_or(0)],
            ..Self::default()
        }
    }
}

/// A writer's connection, to one node after the other.
struct Link<'u, C> {
    urls: &'u [String],
    node: usize,
    conn: Option<C>,
}

impl<'u, C: Server> Link<'u, C> {
    fn to(urls: &'u [String], writer: usize) -> Self {
        Self {
            urls,
            node: writer % urls.len(),
            conn: None,
        }
    }

    fn conn(&mut self) -> Result<&mut C, ConnectionError> {
        if self.conn.is_none() {
            let conn = C::establish(&self.urls[self.node]);
            match conn {
                Ok(conn) => self.conn = Some(conn),
                Err(error) => {
                    self.node = (self.node + 1) % self.urls.len();
                    return Err(error);
                }
            }
        }
        self.conn
            .as_mut()
            .ok_or_else(|| ConnectionError::BadConnection("no connection".to_owned()))
    }

    /// After an error that is not another transaction's, the node may be no part of the
    /// cluster any more.
    fn go_on(&mut self) {
        self.conn = None;
        self.node = (self.node + 1) % self.urls.len();
    }
}

/// How a call has ended that was sent until it came through.
#[derive(PartialEq, Eq)]
enum End {
    Through,
    /// In time it has not.
    Open,
}

/// Sends a call until it has come through.
fn send<C: Server>(
    link: &mut Link<'_, C>,
    known: &mut Known,
    until: Instant,
    mut call: impl FnMut(&mut C) -> Result<usize, Error>,
) -> End {
    let begun = Instant::now();
    let mut is_unknown = false;
    while Instant::now() < until {
        let Ok(conn) = link.conn() else {
            known.failures.add("no connection".to_owned());
            thread::sleep(Duration::from_millis(50));
            continue;
        };
        match call(conn) {
            Ok(written) => {
                known.applied += usize::from(is_unknown && written == 0);
                known.longest = known.longest.max(begun.elapsed());
                return End::Through;
            }
            Err(error) => {
                known.failures.add(failures::name(&error));
                if error.commit_outcome() == CommitOutcome::Unknown {
                    is_unknown = true;
                    known.unknown += 1;
                }
                if error.contention().is_none() {
                    link.go_on();
                    thread::sleep(Duration::from_millis(10));
                }
            }
        }
    }
    End::Open
}

fn write<C: Server>(urls: &[String], writer: usize, end: Instant) -> Result<Known, Failed> {
    let mut known = Known::new();
    let mut random = Random::new(writer as u64);
    let mut link = Link::<C>::to(urls, writer);
    let mut second_link = Link::<C>::to(urls, writer + 1);
    let mut second = Known::new();
    let until = end + PATIENCE;
    let (own, writer) = (link.node, i64::try_from(writer)?);
    while Instant::now() < end {
        if known.calls % CALLS_AWAY == 0 && link.node != own {
            link.conn = None;
            link.node = own;
        }
        let number = i64::try_from(known.calls)?;
        let keys = random.keys(ROWS, KEYS);
        let rows: Vec<_> = keys
            .iter()
            .map(|id| Counter { id: *id, total: 1 })
            .collect();
        let token = format!("writer {writer} call {number}");
        let call = |conn: &mut C| {
            upsert(rows.clone())
                .chunk_size(CHUNK)
                .retry(Retry::default())
                .idempotency_token(&token)
                .execute(conn)
        };
        let ended = thread::scope(|scope| {
            let other = (number % TWICE_EVERY == 0)
                .then(|| scope.spawn(|| send(&mut second_link, &mut second, until, call)));
            let ended = send(&mut link, &mut known, until, call);
            match other.map(thread::ScopedJoinHandle::join) {
                Some(Ok(End::Through)) => End::Through,
                _ => ended,
            }
        });
        let counts = match ended {
            End::Through => &mut known.written,
            End::Open => &mut known.open,
        };
        for key in keys {
            counts[usize::try_from(key)?] += 1;
        }

        let first = (writer * 1_000_000_000) + number * PLAIN_ROWS;
        let ids: Vec<_> = (first..first + PLAIN_ROWS).collect();
        let row = |id: &i64| Plain { id: *id, writer };
        let rows: Vec<_> = ids.iter().map(row).collect();
        let ended = send(&mut link, &mut known, until, |conn| {
            upsert(rows.clone())
                .chunk_size(2)
                .retry(Retry::default())
                .execute(conn)
        });
        if ended == End::Through {
            known.plain_rows.extend(ids);
        }
        known.calls += 1;
    }
    known.unknown += second.unknown;
    known.applied += second.applied;
    known.failures += second.failures;
    Ok(known)
}

fn shell(command: &str) -> Result<(), Failed> {
    let status = Command::new("sh").args(["-c", command]).status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{command}` has failed: {status}").into())
    }
}

/// What a node has of the writers' calls.
#[derive(Default)]
struct Difference {
    lost: usize,
    missing: i64,
    twice: i64,
}

fn compare<C: Server>(
    connect: Connect<C>,
    url: &str,
    known: &[Known],
) -> Result<Difference, Failed> {
    let mut conn = connect(url)?;
    conn.see_all();
    let mut difference = Difference::default();
    let rows = conn.numbers("SELECT id, writer AS total FROM stress_rows")?;
    let ids: BTreeSet<_> = rows.into_iter().map(|row| row.0).collect();
    for known in known {
        let lost = known.plain_rows.iter().filter(|id| !ids.contains(id));
        difference.lost += lost.count();
    }
    let totals = conn.numbers("SELECT id, total FROM stress_counters")?;
    for (id, total) in totals {
        let key = usize::try_from(id)?;
        let least: i64 = known.iter().map(|known| known.written[key]).sum();
        let open: i64 = known.iter().map(|known| known.open[key]).sum();
        difference.missing += (least - total).max(0);
        difference.twice += (total - least - open).max(0);
    }
    Ok(difference)
}

pub(crate) fn run<C: Server>(connect: Connect<C>, arguments: &Arguments) -> Result<bool, Failed> {
    let urls = &arguments.urls;
    let mut conn = connect(&urls[0])?;
    conn.create(
        "stress_counters",
        "id BIGINT NOT NULL PRIMARY KEY, total BIGINT NOT NULL",
    )?;
    conn.create(
        "stress_rows",
        "id BIGINT NOT NULL PRIMARY KEY, writer BIGINT NOT NULL",
    )?;
    conn.create_tokens()?;
    upsert((0..KEYS).map(|id| Counter { id, total: 0 })).execute(&mut conn)?;
    for url in urls {
        // Each node has the tables.
        compare(connect, url, &[])?;
    }

    let time = Duration::from_secs(arguments.seconds);
    let begun = Instant::now();
    let (known, commands) = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| scope.spawn(move || write::<C>(urls, writer, begun + time)))
            .collect();
        let mut commands = Ok(());
        for step in 1..=arguments.rounds * 3 {
            thread::sleep((time * step / (arguments.rounds * 3)).saturating_sub(begun.elapsed()));
            commands = commands.and_then(|()| match step % 3 {
                1 => shell(&arguments.kill_command),
                2 => shell(&arguments.restart_command),
                _ => Ok(()),
            });
        }
        let mut known = Vec::new();
        for writer in writers {
            known.push(writer.join().map_err(|_| "a writer has panicked")??);
        }
        Ok::<_, Failed>((known, commands))
    })?;
    commands?;
    print(connect, arguments, &known)
}

fn print<C: Server>(
    connect: Connect<C>,
    arguments: &Arguments,
    known: &[Known],
) -> Result<bool, Failed> {
    let Arguments {
        urls,
        seconds,
        rounds,
        ..
    } = arguments;
    println!(
        "{}: {WRITERS} writers, nodes: {}, {seconds} s, {rounds} times one was killed\n",
        C::NAME,
        urls.len()
    );
    report::head(&[
        "writer",
        "calls",
        "told as unknown",
        "of these applied",
        "without an end",
        "longest wait in s",
        "errors",
    ]);
    for (i, known) in known.iter().enumerate() {
        let open: i64 = known.open.iter().sum();
        report::row(&[
            &(i + 1),
            &known.calls,
            &known.unknown,
            &known.applied,
            &(open / i64::try_from(ROWS)?),
            &format!("{:.1}", known.longest.as_secs_f32()),
            &known.failures,
        ]);
    }
    println!();
    report::head(&[
        "node",
        "acknowledged rows lost",
        "increments missing",
        "increments applied twice",
        "promise holds",
    ]);
    let mut all_hold = true;
    for (i, url) in urls.iter().enumerate() {
        let Difference {
            lost,
            missing,
            twice,
        } = compare(connect, url, known)?;
        let holds = lost == 0 && missing == 0 && twice == 0;
        all_hold &= holds;
        report::row(&[&(i + 1), &lost, &missing, &twice, &report::verdict(holds)]);
    }
    Ok(all_hold)
}

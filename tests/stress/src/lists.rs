//! Lists that several writers append to, while others read them.
//!
//! Each number is appended once, so a list tells which calls are in the table, and in
//! which order: what Jepsen's workload of that name looks at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::CacheSize;
use upsert_core::{CommitOutcome, Retry, upsert};

use crate::Failed;
use crate::failures::{self, Failures};
use crate::random::Random;
use crate::report;
use crate::server::{Append, Connect, Server};

const WRITERS: usize = 4;
const READERS: usize = 2;
const KEYS: i64 = 10;
/// The lists are left for new ones after so many numbers, so that they stay short.
const NUMBERS_OF_LISTS: i64 = 4000;
/// A CHECK refuses it.
const REFUSED: i64 = -1;

/// A call, and how it ended.
struct Call {
    end: End,
    /// Key and number, in the order of the input.
    appended: Vec<(i64, i64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Acknowledged,
    /// Nothing of it is in the table, the error says.
    Nothing,
    Unknown,
}

/// What all threads share.
#[derive(Default)]
struct Shared {
    next: AtomicI64,
    is_over: AtomicBool,
    reads: AtomicUsize,
    /// The connections of the writers.
    connections: Mutex<[i64; WRITERS]>,
    /// The longest state of each list that was read.
    longest: Mutex<BTreeMap<i64, String>>,
    violations: Mutex<Vec<String>>,
    failures: Mutex<Failures>,
}

fn with<T, U>(mutex: &Mutex<T>, change: impl FnOnce(&mut T) -> U) -> U {
    change(&mut mutex.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Shared {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn violated(&self, what: String) {
        with(&self.violations, |violations| violations.push(what));
    }

    /// Looks whether a state of a list and all others that were read are one history.
    fn was_read(&self, key: i64, list: String) {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let fits = with(&self.longest, |longest| {
            let known = longest.entry(key).or_default();
            if begins_with(known, &list) {
                return true;
            }
            let fits = begins_with(&list, known);
            *known = list;
            fits
        });
        if !fits {
            self.violated(format!("a read of list {key} is no prefix of another one"));
        }
    }
}

/// Does `list` begin with all the numbers of `prefix`?
fn begins_with(list: &str, prefix: &str) -> bool {
    let rest = list.strip_prefix(prefix);
    prefix.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(','))
}

fn append(key: i64, number: i64) -> Append {
    Append {
        id: key,
        val: number.to_string(),
    }
}

/// One to eight numbers, to the same list too, and in one of 20 calls what is refused.
fn call(shared: &Shared, random: &mut Random) -> (Vec<(i64, i64)>, Vec<Append>) {
    let appended: Vec<_> = (0..=random.below(8))
        .map(|_| {
            let number = shared.next.fetch_add(1, Ordering::Relaxed);
            let key = random.keys(1, KEYS)[0];
            (number / NUMBERS_OF_LISTS * KEYS + key, number)
        })
        .collect();
    let mut rows: Vec<_> = appended.iter().map(|row| append(row.0, row.1)).collect();
    if random.below(20) == 0 {
        rows.insert(random.below(rows.len() + 1), append(REFUSED, 0));
    }
    (appended, rows)
}

/// Connects; behind a pooler another client's statement may have the name of one that is kept.
fn open<C: Server>(connect: Connect<C>, url: &str, pooled: bool) -> Result<C, Failed> {
    let mut conn = connect(url)?;
    if pooled {
        conn.set_prepared_statement_cache_size(CacheSize::Disabled);
    }
    Ok(conn)
}

fn write<C: Server>(
    connect: Connect<C>,
    urls: &[String],
    shared: &Shared,
    writer: usize,
    pooled: bool,
) -> Result<Vec<Call>, Failed> {
    let mut random = Random::new(writer as u64);
    let mut calls = Vec::new();
    let again = || {
        let mut conn = open(connect, of(urls, writer), pooled)?;
        if pooled {
            return Ok(conn);
        }
        conn.find_deadlocks_soon();
        let number = conn.numbers(C::NUMBER)?.first().map_or(0, |row| row.0);
        with(&shared.connections, |connections| {
            connections[writer] = number;
        });
        Ok::<_, Failed>(conn)
    };
    let mut conn = again()?;
    while !shared.is_over() {
        let (appended, rows) = call(shared, &mut random);
        let mut builder = upsert(rows).retry(Retry::default());
        if random.below(2) == 0 {
            builder = builder.chunk_size(1 + random.below(3));
        }
        let sent = if pooled {
            conn.transaction(|conn| builder.execute(conn))
        } else {
            builder.execute(&mut conn)
        };
        let end = match sent {
            Ok(_) => End::Acknowledged,
            Err(error) => {
                let name = failures::name(&error);
                with(&shared.failures, |failures| failures.add(name));
                // Did it fail because the connection was killed?
                if !pooled && conn.numbers(C::NUMBER).is_err() {
                    conn = again()?;
                }
                match error.commit_outcome() {
                    CommitOutcome::Nothing => End::Nothing,
                    _ => End::Unknown,
                }
            }
        };
        calls.push(Call { end, appended });
    }
    Ok(calls)
}

fn read<C: Server>(
    connect: Connect<C>,
    urls: &[String],
    shared: &Shared,
    reader: usize,
    pooled: bool,
) -> Result<(), Failed> {
    let mut random = Random::new(100 + reader as u64);
    let mut conn = open(connect, of(urls, reader), pooled)?;
    while !shared.is_over() {
        let lists = shared.next.load(Ordering::Relaxed) / NUMBERS_OF_LISTS * KEYS;
        let key = lists + random.keys(1, KEYS)[0];
        let query = format!("SELECT id, val FROM stress_lists WHERE id = {key}");
        let lists = if pooled {
            conn.transaction(|conn| conn.texts(&query))?
        } else {
            conn.texts(&query)?
        };
        for (key, list) in lists {
            shared.was_read(key, list);
        }
        // The writers are to have the most of the machine.
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Ends a connection of a writer now and then.
fn kill<C: Server>(connect: Connect<C>, urls: &[String], shared: &Shared) -> Result<usize, Failed> {
    let mut random = Random::new(200);
    let connections: Result<Vec<C>, _> = urls.iter().map(|url| connect(url)).collect();
    let mut connections = connections?;
    let nodes = connections.len();
    let mut killed = 0;
    while !shared.is_over() {
        thread::sleep(Duration::from_millis(100 + random.below(300) as u64));
        let writer = random.below(WRITERS);
        let number = with(&shared.connections, |connections| connections[writer]);
        // It may have gone meanwhile.
        let conn = &mut connections[writer % nodes];
        killed += usize::from(conn.batch_execute(&C::kill(number)).is_ok());
    }
    Ok(killed)
}

/// The node of a thread.
fn of(urls: &[String], thread: usize) -> &str {
    &urls[thread % urls.len()]
}

/// Compares the calls with the lists as they are in the end.
fn check(shared: &Shared, calls: &[Call], lists: &BTreeMap<i64, String>) -> Result<(), Failed> {
    let mut positions = BTreeMap::new();
    for (key, list) in lists {
        for (position, number) in list.split(',').enumerate() {
            let number: i64 = number.parse()?;
            if positions.insert((*key, number), position).is_some() {
                shared.violated(format!("{number} is in list {key} twice"));
            }
        }
    }
    with(&shared.longest, |longest| {
        for (key, read) in longest {
            if !lists.get(key).is_some_and(|list| begins_with(list, read)) {
                shared.violated(format!("a read of list {key} is no prefix of its end"));
            }
        }
    });
    let mut expected: BTreeSet<(i64, i64)> = BTreeSet::new();
    for call in calls {
        expected.extend(&call.appended);
        let found = call.appended.iter().map(|it| positions.get(it));
        let found: Vec<_> = found.flatten().collect();
        let is_whole = found.len() == call.appended.len();
        match call.end {
            End::Acknowledged if !is_whole => {
                shared.violated(format!(
                    "of {:?}, acknowledged, something is missing",
                    call.appended
                ));
            }
            End::Nothing if !found.is_empty() => {
                shared.violated(format!(
                    "of {:?}, failed, something is there",
                    call.appended
                ));
            }
            End::Unknown if !is_whole && !found.is_empty() => {
                shared.violated(format!(
                    "of {:?}, unknown, one part is there",
                    call.appended
                ));
            }
            _ => {}
        }
        for (i, first) in call.appended.iter().enumerate() {
            let later = call.appended[i + 1..].iter().filter(|it| it.0 == first.0);
            if later
                .into_iter()
                .any(|it| positions.get(it) < positions.get(first))
            {
                shared.violated(format!(
                    "{:?} are not in the order of the input",
                    call.appended
                ));
            }
        }
    }
    for number in positions.keys().filter(|it| !expected.contains(it)) {
        shared.violated(format!("nobody has appended {number:?}"));
    }
    Ok(())
}

pub(crate) fn run<C: Server>(
    connect: Connect<C>,
    urls: &[String],
    seconds: u64,
    pooled: bool,
) -> Result<bool, Failed> {
    let shared = &Shared::default();
    let mut conn = open(connect, of(urls, 0), pooled)?;
    conn.create(
        "stress_lists",
        "id BIGINT NOT NULL PRIMARY KEY, val TEXT NOT NULL, CHECK (id >= 0)",
    )?;
    for url in urls.iter().filter(|_| !pooled) {
        // Each node has the table.
        let mut conn = connect(url)?;
        conn.see_all();
        conn.texts("SELECT id, val FROM stress_lists")?;
    }
    let (calls, killed) = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| scope.spawn(move || write(connect, urls, shared, writer, pooled)))
            .collect();
        let readers: Vec<_> = (0..READERS)
            .map(|reader| scope.spawn(move || read(connect, urls, shared, reader, pooled)))
            .collect();
        let ending = (!pooled).then(|| scope.spawn(move || kill(connect, urls, shared)));
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(seconds) {
            thread::sleep(Duration::from_millis(100));
        }
        shared.is_over.store(true, Ordering::Relaxed);
        let mut calls = Vec::new();
        for writer in writers {
            calls.extend(writer.join().map_err(|_| "a writer has panicked")??);
        }
        for reader in readers {
            reader.join().map_err(|_| "a reader has panicked")??;
        }
        let killed = match ending {
            Some(ending) => ending
                .join()
                .map_err(|_| "the thread that kills has panicked")??,
            None => 0,
        };
        Ok::<_, Failed>((calls, killed))
    })?;

    conn.see_all();
    let lists = conn.transaction(|conn| conn.texts("SELECT id, val FROM stress_lists"))?;
    check(shared, &calls, &lists.into_iter().collect())?;
    let count = |end| calls.iter().filter(|call| call.end == end).count();
    println!(
        "{}: {WRITERS} writers, {READERS} readers, {seconds} s, {} node(s)\n",
        C::NAME,
        urls.len(),
    );
    report::head(&[
        "calls",
        "acknowledged",
        "failed",
        "unknown",
        "numbers",
        "reads",
        "connections killed",
        "violations",
    ]);
    let violations = with(&shared.violations, std::mem::take);
    report::row(&[
        &calls.len(),
        &count(End::Acknowledged),
        &count(End::Nothing),
        &count(End::Unknown),
        &shared.next.load(Ordering::Relaxed),
        &shared.reads.load(Ordering::Relaxed),
        &killed,
        &violations.len(),
    ]);
    let failures = with(&shared.failures, std::mem::take);
    println!("\nErrors: {failures}");
    for violation in violations.iter().take(20) {
        println!("BROKEN: {violation}");
    }
    Ok(violations.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(end: End, list: &str, read: &str) -> Vec<String> {
        let shared = Shared::default();
        shared.was_read(0, read.to_owned());
        let calls = [Call {
            end,
            appended: vec![(0, 1), (0, 2)],
        }];
        let lists = BTreeMap::from([(0, list.to_owned())]);
        check(&shared, &calls, &lists).unwrap();
        shared.violations.into_inner().unwrap()
    }

    #[test]
    fn what_is_right_is_no_violation() {
        for read in ["1", "1,2"] {
            assert!(violations(End::Acknowledged, "1,2", read).is_empty());
        }
    }

    #[test]
    fn every_violation_is_found() {
        use End::{Acknowledged, Nothing, Unknown};
        for (end, list, read, expected) in [
            (
                Acknowledged,
                "1",
                "1",
                "of [(0, 1), (0, 2)], acknowledged, something is missing",
            ),
            (
                Nothing,
                "1,2",
                "1",
                "of [(0, 1), (0, 2)], failed, something is there",
            ),
            (
                Unknown,
                "1",
                "1",
                "of [(0, 1), (0, 2)], unknown, one part is there",
            ),
            (Acknowledged, "1,2,1", "1", "1 is in list 0 twice"),
            (
                Acknowledged,
                "2,1",
                "2",
                "[(0, 1), (0, 2)] are not in the order of the input",
            ),
            (Acknowledged, "1,2,3", "1", "nobody has appended (0, 3)"),
            (
                Acknowledged,
                "1,2",
                "2",
                "a read of list 0 is no prefix of its end",
            ),
            (
                Acknowledged,
                "1,2",
                "1,2,3",
                "a read of list 0 is no prefix of its end",
            ),
        ] {
            let found = violations(end, list, read);
            assert!(found.contains(&expected.to_owned()), "{found:?}");
        }
        let shared = Shared::default();
        for read in ["1,2", "1", "1,3"] {
            shared.was_read(0, read.to_owned());
        }
        assert_eq!(shared.violations.into_inner().unwrap().len(), 1);
    }
}

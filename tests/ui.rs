//! What rustc makes of models, good and bad.
//!
//! `TRYBUILD=overwrite cargo test --test ui` writes the messages anew; they are
//! to be read as a user would.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The compiler whose messages are in `tests/ui`.
const PINNED: &str = "1.95.";

const ROOT: &str = "tests/ui";

/// The topic of the models that are good.
const PASS: &str = "pass";

#[test]
fn models() {
    let cases = trybuild::TestCases::new();
    cases.pass(format!("{ROOT}/{PASS}/*.rs"));
    let rustc = rustc();
    if !is_pinned(&rustc) {
        // `println!` would show only if the test failed.
        let line = format!(
            "left out: the models that do not compile; this is {rustc}, and not {PINNED}x\n"
        );
        io::stderr().write_all(line.as_bytes()).unwrap();
        return;
    }
    for topic in topics() {
        if !topic.ends_with(PASS) {
            cases.compile_fail(format!("{}/*.rs", topic.display()));
        }
    }
}

#[test]
fn no_case_is_left_unread() {
    for topic in topics() {
        let files = list(&topic);
        assert!(!files.is_empty(), "{} is empty", topic.display());
        for file in files {
            let other = match file.extension().and_then(OsStr::to_str) {
                Some("stderr") => "rs",
                Some("rs") if !topic.ends_with(PASS) => "stderr",
                Some("rs") => continue,
                _ => panic!("{} is no case", file.display()),
            };
            let other = file.with_extension(other);
            assert!(other.exists(), "{} is missing", other.display());
        }
    }
    let beside = list(Path::new(ROOT)).into_iter().find(|it| it.is_file());
    assert_eq!(beside, None, "a case has a topic");
}

/// Every message can be had on every machine.
#[test]
fn messages_are_the_same_everywhere() {
    let home = env::var("HOME").unwrap_or_default();
    for (file, message) in messages() {
        // The sources of the standard library are not installed everywhere,
        // and the line numbers of Diesel's change.
        for word in ["$RUST", "$CARGO", ".cargo/registry", "/rustc/"] {
            assert!(!message.contains(word), "{} has {word}", file.display());
        }
        let is_absolute = home.len() > 1 && message.contains(&home);
        assert!(!is_absolute, "{} has {home}", file.display());
    }
}

#[test]
fn messages_do_not_show_generated_names() {
    for (file, message) in messages() {
        // The core's own, at which rustc stops where a database cannot have an
        // expression.
        let message = message.replace("__upsert_fragment", "").to_lowercase();
        assert!(!message.contains("__upsert"), "{}", file.display());
    }
}

/// Nightly's messages are another version's.
fn is_pinned(rustc: &str) -> bool {
    let version = rustc.split(' ').nth(1).unwrap_or_default();
    version.starts_with(PINNED) && !version.contains('-')
}

fn rustc() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The files, and what is in them.
fn messages() -> impl Iterator<Item = (PathBuf, String)> {
    let files = topics().into_iter().flat_map(|topic| list(&topic));
    let files = files.filter(|file| file.extension() == Some(OsStr::new("stderr")));
    files.map(|file| {
        let message = fs::read_to_string(&file).unwrap();
        (file, message)
    })
}

fn topics() -> Vec<PathBuf> {
    let mut topics = list(Path::new(ROOT));
    topics.retain(|it| it.is_dir());
    topics
}

fn list(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    let mut paths: Vec<_> = entries.map(|it| it.unwrap().path()).collect();
    paths.sort();
    paths
}

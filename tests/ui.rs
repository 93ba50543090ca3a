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

/// Every attribute, and every way to write it, has a model that is good and one
/// that is not.
#[test]
fn every_form_has_its_cases() {
    let (good, bad): (Vec<_>, Vec<_>) = sources().partition(|(file, _)| file.starts_with(pass()));
    let derive = fs::read_to_string("upsert-derive/src/lib.rs").unwrap();
    let rows = derive
        .lines()
        .filter_map(|line| line.strip_prefix("/// | `#[")?.split_once("]`"));
    let rows: Vec<_> = rows.collect();
    assert!(rows.len() >= 36, "{}", rows.len());
    let mut missing = Vec::new();
    for (form, _) in rows {
        // `#[upsert(set(column = EXPR))]` is `set(` of `upsert`.
        let (attribute, words) = form.split_once('(').unwrap_or((form, ""));
        let behind = |mark: &str| words.find(mark).map(|it| it + mark.len());
        let end = if LISTS.iter().any(|it| words.starts_with(it)) {
            behind("(")
        } else {
            behind("= (").or(behind("= ")).or(behind("("))
        };
        let end = end.unwrap_or(words.len());
        let is_there = |cases: &[(PathBuf, String)]| {
            cases.iter().any(|(_, source)| {
                source.contains(&format!("#[{attribute}")) && source.contains(&words[..end])
            })
        };
        if !is_there(&good) || !is_there(&bad) {
            missing.push(form.to_owned());
        }
    }
    assert_eq!(missing, [""; 0], "add a case to `{ROOT}`");
}

/// The keys with a list of columns, of any names.
const LISTS: [&str; 3] = ["set(", "touch(", "targets("];

/// What an editor shows at an attribute is what the documentation says of it.
#[test]
fn editors_show_the_documentation() {
    let derive = fs::read_to_string("upsert-derive/src/lib.rs").unwrap();
    let shown = fs::read_to_string("upsert-core/src/attributes.rs").unwrap();
    let shown: Vec<_> = shown.lines().map(str::trim_start).collect();
    let rows = derive.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("/// | `#[")?.split(" | ");
        Some([cells.next()?.strip_suffix("]`")?, cells.next()?])
    });
    let mut count = 0;
    for [form, meaning] in rows {
        // Diesel's own, and one that no item can be called.
        if form.starts_with("diesel(") || form.starts_with("upsert(crate ") {
            continue;
        }
        let page = [
            &format!("/// `#[{form}]`"),
            "///",
            &format!("/// {meaning}"),
        ];
        assert!(shown.windows(3).any(|lines| lines == page), "{form}");
        count += 1;
    }
    assert!(count >= 28, "{count}");
}

/// Every two attributes that exclude each other have a model with both.
#[test]
fn every_exclusion_has_a_case() {
    let read = |file: &str| fs::read_to_string(format!("upsert-derive/src/{file}")).unwrap();
    let symbols = read("symbol.rs");
    let word = |symbol: &str| {
        let start = format!("    {symbol} = \"");
        let line = symbols.lines().find_map(|it| it.strip_prefix(&start));
        line.unwrap().split('"').next().unwrap().to_owned()
    };
    let exclusions = read("validate/exclusion.rs");
    let exclusions: Vec<_> = exclusions.split("    exclusion(").skip(1).collect();
    assert!(exclusions.len() >= 30, "{}", exclusions.len());
    let messages: Vec<_> = messages().collect();
    for exclusion in exclusions {
        let mut symbols = exclusion.split("symbol::").skip(1);
        let [first, second] = [(); 2].map(|()| {
            let symbol = symbols.next().unwrap();
            word(symbol.split(',').next().unwrap())
        });
        let what = format!("`{second}` cannot be combined with `{first}`");
        let is_told = messages.iter().any(|(_, it)| it.contains(&what));
        assert!(is_told, "no case for `{first}` with `{second}`");
    }
}

/// The errors that the documentation quotes.
#[test]
fn documented_messages_are_real() {
    let derive = fs::read_to_string("upsert-derive/src/lib.rs").unwrap();
    let (_, section) = derive.split_once("/// # When it does not compile").unwrap();
    let quotes: Vec<String> = section
        .split("/// ```text\n")
        .skip(1)
        .map(|block| {
            let lines = block.lines().take_while(|line| *line != "/// ```");
            let lines = lines.map(|line| line.strip_prefix("/// ").unwrap());
            lines.collect::<Vec<_>>().join("\n")
        })
        .collect();
    assert_eq!(quotes.len(), 5);
    let feature = fs::read_to_string("tests/features/missing/expected.stderr").unwrap();
    let messages: Vec<_> = messages().map(|(_, it)| it).chain([feature]).collect();
    for quote in quotes {
        // Without where it is: the files' names and the numbers of the lines.
        let is_real = messages.iter().any(|it| plain(it).contains(&plain(&quote)));
        assert!(is_real, "no such message:\n{quote}");
    }
}

/// The lines that do not say where in which file the fault is.
fn plain(message: &str) -> String {
    let lines = message.lines().filter(|line| !line.contains("--> "));
    let lines =
        lines.map(|line| line.trim_start_matches(|it: char| it == ' ' || it.is_ascii_digit()));
    lines.collect::<Vec<_>>().join("\n")
}

/// The lines of an error that a reader can be asked to read.
const MAX_LINES: usize = 15;

/// Cases with a longer one: where rustc shows what it found in another place too
/// (a column in `table!`, a struct without the derive), what to add to a generic
/// function, or where a constant was evaluated.
const LONG: &[(&str, usize)] = &[
    ("call/filter_target_not_boolean", 17),
    ("call/on_any_connection", 20),
    ("call/on_conflict_without_field", 18),
    ("call/set_of_another_table", 17),
    ("call/update_if_not_boolean", 17),
    ("conflict-target/target_of_another_table", 17),
    ("conflict-target/target_where_not_boolean", 17),
    ("expression/many_faults", 17),
    ("expression/not_on_mysql", 21),
    ("expression/not_on_sqlite", 21),
    ("expression/set_wrong_type", 17),
    ("expression/unknown_column_of_set", 16),
    ("returning/column_of_another_table", 18),
    ("returning/column_of_another_table_of_old_row", 18),
    ("returning/execute", 18),
    ("returning/not_executed", 16),
    ("returning/outcome_on_any_connection", 19),
    ("returning/outcome_on_any_dialect", 19),
    ("returning/result_of_unknown_type", 16),
    ("returning/returning_on_any_database", 17),
    ("returning/returning_on_any_dialect", 19),
    ("unimplemented/embed_that_does_not_derive", 22),
    ("unimplemented/embedded_struct_as_model", 17),
    ("unimplemented/method_of_model_that_does_not_derive", 21),
    ("unimplemented/model_that_does_not_derive", 17),
    ("features/missing", 16),
    ("features/async", 16),
];

#[test]
fn messages_are_short() {
    let mut long = Vec::new();
    let of_features = ["missing", "async"].map(|project| {
        let file = Path::new(ROOT).join("features").join(project);
        let message = format!("tests/features/{project}/expected.stderr");
        (file, fs::read_to_string(message).unwrap())
    });
    for (file, message) in messages().chain(of_features) {
        let lines: Vec<_> = message.lines().collect();
        let is_first = |line: &&str| line.starts_with("error") || line.starts_with("warning");
        let errors = lines.chunk_by(|_, line| !is_first(line));
        let lines = errors.map(|it| it.join("\n").trim_end().lines().count());
        let lines = lines.max().unwrap_or_default();
        if lines > MAX_LINES {
            let case = file.strip_prefix(ROOT).unwrap().with_extension("");
            long.push((case.to_str().unwrap().to_owned(), lines));
        }
    }
    let long: Vec<_> = long
        .iter()
        .map(|(case, lines)| (case.as_str(), *lines))
        .collect();
    assert_eq!(long, LONG);
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

fn messages() -> impl Iterator<Item = (PathBuf, String)> {
    files("stderr")
}

fn sources() -> impl Iterator<Item = (PathBuf, String)> {
    files("rs")
}

fn pass() -> PathBuf {
    Path::new(ROOT).join(PASS)
}

/// The files with this extension, and what is in them.
fn files(extension: &'static str) -> impl Iterator<Item = (PathBuf, String)> {
    let files = topics().into_iter().flat_map(|topic| list(&topic));
    let files = files.filter(move |file| file.extension() == Some(OsStr::new(extension)));
    files.map(|file| {
        let text = fs::read_to_string(&file).unwrap();
        (file, text)
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

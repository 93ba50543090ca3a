//! What the derive costs the compiler: a crate of 100 models with 10 columns each and a call
//! for each of them, against the same crate with upserts of stock Diesel written by hand, and
//! with plain inserts.
//!
//! `cargo bench --bench compile` prints a table. The crates are made in a temporary
//! directory and share the dependencies, which are built before; what is timed is cargo on
//! the crate alone, from clean and after a touch of its source. The crates take turns.
//!
//! `-- --models N` and `-- --rounds N` change the sizes.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

mod support;

use support::{argument, in_turn};

const CRATES: [(&str, &str); 3] = [
    ("stock", "`Insertable`, and stock upserts by hand"),
    ("upsertable", "`Upsertable`"),
    ("insertable", "`Insertable` alone"),
];

/// Types of a model's columns but the first, in `table!` and in Rust.
const COLUMNS: [(&str, &str); 9] = [
    ("Text", "String"),
    ("Integer", "i32"),
    ("BigInt", "i64"),
    ("Double", "f64"),
    ("Bool", "bool"),
    ("Nullable<Text>", "Option<String>"),
    ("Nullable<Integer>", "Option<i32>"),
    ("Text", "String"),
    ("BigInt", "i64"),
];

fn model(name: &str, number: usize) -> String {
    let mut table = String::new();
    let mut fields = String::new();
    let mut updates = String::new();
    for (i, (sql, rust)) in COLUMNS.iter().enumerate() {
        write!(table, "c{i} -> {sql}, ").unwrap();
        write!(fields, "pub c{i}: {rust}, ").unwrap();
        write!(updates, "t::c{i}.eq(excluded(t::c{i})), ").unwrap();
    }
    let (derives, attribute, body) = match name {
        "upsertable" => (
            "upsert_core::Upsertable",
            "#[upsert(update_all)]",
            "<Model as upsert_core::Upsertable>::bulk_upsert(conn, rows).unwrap()".to_owned(),
        ),
        "stock" => (
            "diesel::Insertable",
            // Else SQLite takes no batch with an `Option`.
            "#[diesel(treat_none_as_default_value = false)]",
            format!(
                "{{ use diesel::upsert::excluded; use rows_{number} as t; \
                 diesel::insert_into(t::table).values(rows).on_conflict(t::id).do_update()\
                 .set(({updates})).execute(conn).unwrap() }}"
            ),
        ),
        _ => (
            "diesel::Insertable",
            "#[diesel(treat_none_as_default_value = false)]",
            format!(
                "diesel::insert_into(rows_{number}::table).values(rows).execute(conn).unwrap()"
            ),
        ),
    };
    format!(
        "pub mod m{number} {{\n    use diesel::prelude::*;\n    \
         diesel::table! {{ rows_{number} (id) {{ id -> Integer, {table} }} }}\n    \
         #[derive({derives})]\n    #[diesel(table_name = rows_{number})]\n    {attribute}\n    \
         pub struct Model {{ pub id: i32, {fields} }}\n    \
         pub fn write(conn: &mut SqliteConnection, rows: &[Model]) -> usize {{ {body} }}\n}}\n"
    )
}

/// Makes the crates, as a workspace.
fn generate(root: &Path) {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let members = CRATES.map(|(name, _)| format!("\"{name}\""));
    let workspace = format!(
        "[workspace]\nresolver = \"3\"\nmembers = [{}]\n",
        members.join(", ")
    );
    fs::write(root.join("Cargo.toml"), workspace).unwrap();
    fs::copy(project.join("Cargo.lock"), root.join("Cargo.lock")).unwrap();
    for (name, _) in CRATES {
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [dependencies]\n\
             diesel = {{ version = \"2.3\", default-features = false, features = [\"sqlite\"] }}\n\
             libsqlite3-sys = {{ version = \"0.38\", features = [\"bundled\"] }}\n\
             upsert-core = {{ path = \"{}\", features = [\"sqlite\"] }}\n",
            project.join("upsert-core").display()
        );
        let source: String = (0..argument("--models", 100))
            .map(|i| model(name, i))
            .collect();
        fs::create_dir_all(root.join(name).join("src")).unwrap();
        fs::write(root.join(name).join("Cargo.toml"), manifest).unwrap();
        fs::write(root.join(name).join("src/lib.rs"), source).unwrap();
    }
}

fn cargo(root: &Path, command: &str, name: &str) {
    let status = Command::new(env!("CARGO"))
        .args([command, "--quiet", "-p", name])
        .current_dir(root)
        .env("CARGO_TARGET_DIR", root.join("target"))
        .stderr(Stdio::inherit())
        .status()
        .unwrap();
    assert!(status.success(), "cargo {command} -p {name}");
}

/// The time of `command` on a crate.
fn time(root: &Path, command: &str, name: &str, is_clean: bool) -> Duration {
    if is_clean {
        cargo(root, "clean", name);
    } else {
        let source = root.join(name).join("src/lib.rs");
        let text = fs::read(&source).unwrap();
        fs::write(&source, text).unwrap();
    }
    let start = Instant::now();
    cargo(root, command, name);
    start.elapsed()
}

fn main() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    generate(root);
    println!("| | crate | median | against the first |");
    println!("|---|---|--:|--:|");
    for command in ["check", "build"] {
        for (name, _) in CRATES {
            cargo(root, command, name);
        }
        for (is_clean, state) in [(true, "from clean"), (false, "after a touch")] {
            let medians = in_turn(CRATES.len(), 0, argument("--rounds", 5), |i| {
                time(root, command, CRATES[i].0, is_clean)
            });
            for ((_, name), median) in CRATES.iter().zip(&medians) {
                let ratio = median.as_secs_f64() / medians[0].as_secs_f64();
                let seconds = median.as_secs_f64();
                println!("| `cargo {command}` {state} | {name} | {seconds:.2} s | {ratio:.2} |");
            }
        }
    }
}

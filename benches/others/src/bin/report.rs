//! All benchmarks, one after the other, as one report: `benches/report/README.md`, with the
//! ratios to the floor as a plot beside it.
//!
//! `cargo run --release --manifest-path benches/others/Cargo.toml --bin report` writes it, in
//! about an hour on two cores. The servers are those of `PG_DATABASE_URL` and
//! `MYSQL_DATABASE_URL`. `-- NAME..` measures only these benchmarks anew, and keeps the
//! tables of the others.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// The benchmarks and their headings.
const BENCHES: [(&str, &str); 6] = [
    ("floor", "Against the floor"),
    ("cases", "Other calls"),
    ("scale", "Streams of any length"),
    ("outcome", "Results"),
    ("remote", "Round trips"),
    ("others", "Other libraries"),
];

/// What cargo is told to run it.
fn command(bench: &str) -> String {
    match bench {
        "others" => {
            "run --release --manifest-path benches/others/Cargo.toml --bin others".to_owned()
        }
        _ => format!("bench --bench {bench} --features postgres,mysql"),
    }
}

/// The workspace.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn run(bench: &str) -> String {
    let output = Command::new(env!("CARGO"))
        .args(command(bench).split(' '))
        .current_dir(root())
        .stderr(std::process::Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{bench}");
    String::from_utf8(output.stdout).unwrap()
}

/// A bar of the plot: its name, and the ratio to the floor.
type Bar = (String, f64);

/// The rows of the floor's table, by database and size of the table.
fn groups(table: &str) -> Vec<(String, Vec<Bar>)> {
    let mut groups: Vec<(String, Vec<Bar>)> = Vec::new();
    for line in table.lines().skip(2) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [database, existing, name, _, ratio] = cells[..] else {
            continue;
        };
        let size = if existing == "0" {
            "an empty table"
        } else {
            "a table of a million rows"
        };
        let title = format!("{database}, {size}");
        let bar = (name.replace('`', ""), ratio.parse().unwrap());
        match groups.last_mut() {
            Some((last, bars)) if *last == title => bars.push(bar),
            _ => groups.push((title, vec![bar])),
        }
    }
    groups
}

/// Bars whose length is the time, the floor's being 1; readable on light and dark pages.
fn plot(groups: &[(String, Vec<Bar>)]) -> String {
    const WIDTH: f64 = 760.0;
    const LABELS: f64 = 270.0;
    /// Longer bars are cut.
    const MOST: f64 = 5.0;
    let mut bars = String::new();
    let mut y = 24.0;
    for (title, group) in groups {
        writeln!(
            bars,
            "<text x=\"0\" y=\"{y}\" class=\"title\">{title}</text>"
        )
        .unwrap();
        for (name, ratio) in group {
            y += 20.0;
            let class = if name == "bulk_upsert" {
                "ours"
            } else {
                "other"
            };
            let length = ratio.min(MOST) / MOST * (WIDTH - LABELS - 60.0);
            let (text, top, end) = (LABELS - 8.0, y - 12.0, LABELS + length + 6.0);
            writeln!(
                bars,
                "<text x=\"{text}\" y=\"{y}\" text-anchor=\"end\">{name}</text>\n\
                 <rect x=\"{LABELS}\" y=\"{top}\" width=\"{length:.1}\" height=\"14\" \
                 class=\"{class}\"/>\n\
                 <text x=\"{end:.1}\" y=\"{y}\">{ratio:.2}</text>"
            )
            .unwrap();
        }
        y += 34.0;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <style>\n\
         text {{ fill: #24292f; }} .title {{ font-weight: bold; }}\n\
         .ours {{ fill: #1a7f37; }} .other {{ fill: #8c959f; }}\n\
         @media (prefers-color-scheme: dark) {{\n\
         text {{ fill: #e6edf3; }} .ours {{ fill: #3fb950; }} .other {{ fill: #6e7681; }}\n\
         }}\n\
         </style>\n{bars}</svg>\n"
    )
}

/// The section of an earlier report.
fn section(report: &str, heading: &str) -> Option<String> {
    let (_, rest) = report.split_once(&format!("## {heading}\n"))?;
    let rest = rest.split("\n## ").next()?;
    let table = rest.lines().skip_while(|line| !line.starts_with('|'));
    Some(table.fold(String::new(), |table, line| table + line + "\n"))
}

fn main() {
    let chosen: Vec<String> = std::env::args()
        .skip(1)
        .filter(|it| !it.starts_with('-'))
        .collect();
    let directory = root().join("benches/report");
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("README.md");
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    let mut report = "# Benchmarks\n\n\
         Written by `cargo run --release --manifest-path benches/others/Cargo.toml --bin\n\
         report`. Medians; the candidates of a table took turns in one run. Each file in\n\
         `benches/` says what it measures.\n\n\
         ![Time against the floor](floor.svg)\n"
        .to_owned();
    for (bench, heading) in BENCHES {
        let is_chosen = chosen.is_empty() || chosen.iter().any(|it| it == bench);
        let table = if is_chosen {
            Some(run(bench))
        } else {
            section(&before, heading)
        };
        let Some(table) = table else { continue };
        if bench == "floor" {
            std::fs::write(directory.join("floor.svg"), plot(&groups(&table))).unwrap();
        }
        let table = table.trim_end();
        let command = command(bench);
        write!(report, "\n## {heading}\n\n`cargo {command}`\n\n{table}\n").unwrap();
        // What is measured is kept if a later one fails.
        std::fs::write(&path, &report).unwrap();
    }
}

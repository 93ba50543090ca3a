//! All benchmarks, one after the other, as one report: `benches/report/README.md`, with the
//! ratios to the floor as a plot beside it.
//!
//! `cargo run --release --manifest-path benches/others/Cargo.toml --bin report` writes it, in
//! some two hours on two cores. The servers are those of `PG_DATABASE_URL` and
//! `MYSQL_DATABASE_URL`. `-- NAME..` measures only these anew, and keeps the results of the
//! others; the names are those of [`BENCHES`].

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// The benchmarks: their names here, what cargo is told to run, and their headings.
const BENCHES: [(&str, &str, &str); 8] = [
    (
        "sqlite",
        "bench --bench floor --features postgres,mysql -- --database SQLite",
        "SQLite",
    ),
    (
        "postgres",
        "bench --bench floor --features postgres,mysql -- --database PostgreSQL",
        "PostgreSQL",
    ),
    (
        "mariadb",
        "bench --bench floor --features postgres,mysql -- --database MariaDB",
        "MariaDB",
    ),
    (
        "cases",
        "bench --bench cases --features postgres,mysql",
        "One row, and several connections",
    ),
    (
        "scale",
        "bench --bench scale --features postgres,mysql",
        "Streams of any length",
    ),
    (
        "outcome",
        "bench --bench outcome --features postgres,mysql",
        "Results",
    ),
    (
        "remote",
        "bench --bench remote --features postgres,mysql",
        "Round trips",
    ),
    (
        "others",
        "run --release --manifest-path benches/others/Cargo.toml --bin others",
        "Other libraries",
    ),
];

/// The workspace.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn run(command: &str) -> String {
    let output = Command::new(env!("CARGO"))
        .args(command.split(' '))
        .current_dir(root())
        .stderr(std::process::Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{command}");
    String::from_utf8(output.stdout).unwrap()
}

/// A bar of the plot: its name, and the ratio to the floor.
type Bar = (String, f64);

/// The calls of 100 000 rows into an empty table, and into one where all of them exist.
fn groups(database: &str, table: &str) -> Vec<(String, Vec<Bar>)> {
    fn cells(line: &str) -> Vec<&str> {
        let line = line.trim_matches('|');
        line.split('|').map(str::trim).collect()
    }
    let mut lines = table.lines().filter(|line| line.starts_with('|'));
    let names = cells(lines.next().unwrap_or_default());
    let mut groups = Vec::new();
    for line in lines {
        let cells = cells(line);
        let size = match cells[..4] {
            ["0", "100000", ..] => "an empty table",
            [_, "100000", "100 %", "0 %"] => "a million rows, these among them",
            _ => continue,
        };
        let bars = names.iter().zip(&cells).skip(4).filter_map(|(name, cell)| {
            let is_floor = cell.ends_with("ms");
            let ratio = if is_floor {
                Some(1.0)
            } else {
                cell.parse().ok()
            };
            Some((name.replace('`', ""), ratio?))
        });
        groups.push((format!("{database}, {size}"), bars.collect()));
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

/// What an earlier report has below a heading and its command.
fn section(report: &str, heading: &str) -> Option<String> {
    let (_, rest) = report.split_once(&format!("## {heading}\n\n`"))?;
    let (_, rest) = rest.split_once("`\n\n")?;
    Some(rest.split("\n## ").next()?.to_owned())
}

/// Puts the results of one benchmark among those that are there.
fn write_report(measured: &str, results: &str) {
    let directory = root().join("benches/report");
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("README.md");
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    let mut report = "# Benchmarks\n\n\
         Written by `cargo run --release --manifest-path benches/others/Cargo.toml --bin\n\
         report`. Medians; the candidates of a table took turns in one run. Each file in\n\
         `benches/` says what it measures.\n\n\
         ![100 000 rows, against the floor](floor.svg)\n"
        .to_owned();
    let mut bars = Vec::new();
    for (_, command, heading) in BENCHES {
        let results = if heading == measured {
            Some(results.to_owned())
        } else {
            section(&before, heading)
        };
        let Some(results) = results else { continue };
        if command.contains("--bench floor") {
            bars.extend(groups(heading, &results));
        }
        let results = results.trim();
        write!(report, "\n## {heading}\n\n`cargo {command}`\n\n{results}\n").unwrap();
    }
    std::fs::write(&path, &report).unwrap();
    std::fs::write(directory.join("floor.svg"), plot(&bars)).unwrap();
}

fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    for (bench, command, heading) in BENCHES {
        if chosen.is_empty() || chosen.iter().any(|it| it == bench) {
            // What is measured is kept if a later one fails.
            write_report(heading, &run(command));
        }
    }
}

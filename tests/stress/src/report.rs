//! Markdown tables.

use std::fmt::Display;

/// Prints a row of a table.
pub(crate) fn row(cells: &[&dyn Display]) {
    let cells: Vec<_> = cells.iter().map(ToString::to_string).collect();
    println!("| {} |", cells.join(" | "));
}

/// Prints the head of a table.
pub(crate) fn head(columns: &[&str]) {
    println!("| {} |", columns.join(" | "));
    println!("|{}", "---|".repeat(columns.len()));
}

/// "yes", or in capitals what is broken.
pub(crate) fn verdict(holds: bool) -> &'static str {
    if holds { "yes" } else { "BROKEN" }
}

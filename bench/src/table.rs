//! Prints results as Markdown tables.

use std::io::Write as _;

/// Prints a Markdown table with a heading.
pub(crate) fn print(title: &str, headings: &[&str], rows: &[Vec<String>]) {
    let mut out = std::io::stdout().lock();
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let headings: Vec<String> = headings.iter().map(|heading| (*heading).to_owned()).collect();
    let rule = format!("|{}\n", "---|".repeat(headings.len()));
    let body: String = rows.iter().map(|row| line(row)).collect();
    let _ = write!(out, "\n## {title}\n\n{}{rule}{body}", line(&headings));
}

/// The median (of an even number of figures, the lower one); 0 of none.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures
        .get(figures.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or_default()
}

/// Prints one line under a table.
pub(crate) fn note(line: &str) {
    let _ = writeln!(std::io::stdout(), "\n{line}");
}

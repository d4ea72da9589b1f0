//! The samples as a table (CSV) and as a chart (SVG): a small one for each figure.

use std::fmt::Write as _;
use std::path::Path;

use super::figures::{FIGURES, Figure};
use super::sample::Sample;

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 90.0;
/// Room for the title above each, and beside it.
const GAP: f64 = 34.0;
const COLUMNS: usize = 2;

/// Writes both, over those of a moment ago.
pub(super) fn write(folder: &Path, samples: &[Sample]) -> anyhow::Result<()> {
    std::fs::write(folder.join("soak.csv"), table(samples))?;
    std::fs::write(folder.join("soak.svg"), chart(samples)?)?;
    Ok(())
}

fn table(samples: &[Sample]) -> String {
    let mut lines = vec!["seconds".to_owned()];
    for Figure { name, unit, .. } in &FIGURES {
        lines[0].push_str(&[",\"", name, " ", unit, "\""].concat());
    }
    lines.extend(samples.iter().map(|sample| {
        let mut line = vec![sample.at.as_secs().to_string()];
        line.extend(FIGURES.iter().map(|figure| format!("{:.2}", (figure.of)(sample))));
        line.join(",")
    }));
    lines.join("\n") + "\n"
}

fn chart(samples: &[Sample]) -> anyhow::Result<String> {
    let rows = FIGURES.len().div_ceil(COLUMNS);
    let (width, height) = (place(COLUMNS, WIDTH), place(rows, HEIGHT));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (number, figure) in FIGURES.iter().enumerate() {
        let (x, y) = (place(number % COLUMNS, WIDTH), place(number / COLUMNS, HEIGHT));
        let panel = panel(figure, samples);
        writeln!(svg, "<g transform=\"translate({x:.0},{y:.0})\">{panel}</g>")?;
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

fn place(number: usize, size: f64) -> f64 {
    GAP + f64::from(u32::try_from(number).unwrap_or_default()) * (size + GAP)
}

/// One figure from 0 to its highest value.
fn panel(figure: &Figure, samples: &[Sample]) -> String {
    let highest = samples.iter().map(figure.of).fold(1.0, f64::max);
    let end = samples.last().map_or(1.0, |sample| sample.at.as_secs_f64()).max(1.0);
    let point = |sample: &Sample| {
        let x = sample.at.as_secs_f64() / end * WIDTH;
        let y = HEIGHT - (figure.of)(sample) / highest * HEIGHT;
        format!("{x:.1},{y:.1}")
    };
    let points: Vec<String> = samples.iter().map(point).collect();
    let (name, unit, minutes, points) = (figure.name, figure.unit, end / 60.0, points.join(" "));
    format!(
        "<text y=\"-6\">{name}: 0 to {highest:.1} {unit}, {minutes:.0} min</text>\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"none\" stroke=\"#ccc\"/>\
         <polyline fill=\"none\" stroke=\"#1565c0\" points=\"{points}\"/>"
    )
}

//! What minijinja says of a template that is none.

use std::ops::Range;

use minijinja::Error;

/// What is wrong, without the name of the template: the place says it.
pub(crate) fn message(error: &Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

/// The byte where the error begins.
pub(crate) fn beginning(error: &Error, source: &str) -> Option<usize> {
    let of_line = |line: usize| {
        let before: usize = source
            .split_inclusive('\n')
            .take(line.saturating_sub(1))
            .map(str::len)
            .sum();
        before
    };
    let range: Option<Range<usize>> = error.range();
    range.map(|range| range.start).or_else(|| error.line().map(of_line))
}

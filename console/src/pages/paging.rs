//! Lists page by page. The next page begins after the key of the last line; one line more than a
//! page has is read, to know whether there is a next page.

/// Lines of a page.
pub(super) const LINES: u16 = 50;

/// How many lines to read for a page.
pub(super) const ONE_MORE: u16 = LINES + 1;

/// Cuts the lines that were read to a page. Returns the key after which the next page begins, if
/// there is one.
pub(super) fn cut<L>(lines: &mut Vec<L>, key: impl Fn(&L) -> String) -> Option<String> {
    let has_more = lines.len() > usize::from(LINES);
    lines.truncate(LINES.into());
    lines.last().filter(|_| has_more).map(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_next_one_if_there_is_a_line_more() {
        let mut full: Vec<u16> = (1..=ONE_MORE).collect();
        assert_eq!(cut(&mut full, u16::to_string), Some(LINES.to_string()));
        assert_eq!(full.last(), Some(&LINES));
        let mut last: Vec<u16> = (1..=LINES).collect();
        assert_eq!(cut(&mut last, u16::to_string), None);
        assert_eq!(cut(&mut Vec::new(), u16::to_string), None);
    }
}

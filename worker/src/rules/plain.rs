//! Texts that are no page: titles, and fields of rows.

/// A text as a page's title: one line, no control characters, bounded.
pub(super) fn title(text: &str) -> String {
    const MOST_CHARACTERS: usize = 500;
    let cleaned = without_controls(text);
    let words: Vec<&str> = cleaned.split_whitespace().collect();
    words.join(" ").chars().take(MOST_CHARACTERS).collect()
}

/// A text without control characters: NUL makes Docmost answer 500, or lose the content with a 200.
pub(super) fn without_controls(text: &str) -> String {
    text.chars()
        .map(|c| if c == '\t' { ' ' } else { c })
        .filter(|c| *c == '\n' || !c.is_control())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_bounded_line_without_nul() {
        assert_eq!(title(" a\u{0}\n\tb  c "), "a b c");
        assert_eq!(title(&"x".repeat(10_000)).len(), 500);
    }
}

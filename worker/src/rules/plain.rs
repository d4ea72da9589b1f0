//! Texts that are no page: titles, and fields of rows.

/// A text as a page's title: one line, no control characters, at most 500 characters. An ellipsis
/// is the last character of a title that was cut.
pub(super) fn title(text: &str) -> String {
    const MOST_CHARACTERS: usize = 500;
    let cleaned = without_controls(text);
    let words: Vec<&str> = cleaned.split_whitespace().collect();
    let title = words.join(" ");
    match title.char_indices().nth(MOST_CHARACTERS - 1) {
        Some((last, c)) if last + c.len_utf8() < title.len() => format!("{}…", title[..last].trim_end()),
        _ => title,
    }
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
        assert_eq!(title(&"x".repeat(500)), "x".repeat(500));
    }

    #[test]
    fn a_title_that_is_cut_says_so_with_an_ellipsis() {
        for letter in ["x", "é", "🌍"] {
            let cut = title(&letter.repeat(501));
            assert_eq!(cut.chars().count(), 500);
            assert_eq!(cut, letter.repeat(499) + "…");
        }
        assert_eq!(
            title(&format!("{} y{}", "x".repeat(498), "z".repeat(9))),
            "x".repeat(498) + "…"
        );
    }
}

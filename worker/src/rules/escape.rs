//! The content of a row is text, never Markdown: a value must not be able to break the page, leave
//! its table cell, or plant a link.

/// Characters that mean something to Markdown (or to Docmost's additions) anywhere in a line.
const SPECIAL: &str = "\\`*_[]<>|~#$&{}!^";

/// A text as one line of Markdown that shows exactly this text; line breaks become `<br>`, which
/// also holds in a table cell.
pub(super) fn inline(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(line).filter(|line| !line.is_empty()).collect();
    lines.join("<br>")
}

/// A long text with its paragraphs; only for places where blank lines are allowed.
pub(super) fn paragraphs(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(line).collect();
    let paragraphs = lines.split(String::is_empty).filter(|lines| !lines.is_empty());
    let paragraphs: Vec<String> = paragraphs.map(|lines| lines.join("<br>")).collect();
    paragraphs.join("\n\n")
}

/// A text as a page's title: one line, no control characters, bounded.
pub(super) fn title(text: &str) -> String {
    const MOST_CHARACTERS: usize = 500;
    let cleaned = without_controls(text);
    let words: Vec<&str> = cleaned.split_whitespace().collect();
    words.join(" ").chars().take(MOST_CHARACTERS).collect()
}

/// A text without characters that no page may have: NUL makes Docmost answer 500, or lose the
/// content with a 200.
pub(super) fn without_controls(text: &str) -> String {
    text.chars()
        .map(|c| if c == '\t' { ' ' } else { c })
        .filter(|c| *c == '\n' || !c.is_control())
        .collect()
}

fn line(text: &str) -> String {
    let cleaned = without_controls(text);
    let cleaned = cleaned.trim();
    let digits = cleaned.bytes().take_while(u8::is_ascii_digit).count();
    let mut escaped = String::with_capacity(cleaned.len() + 8);
    for (position, c) in cleaned.char_indices() {
        // At its beginning a line could be a list, a heading's underline, or one of Docmost's ":::"
        // blocks.
        let begins_block =
            (position == 0 && "-+=:".contains(c)) || (position == digits && digits > 0 && ".)".contains(c));
        if begins_block || SPECIAL.contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_value_cannot_leave_its_cell_or_plant_a_link() {
        assert_eq!(inline("a | b\n\n# c"), r"a \| b<br>\# c");
        assert_eq!(inline("[x](http://evil)"), r"\[x\](http://evil)");
        assert_eq!(inline("<script>"), r"\<script\>");
        assert_eq!(inline("1. first"), r"1\. first");
        assert_eq!(inline("- item"), r"\- item");
        assert_eq!(inline("2026-01-31 12.50"), "2026-01-31 12.50");
    }

    #[test]
    fn paragraphs_stay_paragraphs() {
        assert_eq!(paragraphs("one\ntwo\n\n\n    three\n"), "one<br>two\n\nthree");
        assert_eq!(paragraphs(""), "");
    }

    #[test]
    fn a_title_is_one_bounded_line_without_nul() {
        assert_eq!(title(" a\u{0}\n\tb  c "), "a b c");
        assert_eq!(title(&"x".repeat(10_000)).len(), 500);
    }

    proptest! {
        #[test]
        fn an_escaped_value_is_one_line_whose_special_characters_are_all_escaped(text in "\\PC*|[\\\\`|\\[\\]\n*_<>a]*") {
            let escaped = inline(&text);
            prop_assert!(!escaped.contains(['\n', '\r', '\0']));
            let mut rest = escaped.replace("<br>", "");
            while let Some(position) = rest.find('\\') {
                let escaped_character = rest[position + 1..].chars().next().unwrap();
                rest.replace_range(position..=position + escaped_character.len_utf8(), "");
            }
            prop_assert!(!rest.contains(|c| SPECIAL.contains(c)), "{rest}");
        }
    }
}

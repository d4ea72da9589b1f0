//! A notice in words, ready to be sent.

/// The longest subject, in characters.
pub(crate) const MOST_SUBJECT_CHARS: usize = 200;

/// A subject: one line, not too long. So it can never become a second header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectLine(String);

impl SubjectLine {
    /// Takes any text: what ends or hides a line becomes a space, what is too long is cut.
    pub fn new(text: &str) -> Self {
        let breaks = |c: char| c.is_control() || matches!(c, ' ' | '\u{2028}' | '\u{2029}');
        let words: Vec<&str> = text.split(breaks).filter(|word| !word.is_empty()).collect();
        let line = words.join(" ");
        if line.chars().count() <= MOST_SUBJECT_CHARS {
            return Self(line);
        }
        let start: String = line.chars().take(MOST_SUBJECT_CHARS - 1).collect();
        Self(format!("{start}…"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A notice in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    pub subject: SubjectLine,
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

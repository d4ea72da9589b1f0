//! What people and logs may see of a text: no secret of this process, and no character that a
//! terminal would obey.
//!
//! The settings tell of every secret that they read ([`keep_secret`]). Whatever leaves a process as
//! text for people passes here: its log, the answers of the operator's program, and what is kept of
//! failures (in the ledger, in dead letters), where a foreign system may echo what it was sent.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::{PoisonError, RwLock};

/// In the place of a secret.
pub const REDACTED: &str = "[redacted]";
/// Shorter secrets are left: they would be found in ordinary words. (The settings warn of them.)
const SHORTEST: usize = 8;

/// The secrets in every spelling, the longest first.
static SECRETS: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// From now on this secret is never shown. Its spellings in URLs and in JSON are recognised too.
pub fn keep_secret(secret: &str) {
    if secret.len() < SHORTEST {
        return;
    }
    let json = serde_json::to_string(secret).unwrap_or_default();
    // Without the quotation marks around it.
    let json = json.get(1..json.len().saturating_sub(1)).unwrap_or_default().to_owned();
    let mut secrets = SECRETS.write().unwrap_or_else(PoisonError::into_inner);
    for spelling in [
        secret.to_owned(),
        json,
        percent_encoded(secret),
        percent_decoded(secret),
    ] {
        if spelling.len() >= SHORTEST && !secrets.contains(&spelling) {
            secrets.push(spelling);
        }
    }
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
}

/// The passwords of a URL, in front of its host and among its parameters, are never shown.
pub fn keep_secrets_of_url(url: &str) {
    let Some((_, rest)) = url.split_once("://") else { return };
    if let Some((user, _)) = rest.rsplit_once('@')
        && let Some((_, password)) = user.split_once(':')
    {
        keep_secret(password);
    }
    let parameters = rest.split(['?', '&']).skip(1);
    for (_, value) in parameters.filter_map(|parameter| parameter.split_once('=')) {
        keep_secret(value);
    }
}

/// The text without the secrets of this process.
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    let secrets = SECRETS.read().unwrap_or_else(PoisonError::into_inner);
    let mut shown = Cow::Borrowed(text);
    for secret in secrets.iter() {
        if shown.contains(secret.as_str()) {
            shown = Cow::Owned(shown.replace(secret.as_str(), REDACTED));
        }
    }
    shown
}

/// The text as it may be shown at a terminal: without secrets; control characters are spelled out
/// as in JSON, but for the ends of lines and tabs.
pub fn shown(text: &str) -> Cow<'_, str> {
    let text = without_secrets(text);
    if !text.chars().any(is_obeyed) {
        return text;
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_obeyed(character) {
            let _ = write!(shown, "\\u{:04x}", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// Control characters, and the marks that turn the direction of a line around.
fn is_obeyed(character: char) -> bool {
    let turns = matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (character.is_control() && !matches!(character, '\n' | '\t'))
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// What is no encoding stays.
pub(crate) fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        let code = others.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        let code = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        if let Some(byte) = code.filter(|_| *first == b'%') {
            bytes.push(byte);
            rest = others.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = others;
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// A writer whose lines are [`shown`]. A line is written when it ends, or with a flush.
#[derive(Debug)]
pub struct Shown<W: Write> {
    inner: W,
    line: Vec<u8>,
}

impl<W: Write> Shown<W> {
    /// In front of a writer.
    pub fn new(inner: W) -> Self {
        Self {
            inner,
            line: Vec::new(),
        }
    }

    /// Writes our own commands to a terminal, as they are.
    pub fn command(&mut self, command: &str) -> io::Result<()> {
        self.flush()?;
        self.inner.write_all(command.as_bytes())
    }
}

impl<W: Write> Write for Shown<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        if let Some(end) = self.line.iter().rposition(|byte| *byte == b'\n') {
            let rest = self.line.split_off(end + 1);
            let lines = std::mem::replace(&mut self.line, rest);
            self.inner
                .write_all(shown(&String::from_utf8_lossy(&lines)).as_bytes())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.line);
        self.inner
            .write_all(shown(&String::from_utf8_lossy(&rest)).as_bytes())?;
        self.inner.flush()
    }
}

impl<W: Write> Drop for Shown<W> {
    fn drop(&mut self) {
        let _ = self.flush();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::escape("\u{1b}]0;owned\u{7}", "\\u001b]0;owned\\u0007")]
    #[case::second_set("\u{9b}31m", "\\u009b31m")]
    #[case::back("a\rb\u{8}", "a\\u000db\\u0008")]
    #[case::turned("a\u{202e}b", "a\\u202eb")]
    #[case::lines("one\n\ttwo é", "one\n\ttwo é")]
    fn a_terminal_gets_no_character_that_it_would_obey(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(shown(text), expected);
    }

    #[test]
    fn a_secret_is_not_shown_in_any_of_its_spellings() {
        keep_secret("p\"ss wörd/1?#");
        keep_secrets_of_url("postgres://me:ge%40heim%3F1@db/bridge?sslpassword=another-one&x=1");
        let text = "raw p\"ss wörd/1?# json p\\\"ss wörd/1?# url p%22ss%20w%C3%B6rd%2F1%3F%23 ge@heim?1 ge%40heim%3F1 another-one";
        let expected = "raw [redacted] json [redacted] url [redacted] [redacted] [redacted] [redacted]";
        assert_eq!(without_secrets(text), expected);
    }

    proptest! {
        #[test]
        fn whatever_is_written_in_whatever_pieces_comes_out_shown(text in "\\PC{0,40}[\\x00-\\x1f\u{80}-\u{9f}]{0,9}.{0,40}", size in 1_usize..9) {
            let mut out = Vec::new();
            let mut writer = Shown::new(&mut out);
            for piece in text.as_bytes().chunks(size) {
                writer.write_all(piece).unwrap();
            }
            drop(writer);
            let out = String::from_utf8(out).unwrap();
            prop_assert_eq!(&out, &shown(&text));
            prop_assert!(!out.chars().any(is_obeyed));
        }
    }
}

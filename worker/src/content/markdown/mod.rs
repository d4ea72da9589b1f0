//! The Markdown of templates becomes nodes of a page; the values that a template inserted become
//! exactly their text.
//!
//! A template does not write a value into its Markdown but a placeholder, and the value takes its
//! place when the Markdown has been read: so a value can be no markup, and needs no escaping. Which
//! nodes come out is what the wiki makes of the same Markdown, except that HTML stays text (`<br>`
//! is a line break) and a table without header texts has no header row.

mod block;
mod form;
mod inline;
mod link;

use pulldown_cmark::{Options, Parser, TextMergeStream};

use super::document::Node;
use block::Builder;
pub use inline::paragraph;
pub use link::mark as link_to;

/// A value that a template inserted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inserted {
    /// Line by line. Web and mail addresses in it become links.
    Text(String),
    /// A text that leads to an address.
    Link { text: String, url: String },
    /// A long text: where it stands alone, with its paragraphs.
    Paragraphs(String),
    /// Markdown that people wrote: where it stands alone, with its blocks.
    Markdown(String),
}

/// Encloses the number of a value. Unicode has set both characters aside for a program's own use
/// within itself; neither is punctuation or a space, so Markdown takes a placeholder for a word.
const START: char = '\u{fdd0}';
const END: char = '\u{fdd1}';

/// What stands for the value of this number until the Markdown is read.
pub fn placeholder(number: usize) -> String {
    format!("{START}{number}{END}")
}

/// Reads Markdown with placeholders for these values.
pub fn nodes(markdown: &str, values: &[Inserted]) -> Vec<Node> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS | Options::ENABLE_STRIKETHROUGH;
    let mut builder = Builder::new(values);
    for event in TextMergeStream::new(Parser::new_ext(markdown, options)) {
        builder.take(event);
    }
    builder.finish()
}

/// A text as it may stand in a page: NUL makes Docmost lose the content, or answer 500; a line ends
/// in one way.
pub(super) fn cleaned(text: &str) -> String {
    text.replace('\0', "").replace("\r\n", "\n").replace('\r', "\n")
}

/// A piece of a text with placeholders.
enum Piece<'t> {
    Literal(&'t str),
    /// The number of a value.
    Value(usize),
}

/// Takes a text apart. What looks like a placeholder but is none is text.
fn pieces(text: &str, values: usize) -> Vec<Piece<'_>> {
    let (mut pieces, mut literal, mut at) = (Vec::new(), 0, 0);
    while let Some(found) = text.get(at..).and_then(|rest| rest.find(START)) {
        let start = at + found;
        at = start + START.len_utf8();
        let rest = text.get(at..).unwrap_or_default();
        let number = rest.find(END).and_then(|end| rest.get(..end));
        let Some(value) = number
            .and_then(|number| number.parse().ok())
            .filter(|value| *value < values)
        else {
            continue;
        };
        pieces.extend(text.get(literal..start).map(Piece::Literal));
        pieces.push(Piece::Value(value));
        at += number.map_or(0, str::len) + END.len_utf8();
        literal = at;
    }
    pieces.extend(text.get(literal..).map(Piece::Literal));
    pieces.retain(|piece| !matches!(piece, Piece::Literal("")));
    pieces
}

impl Inserted {
    /// Its text, where only a text can stand.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Link { text, .. } | Self::Paragraphs(text) | Self::Markdown(text) => text,
        }
    }
}

/// A text with its values, where only a text can stand.
fn plain(text: &str, values: &[Inserted]) -> String {
    let pieces = pieces(text, values.len());
    let texts = pieces.iter().map(|piece| match piece {
        Piece::Literal(text) => *text,
        Piece::Value(number) => values.get(*number).map_or("", Inserted::text),
    });
    cleaned(&texts.collect::<String>())
}

#[cfg(test)]
mod tests;

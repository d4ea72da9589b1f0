//! Where links lead, and which texts are links by themselves.

use std::fmt::Write as _;

use linkify::{LinkFinder, LinkKind};

use super::{Inserted, Piece, cleaned, pieces};
use crate::content::document::{Mark, Node};

/// The mark of a link, as the wiki writes it.
pub fn mark(href: &str) -> Mark {
    Mark::new("link")
        .with("href", href)
        .with("target", "_blank")
        .with("rel", "noopener noreferrer nofollow")
        .with("internal", false)
}

/// The address of a link in a template; `None` if it is none that may be followed. A value that is
/// the whole address stays as it is; within an address its characters are encoded.
pub(super) fn target(address: &str, values: &[Inserted]) -> Option<String> {
    let pieces = pieces(address, values.len());
    if let [Piece::Value(number)] = pieces.as_slice() {
        return followed(values.get(*number)?.address());
    }
    let parts = pieces.iter().map(|piece| match piece {
        Piece::Literal(text) => (*text).to_owned(),
        Piece::Value(number) => encoded(values.get(*number).map_or("", Inserted::text)),
    });
    let address = cleaned(&parts.collect::<String>());
    let is_local = address.starts_with(['/', '#']);
    if is_local { Some(address) } else { followed(&address) }
}

/// A whole address, if it is one that may be followed.
pub(super) fn followed(address: &str) -> Option<String> {
    let address = cleaned(address).trim().to_owned();
    let (scheme, rest) = address.split_once(':').unwrap_or(("", &address));
    let is_known = ["http", "https", "mailto", "tel"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known));
    if is_known && !rest.is_empty() {
        return Some(address);
    }
    whole(&address)
}

impl Inserted {
    /// Where it leads, as the whole address of a link.
    fn address(&self) -> &str {
        match self {
            Self::Link { url, .. } => url,
            other => other.text(),
        }
    }
}

fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.trim().bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Whether a text is nothing but a web or mail address; then where it leads.
pub(super) fn whole(text: &str) -> Option<String> {
    let link = LinkFinder::new().links(text).next()?;
    (link.as_str() == text).then(|| own_target(text, link.kind())).flatten()
}

fn own_target(text: &str, kind: &LinkKind) -> Option<String> {
    let scheme = text.split(':').next().unwrap_or_default().to_ascii_lowercase();
    match kind {
        LinkKind::Email => Some(format!("mailto:{text}")),
        _ => matches!(scheme.as_str(), "http" | "https").then(|| text.to_owned()),
    }
}

/// A run of text, the addresses in it as links to exactly themselves.
pub(super) fn linked(run: Node) -> Vec<Node> {
    let is_settled = run.marks.iter().any(|mark| mark.kind == "link" || mark.kind == "code");
    let Some(text) = run.text.as_deref().filter(|_| !is_settled) else {
        return vec![run];
    };
    let spans = LinkFinder::new().spans(text).map(|span| {
        let href = span.kind().and_then(|kind| own_target(span.as_str(), kind));
        let marks = run.marks.iter().cloned().chain(href.map(|href| mark(&href)));
        Node::run(span.as_str(), marks.collect())
    });
    spans.collect()
}

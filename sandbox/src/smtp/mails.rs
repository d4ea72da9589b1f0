//! The mails that came in, parsed, so that a test can check what a person would read.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mail_parser::{MessageParser, PartType};
use serde::Serialize;

use crate::clock;

/// The most mails that are kept.
const KEPT: usize = 10_000;

/// The sender and the recipients, as the commands before the message named them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Envelope {
    /// The address in `MAIL FROM`.
    pub from: String,
    /// The addresses in `RCPT TO` that were accepted.
    pub to: Vec<String>,
}

/// One mail that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mail {
    /// The number of the mail, in order of arrival; the first is 1.
    pub number: u64,
    /// When it was accepted, in milliseconds since the epoch.
    pub at_ms: i64,
    /// Whether the connection was encrypted.
    pub encrypted: bool,
    /// The user who had signed in, if any.
    pub user: Option<String>,
    /// The sender and the recipients.
    pub envelope: Envelope,
    /// The headers as they came, in order, with blanks trimmed at the ends.
    pub headers: Vec<(String, String)>,
    pub subject: Option<String>,
    /// The plain text, decoded.
    pub text: Option<String>,
    pub html: Option<String>,
    /// Everything after `DATA`, without the stuffed dots.
    pub raw: String,
}

impl Mail {
    /// The first header of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut named = self
            .headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.as_str())
    }
}

/// How a mail came.
#[derive(Debug, Clone)]
pub(super) struct Arrival {
    pub(super) encrypted: bool,
    pub(super) user: Option<String>,
    pub(super) envelope: Envelope,
}

/// The mails of one server. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Mails {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    last: u64,
    kept: VecDeque<Mail>,
}

impl Mails {
    /// The mails, oldest first.
    pub fn list(&self) -> Vec<Mail> {
        self.locked().kept.iter().cloned().collect()
    }

    /// Removes all mails. Numbering continues.
    pub fn clear(&self) {
        self.locked().kept.clear();
    }

    pub(super) fn keep(&self, arrival: Arrival, raw: &[u8]) {
        let mut inner = self.locked();
        inner.last += 1;
        let mail = take_apart(inner.last, arrival, raw);
        if inner.kept.len() == KEPT {
            inner.kept.pop_front();
        }
        inner.kept.push_back(mail);
    }

    fn locked(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take_apart(number: u64, arrival: Arrival, raw: &[u8]) -> Mail {
    let message = MessageParser::default().parse(raw).unwrap_or_default();
    let headers = message
        .headers_raw()
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let text = message.text_bodies().find_map(|part| match &part.body {
        PartType::Text(text) => Some(text.clone().into_owned()),
        _ => None,
    });
    let html = message.html_bodies().find_map(|part| match &part.body {
        PartType::Html(html) => Some(html.clone().into_owned()),
        _ => None,
    });
    Mail {
        number,
        at_ms: clock::now_ms(),
        encrypted: arrival.encrypted,
        user: arrival.user,
        envelope: arrival.envelope,
        headers,
        subject: message.subject().map(str::to_owned),
        text,
        html,
        raw: String::from_utf8_lossy(raw).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_is_kept_as_a_person_reads_it() {
        let mails = Mails::default();
        let arrival = Arrival {
            encrypted: false,
            user: None,
            envelope: Envelope::default(),
        };
        let raw = "Subject: =?utf-8?q?=C3=89t=C3=A9?=\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n\
                   --b\r\nContent-Type: text/plain; charset=utf-8\r\n\
                   Content-Transfer-Encoding: quoted-printable\r\n\r\n\
                   d=C3=A9j=C3=A0\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
                   <p>d\u{e9}j\u{e0}</p>\r\n--b--\r\n";
        mails.keep(arrival, raw.as_bytes());
        let mail = &mails.list()[0];
        assert_eq!(mail.subject.as_deref(), Some("Été"));
        assert_eq!(mail.text.as_deref(), Some("déjà"));
        assert_eq!(mail.html.as_deref(), Some("<p>déjà</p>"));
        assert_eq!(mail.header("subject"), Some("=?utf-8?q?=C3=89t=C3=A9?="));
    }
}

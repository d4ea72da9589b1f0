//! A notice as an e-mail message: headers that cannot be injected into, plain text, and the same as
//! HTML.

use std::time::{Duration, SystemTime};

use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use passerelle_model::id::JobKey;
use passerelle_model::ledger::FailureClass;
use passerelle_model::time::Timestamp;
use sha2::{Digest as _, Sha256};

use super::is_plain;
use crate::content::notice::Recipient;
use crate::content::rendered::{Rendered, SubjectLine};
use crate::failure::{Failure, Target};

/// Most people that one notice is sent to: a list would be a mistake in a rule.
const MOST_RECIPIENTS: usize = 50;

/// The addresses of these people. One that is no address is a permanent failure: it would be none
/// next time.
pub(super) fn mailboxes(people: &[Recipient]) -> Result<Vec<Mailbox>, Failure> {
    if people.is_empty() || people.len() > MOST_RECIPIENTS {
        let what = format!(
            "a notice goes to 1 to {MOST_RECIPIENTS} people, this one to {}",
            people.len()
        );
        return Err(Failure::unmappable(what));
    }
    people.iter().map(mailbox).collect()
}

fn mailbox(person: &Recipient) -> Result<Mailbox, Failure> {
    let address = person.address.trim();
    let parsed = address.parse().ok().filter(is_plain);
    let Some(email) = parsed else {
        let hint = if address.is_ascii() {
            "correct it in the row"
        } else {
            "an address with accents cannot be sent to; write its domain in the form xn--…"
        };
        return Err(Failure::unmappable(format!("{address:?} is no e-mail address: {hint}")));
    };
    // A name is one line, like a subject; an empty one is none.
    let name = person
        .name
        .as_deref()
        .map(|name| SubjectLine::new(name).as_str().to_owned());
    Ok(Mailbox::new(name.filter(|name| !name.is_empty()), email))
}

/// Puts the message together. The same key gives the same `Message-ID`.
pub(super) fn compose(
    from: &Mailbox,
    to: &[Mailbox],
    key: &JobKey,
    words: &Rendered,
    now: Timestamp,
) -> Result<Message, Failure> {
    let mut message = Message::builder()
        .from(from.clone())
        .subject(words.subject.as_str())
        .date(clock_time(now))
        .message_id(Some(message_id(key, from)))
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .raw_header(header("X-Bridge-Origin", "bridge"));
    for mailbox in to {
        message = message.to(mailbox.clone());
    }
    message
        .multipart(MultiPart::alternative_plain_html(
            words.text.clone(),
            words.html.clone(),
        ))
        .map_err(|error| {
            Failure::new(
                FailureClass::Permanent,
                Target::Bridge,
                format!("the mail cannot be composed: {error}"),
            )
        })
}

fn message_id(key: &JobKey, from: &Mailbox) -> String {
    let digest = hex::encode(Sha256::digest(key.to_string()));
    let short = digest.get(..32).unwrap_or(&digest);
    format!("<{short}@{}>", from.email.domain())
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn clock_time(now: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or(0))
}

#[cfg(test)]
mod tests;

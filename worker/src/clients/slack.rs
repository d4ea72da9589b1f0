//! Slack's incoming webhook: one message per notice, into the channel that the webhook was made
//! for.
//!
//! | answer | class |
//! |---|---|
//! | 200 `ok` | posted |
//! | 400, 413 | permanent: this message is refused |
//! | 429, 503 with `Retry-After` | throttled |
//! | 401, 403, 404, 410 | auth: the webhook is refused or gone, the notice is innocent |
//! | 5xx, any other answer, a lost answer | ambiguous: Slack has no look-up, so it is posted again; a message twice is better than none |
//!
//! Slack answers in one word (`ok`, `no_service`). Anything else, e.g. the page of a proxy or a
//! redirect, means that Slack was not reached.

use std::time::Instant;

use passerelle_model::config::SlackSettings;
use passerelle_model::ledger::FailureClass;
use reqwest::Client;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::answer::{Answer, Effect, exchange, http};
use crate::content::rendered::Rendered;
use crate::failure::{Failure, Target};
use crate::journal::Journal;

/// The longest message, in characters; Slack shows 4,000 well and cuts at 40,000.
const MOST_CHARS: usize = 3_500;

#[derive(Debug, Clone)]
pub struct Slack {
    http: Client,
    webhook: SecretString,
}

impl Slack {
    /// Prepares the client; nothing is sent.
    pub fn new(settings: &SlackSettings) -> Result<Self, reqwest::Error> {
        Ok(Self {
            http: http(settings.timeout, settings.authorities.as_ref())?,
            webhook: settings.webhook.clone(),
        })
    }

    /// Posts a notice in these words.
    pub async fn post(&self, journal: &mut Journal, words: &Rendered) -> Result<(), Failure> {
        let request = self
            .http
            .post(self.webhook.expose_secret())
            .json(&json!({"text": mrkdwn(words)}));
        let began = Instant::now();
        let result = exchange(Target::Slack, Effect::Creates, request)
            .await
            .and_then(|answer| judge(&answer));
        journal.call("post_slack", "POST slack incoming webhook".to_owned(), began, &result);
        result
    }
}

/// The subject in bold, then the text. Slack reads `<…>` as links and mentions, so these characters
/// never come through bare.
fn mrkdwn(words: &Rendered) -> String {
    let subject = words.subject.as_str();
    let room = MOST_CHARS.saturating_sub(subject.chars().count());
    let mut text: String = words.text.trim_end().chars().take(room).collect();
    if text.len() < words.text.trim_end().len() {
        text.push('…');
    }
    format!("*{}*\n{}", escaped(subject), escaped(&text))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn judge(answer: &Answer) -> Result<(), Failure> {
    let wait = answer.wait_in(&["retry-after"]);
    let class = match answer.status {
        // Slack says "ok", Mattermost and Rocket.Chat have words of their own. A page is somebody
        // else's.
        200..=299 if !answer.body.trim_start().starts_with('<') => return Ok(()),
        429 => FailureClass::Throttled,
        503 if wait.is_some() => FailureClass::Throttled,
        413 => FailureClass::Permanent,
        _ if answer.may_be_a_proxys() && !is_slacks_word(&answer.body) => {
            return Err(answer.not_reached(Target::Slack, Effect::Creates));
        }
        400 => FailureClass::Permanent,
        401 | 403 | 404 | 410 => FailureClass::Auth,
        _ => FailureClass::Ambiguous,
    };
    let word: String = answer.body.trim().chars().take(100).collect();
    let failure = answer.failure(class, Target::Slack, format!("Slack answered {} {word}", answer.status));
    Err(match wait.filter(|_| class == FailureClass::Throttled) {
        Some(wait) => failure.after(wait),
        None => failure,
    })
}

/// Slack's own answers are one word, e.g. `invalid_token`.
fn is_slacks_word(body: &str) -> bool {
    let word = body.trim();
    !word.is_empty() && word.len() <= 64 && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::rendered::SubjectLine;

    fn words(subject: &str, text: &str) -> Rendered {
        Rendered {
            subject: SubjectLine::new(subject),
            text: text.to_owned(),
            html: String::new(),
        }
    }

    #[test]
    fn a_row_cannot_mention_the_whole_channel_nor_forge_a_link() {
        let text = mrkdwn(&words("<!channel>", "<https://evil.test|Baserow> & co\n"));
        assert_eq!(text, "*&lt;!channel&gt;*\n&lt;https://evil.test|Baserow&gt; &amp; co");
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_entities() {
        let text = mrkdwn(&words("Long", &"é&".repeat(5_000)));
        assert!(text.ends_with("&amp;…") || text.ends_with("é…"), "{}", text.len());
        assert!(!mrkdwn(&words("Court", "exact")).contains('…'));
    }
}

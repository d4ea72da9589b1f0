//! A notice: a fact that people get by mail or Slack, once per event and rule.
//!
//! It is stored in an envelope that names its version. Only when it is sent do templates put it
//! into words ([`crate::outbox::templates`]): so a template or an address that was mended meanwhile
//! is used. `templates/notices/README.md` lists the variables of each kind.

use std::fmt;

use passerelle_model::id::JobKey;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What it is about. Each kind has a template of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeKind {
    /// A rule tells of an event in words of its own choosing.
    Event,
    /// A trainer was given a course.
    TrainerAssigned,
    /// A person has fewer hours left than were given out.
    CapacityBelowZero,
    /// A wiki page was made readable to anybody with the link.
    ShareCreated,
    /// A row changes too often by itself and was parked.
    LoopAlert,
    /// Syncs keep failing: an incident begins.
    OutageOpened,
    /// The incident is over.
    OutageOver,
    /// A webhook in Baserow was switched off.
    WebhookOff,
    /// Something that `bridge.toml` names has another name now.
    Renamed,
    /// A page is marked or named as the page of a row, and is not.
    ForeignMarks,
    /// The dead letters weigh more than their budget.
    DeadLetters,
    /// Redis knows less than it had answered.
    RedisWentBack,
    /// Something waits longer than it should.
    Stalled,
    /// A rule cannot be carried out for any row: the jobs of its table wait.
    RuleBroken,
    /// More mails to people than may go out within an hour.
    MailsHeld,
    /// A summary while an incident lasts, or of a day.
    Digest,
}

/// What a notice says, written as JSON; an object, by the names that its template uses.
pub fn notice_values(values: Value) -> Map<String, Value> {
    match values {
        Value::Object(values) => values,
        _ => Map::new(),
    }
}

impl NoticeKind {
    pub const ALL: [Self; 16] = [
        Self::Event,
        Self::TrainerAssigned,
        Self::CapacityBelowZero,
        Self::ShareCreated,
        Self::LoopAlert,
        Self::OutageOpened,
        Self::OutageOver,
        Self::WebhookOff,
        Self::Renamed,
        Self::ForeignMarks,
        Self::DeadLetters,
        Self::RedisWentBack,
        Self::Stalled,
        Self::RuleBroken,
        Self::MailsHeld,
        Self::Digest,
    ];

    /// The kind of what a rule tells by this template.
    pub fn of_template(template: &TemplateName) -> Self {
        let named = Self::ALL.into_iter().find(|kind| kind.as_str() == template.as_str());
        named.unwrap_or(Self::Event)
    }

    /// The stored word, also the name of its template.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::TrainerAssigned => "trainer-assigned",
            Self::CapacityBelowZero => "capacity-below-zero",
            Self::ShareCreated => "share-created",
            Self::LoopAlert => "loop-alert",
            Self::OutageOpened => "outage-opened",
            Self::OutageOver => "outage-over",
            Self::WebhookOff => "webhook-off",
            Self::Renamed => "renamed",
            Self::ForeignMarks => "foreign-marks",
            Self::DeadLetters => "dead-letters",
            Self::RedisWentBack => "redis-went-back",
            Self::Stalled => "stalled",
            Self::RuleBroken => "rule-broken",
            Self::MailsHeld => "mails-held",
            Self::Digest => "digest",
        }
    }
}

/// One person who is written to. Not yet known to be a valid address: it may come from a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// The person's name, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub address: String,
}

/// Who gets it. Slack has one audience, its channel, and ignores this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// The addresses in `ADMIN_EMAIL` when the notice is sent.
    Admin,
    People(Vec<Recipient>),
}

/// The name of a template: small letters, digits and `-`, so that it can never leave its folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TemplateName(String);

/// A text that is not a template's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a template's name has 1 to 64 small letters, digits and -")]
pub struct InvalidTemplateName;

impl TemplateName {
    /// Checks the text and takes it as a name.
    pub fn parse(text: &str) -> Result<Self, InvalidTemplateName> {
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.is_empty() || text.len() > 64 || !text.chars().all(known) {
            return Err(InvalidTemplateName);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<NoticeKind> for TemplateName {
    fn from(kind: NoticeKind) -> Self {
        Self(kind.as_str().to_owned())
    }
}

impl TryFrom<String> for TemplateName {
    type Error = InvalidTemplateName;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<TemplateName> for String {
    fn from(name: TemplateName) -> Self {
        name.0
    }
}

impl fmt::Display for TemplateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A fact that people get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The key of its job, `notice/<event id>/<rule>`: the same key is the same notice, in the
    /// queue and in the mail's `Message-ID`.
    pub key: JobKey,
    /// What it is about.
    pub kind: NoticeKind,
    pub to: Audience,
    /// Which template puts it into words: the kind's own, unless a rule names another.
    pub template: TemplateName,
    /// What the template may say.
    #[serde(rename = "context")]
    pub values: Map<String, Value>,
}

/// The form in which a notice waits in the queue. A new form is a new variant; the old ones stay
/// readable.
#[derive(Serialize, Deserialize)]
#[serde(tag = "version")]
enum Envelope {
    #[serde(rename = "1")]
    V1(Notice),
}

/// Arguments of a job that are no notice of a known version.
#[derive(Debug, thiserror::Error)]
#[error("this is no notice that this version of the bridge can read: {0}")]
pub struct UnreadableNotice(#[from] serde_json::Error);

impl Notice {
    /// A notice with the template of its kind.
    pub fn new(key: JobKey, kind: NoticeKind, to: Audience, values: Map<String, Value>) -> Self {
        Self {
            key,
            kind,
            to,
            template: kind.into(),
            values,
        }
    }

    /// As the arguments of a job.
    pub fn to_args(&self) -> Result<String, UnreadableNotice> {
        Ok(serde_json::to_string(&Envelope::V1(self.clone()))?)
    }

    /// From the arguments of a job.
    pub fn from_args(args: &str) -> Result<Self, UnreadableNotice> {
        let Envelope::V1(notice) = serde_json::from_str(args)?;
        Ok(notice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_of_version_1_stays_readable() {
        let sample = include_str!("../../tests/notices/v1.json");
        let notice = Notice::from_args(sample).unwrap();
        assert_eq!(notice.kind, NoticeKind::TrainerAssigned);
        assert_eq!(notice.values["trainer"], "Zoé Lefèvre");
        let again: Value = serde_json::from_str(&notice.to_args().unwrap()).unwrap();
        assert_eq!(again, serde_json::from_str::<Value>(sample).unwrap());
    }

    #[test]
    fn an_unknown_version_is_refused_and_not_guessed() {
        let sample = include_str!("../../tests/notices/v1.json").replace(r#""version": "1""#, r#""version": "2""#);
        assert!(Notice::from_args(&sample).unwrap_err().to_string().contains("version"));
        assert!(Notice::from_args("{}").is_err());
    }

    #[test]
    fn the_word_of_a_kind_is_its_stored_form_and_a_template_name() {
        for kind in NoticeKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(TemplateName::parse(kind.as_str()), Ok(kind.into()));
        }
    }

    #[test]
    fn a_template_name_cannot_leave_its_folder() {
        for name in ["", "../secret", "a/b", "a.html", "É", "A"] {
            assert_eq!(TemplateName::parse(name), Err(InvalidTemplateName), "{name}");
        }
    }
}

//! The actions of `bridge.toml` that tell people something: `[rules.notice]` and
//! `[rules.capacity]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The way by which people are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// By mail.
    #[default]
    Mail,
    /// In the Slack channel.
    Slack,
}

impl Channel {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Mail, Self::Slack];

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Slack => "slack",
        }
    }

    /// The channel with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == word)
    }
}

/// The action `notice`: one message per event, to the people that the row links to, or to the
/// admin.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoticeAction {
    /// The name of its template (`templates/notices/<name>.subject`, `.txt`, `.html`).
    pub template: String,
    /// Who is told; the admin if absent.
    #[serde(default)]
    pub to: Option<LinkedPeople>,
    /// The way.
    #[serde(default)]
    pub channel: Channel,
    /// What the template may say: its variables, each a template over `row`, the rule's links, and
    /// `person` where people are told.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
}

/// People in linked rows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkedPeople {
    /// The link field; each linked row is a person and gets a message of its own.
    pub link: String,
    /// The person's field with the e-mail address.
    pub email: String,
    /// The person's field with the name.
    #[serde(default)]
    pub name: Option<String>,
}

/// The action `capacity`: tells the admin of people who have fewer hours left than a limit.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CapacityAction {
    /// The link field to the people; those who were linked before an update are looked at too.
    pub people: String,
    /// The person's field with the name.
    pub name: String,
    /// The person's field with the hours left: a number or a formula. It is read from Baserow after
    /// the event.
    pub hours_left: String,
    /// Fewer hours than this are told.
    #[serde(default)]
    pub below: f64,
    /// Template of what was given to the person, over `row`; the row's link is shown beside it.
    #[serde(default)]
    pub cause: Option<String>,
    /// The way.
    #[serde(default)]
    pub channel: Channel,
}

//! Which gates there are: a target and a kind of call. The list is fixed, because each one is
//! passed by the jobs of a known queue.

use std::fmt;

use crate::QueueName;

/// A system that the bridge needs and that may be away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GateTarget {
    /// The wiki.
    Docmost,
    /// The source of the rows.
    Baserow,
    /// The mail server.
    Smtp,
    /// Slack.
    Slack,
    /// The SQL store, without which no page may be made: nobody would know whose it is.
    Store,
}

impl GateTarget {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Docmost, Self::Baserow, Self::Smtp, Self::Slack, Self::Store];

    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Docmost => "docmost",
            Self::Baserow => "baserow",
            Self::Smtp => "smtp",
            Self::Slack => "slack",
            Self::Store => "store",
        }
    }

    /// The target with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.as_str() == word)
    }

    /// The queue whose jobs need it.
    pub fn queue(self) -> QueueName {
        match self {
            Self::Docmost | Self::Baserow | Self::Store => QueueName::Sync,
            Self::Smtp => QueueName::Mail,
            Self::Slack => QueueName::Slack,
        }
    }
}

impl fmt::Display for GateTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GateName {
    /// Calls that change pages.
    DocmostWrite,
    /// Calls that look.
    DocmostRead,
    /// Signing in.
    DocmostLogin,
    /// Reading rows.
    BaserowRead,
    /// Writing back.
    BaserowWrite,
    /// Sending mail.
    Smtp,
    /// Sending to Slack.
    Slack,
    /// Links and intents in the SQL store.
    Store,
}

impl GateName {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::DocmostWrite,
        Self::DocmostRead,
        Self::DocmostLogin,
        Self::BaserowRead,
        Self::BaserowWrite,
        Self::Smtp,
        Self::Slack,
        Self::Store,
    ];

    /// The stored word, e.g. `docmost:write`. The target's word comes first.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DocmostWrite => "docmost:write",
            Self::DocmostRead => "docmost:read",
            Self::DocmostLogin => "docmost:login",
            Self::BaserowRead => "baserow:read",
            Self::BaserowWrite => "baserow:write",
            Self::Smtp => "smtp",
            Self::Slack => "slack",
            Self::Store => "store",
        }
    }

    /// The gate with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|gate| gate.as_str() == word)
    }

    /// Whose gate it is.
    pub fn target(self) -> GateTarget {
        match self {
            Self::DocmostWrite | Self::DocmostRead | Self::DocmostLogin => GateTarget::Docmost,
            Self::BaserowRead | Self::BaserowWrite => GateTarget::Baserow,
            Self::Smtp => GateTarget::Smtp,
            Self::Slack => GateTarget::Slack,
            Self::Store => GateTarget::Store,
        }
    }

    /// The gates that every job of a queue passes.
    pub fn passed_by(queue: QueueName) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |gate| gate.target().queue() == queue)
    }
}

impl fmt::Display for GateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_gate_is_found_by_its_word_which_begins_with_its_target() {
        for gate in GateName::ALL {
            assert_eq!(GateName::parse(gate.as_str()), Some(gate));
            assert_eq!(gate.as_str().split(':').next(), Some(gate.target().as_str()));
        }
        assert_eq!(GateName::parse("docmost"), None);
    }

    #[test]
    fn trouble_with_notices_never_stops_the_sync() {
        let words: Vec<&str> = GateName::passed_by(QueueName::Sync).map(GateName::as_str).collect();
        assert_eq!(
            words,
            [
                "docmost:write",
                "docmost:read",
                "docmost:login",
                "baserow:read",
                "baserow:write",
                "store"
            ]
        );
    }
}

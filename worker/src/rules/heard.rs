//! Which events of which tables a rule lives by: `provision` makes webhooks for them, `doctor` and
//! the source watch look after these.

use passerelle_model::config::Rule;
use passerelle_model::event::EventKind;

use super::{NoticeRule, NoticeRuleAction, Owner, Purpose, Rules};

/// Baserow's word for a row that was made.
pub const CREATED: &str = "rows.created";
/// Baserow's word for a row that was changed.
pub const UPDATED: &str = "rows.updated";
/// Baserow's word for a row that was deleted.
pub const DELETED: &str = "rows.deleted";

/// Events of one table that a rule lives by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Which table: the rule's own, or one whose rows its pages show.
    pub of: Owner,
    /// In Baserow's words; never empty.
    pub events: Vec<&'static str>,
}

impl NoticeRule {
    /// Whether it looks at an event of this kind. A person may be linked by any event of a row that
    /// is typed, so a rule that notifies linked people of new rows looks at updates too.
    pub fn hears(&self, kind: EventKind) -> bool {
        let is_of_link = matches!(&self.action, NoticeRuleAction::Notice(notice) if notice.to.is_some());
        let is_typed = kind == EventKind::Updated && self.on.contains(&EventKind::Created);
        self.on.contains(&kind) || (is_of_link && is_typed)
    }
}

impl Rules {
    /// The events that a rule lives by: of its own table, and of those whose rows its pages show.
    pub fn heard(&self, rule: &Rule) -> Vec<Heard> {
        let own = Heard {
            of: Owner::Row,
            events: own_events(rule),
        };
        let links = self.needs(rule).into_iter();
        let links = links.filter(|need| need.purpose == Purpose::Link);
        let linked = links.map(|need| {
            debug_assert_eq!(need.of, Owner::Row, "links are followed from the rule's own table");
            let collection = rule.collection.as_ref();
            let is_collection = collection.is_some_and(|collection| collection.of == need.field);
            Heard {
                of: Owner::Linked(need.field),
                events: if is_collection {
                    vec![CREATED, UPDATED, DELETED]
                } else {
                    vec![UPDATED]
                },
            }
        });
        let all = std::iter::once(own).chain(linked);
        all.filter(|heard| !heard.events.is_empty()).collect()
    }
}

/// The events of its own table: those that it names, and those that show what it looks for. A
/// person may be linked by a later cell of a new row, and a deleted row gives hours back.
fn own_events(rule: &Rule) -> Vec<&'static str> {
    let of_link = rule.notice.as_ref().is_some_and(|notice| notice.to.is_some());
    let mut events: Vec<_> = rule.on.iter().copied().filter_map(word).collect();
    if of_link && events.contains(&CREATED) && !events.contains(&UPDATED) {
        events.push(UPDATED);
    }
    if rule.capacity.is_some() && !events.contains(&DELETED) {
        events.push(DELETED);
    }
    events
}

fn word(kind: EventKind) -> Option<&'static str> {
    match kind {
        EventKind::Created => Some(CREATED),
        EventKind::Updated => Some(UPDATED),
        EventKind::Deleted => Some(DELETED),
        EventKind::Forced | EventKind::Other => None,
    }
}

//! The notices of one row's job: every rule is asked about every event that the job answers for.

use std::collections::BTreeMap;

use passerelle_model::id::RowKey;
use passerelle_model::job::Job;

use super::event_notices::{EventNotices, People};
use super::{Notified, ledger};
use crate::clients::baserow::Table;
use crate::content::row::Row;
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::rules::{NoticeRule, NoticeRuleAction, Subject};
use crate::sync::linked_rows::{JobRows, Linking};

/// Events that are read at once: a body may have megabytes.
const EVENTS_AT_ONCE: u32 = 20;

/// One row's job, as far as notices go.
#[derive(Debug, Clone, Copy)]
pub struct RowNotices<'a> {
    /// What the job may use.
    pub context: &'a Context,
    pub table: &'a Table,
    pub key: RowKey,
    /// The row as it is now; `None` if it does not exist any more.
    pub row: Option<&'a Row>,
}

/// A rule, and the linked rows that its templates need.
struct PreparedRule<'r> {
    rule: &'r NoticeRule,
    links: BTreeMap<String, Option<Row>>,
}

impl RowNotices<'_> {
    /// Stores the notices that these rules want for the events of a job.
    pub async fn notify(&self, rules: &[&NoticeRule], job: &Job, journal: &mut Journal) -> Result<Notified, Failure> {
        if rules.is_empty() {
            return Ok(Notified::NoRule);
        }
        ledger::reach(self.context, job).await?;
        let mut prepared = Vec::with_capacity(rules.len());
        for rule in rules {
            prepared.push(self.prepare(rule, journal).await?);
        }
        let (mut people, mut after, mut notices) = (People::new(), None, 0);
        loop {
            let events = self
                .context
                .store
                .pending_events(self.key, after, job.covers, EVENTS_AT_ONCE)
                .await?;
            let Some(last) = events.last() else { break };
            after = Some(last.at);
            for event in &events {
                for prepared in prepared.iter().filter(|prepared| prepared.rule.hears(event.kind)) {
                    let event_notices = EventNotices {
                        of: *self,
                        rule: prepared.rule,
                        event,
                        people: &mut people,
                        journal,
                    };
                    notices += self.apply(event_notices, prepared).await?;
                }
            }
        }
        Ok(if notices > 0 {
            Notified::Something
        } else {
            Notified::Nothing
        })
    }

    async fn prepare<'r>(&self, rule: &'r NoticeRule, journal: &mut Journal) -> Result<PreparedRule<'r>, Failure> {
        let (context, key) = (self.context, self.key);
        let links = match self.row {
            Some(row) => {
                let linking = Linking { context, key, row };
                let mut reader = JobRows { context, journal };
                linking.shown_rows(&rule.name, &rule.links, &mut reader).await?
            }
            None => BTreeMap::new(),
        };
        Ok(PreparedRule { rule, links })
    }

    /// Returns how many notices are stored for one event by one rule.
    async fn apply(&self, notices: EventNotices<'_, '_>, prepared: &PreparedRule<'_>) -> Result<usize, Failure> {
        let address = self.context.baserow.row_address(self.table, self.key);
        // Notices have no marks.
        let subject = self.row.map(|row| Subject {
            bridge: "",
            key: self.key,
            row,
            links: &prepared.links,
            address: &address,
        });
        match (&prepared.rule.action, subject) {
            (NoticeRuleAction::Notice(notice), Some(subject)) => notices.of_event(notice, &subject).await,
            (NoticeRuleAction::Notice(_), None) => Ok(0),
            (NoticeRuleAction::Capacity(capacity), subject) => notices.of_shortages(capacity, subject.as_ref()).await,
        }
    }
}
